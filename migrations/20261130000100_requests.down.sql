CREATE TABLE deployment_request (
    project_id    UUID NOT NULL,
    request_id    TEXT NOT NULL,
    deployment_id UUID NOT NULL REFERENCES deployment (id) ON DELETE CASCADE,
    digest        TEXT NOT NULL DEFAULT '',
    created_at    TIMESTAMPTZ NOT NULL DEFAULT now(),
    PRIMARY KEY (project_id, request_id)
);
CREATE INDEX idx_deployment_request_of ON deployment_request (deployment_id);
DROP TABLE request;
