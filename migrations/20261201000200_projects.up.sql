-- Projects as tenants, which operators write. docs/access.md tells what they allow.
CREATE TABLE project (
    id               UUID PRIMARY KEY,
    created_at       TIMESTAMPTZ NOT NULL DEFAULT now(),
    updated_at       TIMESTAMPTZ NOT NULL DEFAULT now(),
    name             TEXT        NOT NULL CONSTRAINT uq_project_name UNIQUE,
    description      TEXT        NOT NULL,
    namespaces       TEXT[]      NOT NULL,
    uris             TEXT[]      NOT NULL,
    service_accounts TEXT[]      NOT NULL,
    runtimes         TEXT[]      NOT NULL,
    max_models       BIGINT,
    max_versions     BIGINT,
    max_deployments  BIGINT,
    max_bytes        BIGINT
);
CREATE INDEX idx_project_list ON project (created_at DESC, id DESC);
CREATE TRIGGER announce AFTER INSERT OR UPDATE OR DELETE ON project
    FOR EACH STATEMENT EXECUTE FUNCTION announce_access();
