-- migrate:no-transaction
DROP INDEX CONCURRENTLY IF EXISTS idx_deployment_revision_versions;
