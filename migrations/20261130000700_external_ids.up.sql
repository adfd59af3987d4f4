-- migrate:no-transaction
-- Ids in other systems. The columns of this name that environments and services have already are not unique: the first is the
-- name of a namespace, the second the uid of an object, and other writers may repeat them.
CREATE INDEX CONCURRENTLY IF NOT EXISTS idx_serving_environment_external_id
    ON serving_environment (project_id, external_id, created_at, id) WHERE external_id <> '';
ALTER TABLE registered_model ADD COLUMN IF NOT EXISTS external_id VARCHAR(255) NOT NULL DEFAULT '';
ALTER TABLE model_version ADD COLUMN IF NOT EXISTS external_id VARCHAR(255) NOT NULL DEFAULT '';
CREATE UNIQUE INDEX CONCURRENTLY IF NOT EXISTS uq_registered_model_external_id
    ON registered_model (project_id, external_id) WHERE external_id <> '';
CREATE UNIQUE INDEX CONCURRENTLY IF NOT EXISTS uq_model_version_external_id
    ON model_version (project_id, external_id) WHERE external_id <> '';
