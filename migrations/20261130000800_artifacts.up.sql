-- Artifacts besides the model's own files, which are in the columns of the version: documents, data sets, metrics and parameters, of
-- a version or standing alone. No row exists yet, so that indexes are built at once.
CREATE TABLE artifact (
    id               UUID PRIMARY KEY,
    created_at       TIMESTAMPTZ NOT NULL DEFAULT now(),
    updated_at       TIMESTAMPTZ NOT NULL DEFAULT now(),
    project_id       UUID        NOT NULL,
    model_version_id UUID,
    model_id         UUID, -- of its version, for events: a deletion of the version is told when that is gone
    kind             TEXT        NOT NULL,
    name             TEXT        NOT NULL,
    description      TEXT        NOT NULL DEFAULT '',
    uri              TEXT        NOT NULL DEFAULT '',
    digest           TEXT        NOT NULL DEFAULT '',
    size_bytes       BIGINT      NOT NULL DEFAULT 0,
    value            JSONB,
    labels           JSONB       NOT NULL DEFAULT '{}',
    external_id      TEXT        NOT NULL DEFAULT '',
    properties       JSONB       NOT NULL DEFAULT '{}',
    -- The table is new and empty, so that the lock of the versions is held for a moment only.
    CONSTRAINT fk_artifact_model_version FOREIGN KEY (model_version_id) REFERENCES model_version (id) ON DELETE CASCADE
);
CREATE UNIQUE INDEX uq_artifact_version_name ON artifact (model_version_id, name) WHERE model_version_id IS NOT NULL;
CREATE UNIQUE INDEX uq_artifact_project_name ON artifact (project_id, name) WHERE model_version_id IS NULL;
CREATE UNIQUE INDEX uq_artifact_external_id ON artifact (project_id, external_id) WHERE external_id <> '';
CREATE INDEX idx_artifact_list ON artifact (project_id, created_at DESC, id DESC);
CREATE INDEX idx_artifact_version_list ON artifact (model_version_id, created_at DESC, id DESC);

-- The artifacts of deleted versions, one row each, because all of them may be larger than a value can be.
CREATE TABLE deleted_artifact (
    id               UUID PRIMARY KEY,
    model_version_id UUID  NOT NULL REFERENCES deleted_model_version (id) ON DELETE CASCADE,
    artifact         JSONB NOT NULL
);
CREATE INDEX idx_deleted_artifact_version ON deleted_artifact (model_version_id);
