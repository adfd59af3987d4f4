-- What a request asked for, so that another one under its id is refused. Empty where it is not known: requests stored before.
ALTER TABLE deployment_request ADD COLUMN digest TEXT NOT NULL DEFAULT '';
