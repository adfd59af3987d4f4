-- The answers to requests that have an id, so that a request can be sent again. They are deleted after a day.
CREATE TABLE request (
    project_id UUID        NOT NULL,
    key        TEXT        NOT NULL, -- the id that the caller chose
    rpc        TEXT        NOT NULL,
    digest     BYTEA       NOT NULL, -- of the request, with a key: another request with this id is refused
    subject    UUID,                 -- the deployment whose present state is the answer while there is no other
    answer     BYTEA,                -- NULL while the first pass is under way
    created_at TIMESTAMPTZ NOT NULL DEFAULT now(),
    PRIMARY KEY (project_id, key)
);
CREATE INDEX idx_request_created ON request (created_at);

-- It remembered deployments only.
-- squawk-ignore ban-drop-table
DROP TABLE deployment_request;
