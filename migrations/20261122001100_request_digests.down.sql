ALTER TABLE deployment_request DROP COLUMN digest;
