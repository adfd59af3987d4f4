-- migrate:no-transaction
DROP INDEX CONCURRENTLY idx_deployment_revision_version;
