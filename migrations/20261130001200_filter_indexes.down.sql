-- migrate:no-transaction
DROP INDEX CONCURRENTLY IF EXISTS idx_model_alias_name;
ALTER TABLE model_alias DROP COLUMN IF EXISTS project_id;
DROP INDEX CONCURRENTLY IF EXISTS idx_artifact_filter;
DROP INDEX CONCURRENTLY IF EXISTS idx_inference_service_filter;
DROP INDEX CONCURRENTLY IF EXISTS idx_serving_environment_filter;
DROP INDEX CONCURRENTLY IF EXISTS idx_model_version_filter;
DROP INDEX CONCURRENTLY IF EXISTS idx_registered_model_filter;
