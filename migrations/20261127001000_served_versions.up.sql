-- migrate:no-transaction
-- Finds revisions that serve a version besides the first one, which idx_deployment_revision_version finds. They are few.
CREATE INDEX CONCURRENTLY IF NOT EXISTS idx_deployment_revision_versions
    ON deployment_revision USING gin ((spec->'served_version_ids')) WITH (fastupdate = off)
    WHERE jsonb_array_length(spec->'served_version_ids') > 1;
