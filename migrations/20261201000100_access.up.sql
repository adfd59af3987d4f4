-- Members and API tokens: who has which role in a project. docs/access.md tells how they are used.

CREATE TABLE member (
    id         UUID PRIMARY KEY,
    created_at TIMESTAMPTZ NOT NULL DEFAULT now(),
    updated_at TIMESTAMPTZ NOT NULL DEFAULT now(),
    project_id UUID        NOT NULL,
    kind       TEXT        NOT NULL CHECK (kind IN ('USER', 'GROUP')),
    name       TEXT        NOT NULL,
    role       TEXT        NOT NULL CHECK (role IN ('VIEWER', 'EDITOR', 'DEPLOYER', 'ADMIN')),
    CONSTRAINT uq_member_project_name UNIQUE (project_id, kind, name)
);
CREATE INDEX idx_member_list ON member (project_id, created_at DESC, id DESC);

CREATE TABLE api_token (
    id           UUID PRIMARY KEY,
    created_at   TIMESTAMPTZ NOT NULL,
    project_id   UUID        NOT NULL,
    name         TEXT        NOT NULL,
    role         TEXT        NOT NULL CHECK (role IN ('VIEWER', 'EDITOR', 'DEPLOYER', 'ADMIN')),
    hash         BYTEA       NOT NULL UNIQUE, -- SHA-256 of the token, which is random
    created_by   TEXT        NOT NULL,
    member_id    UUID, -- by which its creator could make it; NULL: its creator was an operator
    expires_at   TIMESTAMPTZ NOT NULL,
    last_used_at TIMESTAMPTZ,
    revoked_at   TIMESTAMPTZ
) WITH (fillfactor = 80);
CREATE UNIQUE INDEX uq_api_token_project_name ON api_token (project_id, name) WHERE revoked_at IS NULL;
CREATE INDEX idx_api_token_member ON api_token (member_id);
CREATE INDEX idx_api_token_list ON api_token (project_id, created_at DESC, id DESC);

-- Workers remember roles and tokens; this makes them forget.
CREATE FUNCTION announce_access() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_notify('registry_access', '');
    RETURN NULL;
END $$;
CREATE TRIGGER announce AFTER INSERT OR UPDATE OR DELETE ON member
    FOR EACH STATEMENT EXECUTE FUNCTION announce_access();
CREATE TRIGGER announce AFTER UPDATE OF revoked_at, role, expires_at OR DELETE ON api_token
    FOR EACH STATEMENT EXECUTE FUNCTION announce_access();
