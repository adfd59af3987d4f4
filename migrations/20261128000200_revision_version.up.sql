-- migrate:no-transaction
-- What was deployed last of a version.
CREATE INDEX CONCURRENTLY IF NOT EXISTS idx_deployment_revision_version
    ON deployment_revision ((spec->>'model_version_id'), created_at DESC);
