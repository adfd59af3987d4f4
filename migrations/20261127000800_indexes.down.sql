-- migrate:no-transaction
DROP INDEX CONCURRENTLY IF EXISTS idx_serve_model_list;
DROP INDEX CONCURRENTLY IF EXISTS idx_inference_service_model_list;
DROP INDEX CONCURRENTLY IF EXISTS idx_inference_service_environment_list;
DROP INDEX CONCURRENTLY IF EXISTS idx_inference_service_list;
DROP INDEX CONCURRENTLY IF EXISTS idx_serving_environment_list;
DROP INDEX CONCURRENTLY IF EXISTS idx_model_version_default;
DROP INDEX CONCURRENTLY IF EXISTS idx_model_version_project_name;
DROP INDEX CONCURRENTLY IF EXISTS idx_model_version_project_list;
DROP INDEX CONCURRENTLY IF EXISTS idx_model_version_list;
DROP INDEX CONCURRENTLY IF EXISTS idx_registered_model_search;
DROP INDEX CONCURRENTLY IF EXISTS idx_registered_model_parent;
DROP INDEX CONCURRENTLY IF EXISTS idx_registered_model_updated;
DROP INDEX CONCURRENTLY IF EXISTS idx_registered_model_list;
DROP INDEX CONCURRENTLY IF EXISTS idx_deployment_revision_version;
