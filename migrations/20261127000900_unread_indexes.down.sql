-- migrate:no-transaction
CREATE INDEX CONCURRENTLY IF NOT EXISTS idx_serve_model_state ON serve_model (last_known_state);
CREATE INDEX CONCURRENTLY IF NOT EXISTS idx_serve_model_inference_service_id ON serve_model (inference_service_id);
CREATE INDEX CONCURRENTLY IF NOT EXISTS idx_serve_model_project_id ON serve_model (project_id);
CREATE INDEX CONCURRENTLY IF NOT EXISTS idx_inference_service_desired_state ON inference_service (desired_state);
CREATE INDEX CONCURRENTLY IF NOT EXISTS idx_inference_service_current_state ON inference_service (current_state);
CREATE INDEX CONCURRENTLY IF NOT EXISTS idx_inference_service_created_at ON inference_service (created_at DESC);
CREATE INDEX CONCURRENTLY IF NOT EXISTS idx_inference_service_registered_model_id ON inference_service (registered_model_id);
CREATE INDEX CONCURRENTLY IF NOT EXISTS idx_inference_service_serving_environment_id ON inference_service (serving_environment_id);
CREATE INDEX CONCURRENTLY IF NOT EXISTS idx_inference_service_project_id ON inference_service (project_id);
CREATE INDEX CONCURRENTLY IF NOT EXISTS idx_serving_environment_created_at ON serving_environment (created_at DESC);
CREATE INDEX CONCURRENTLY IF NOT EXISTS idx_serving_environment_project_id ON serving_environment (project_id);
CREATE INDEX CONCURRENTLY IF NOT EXISTS idx_model_version_status ON model_version (status);
CREATE INDEX CONCURRENTLY IF NOT EXISTS idx_model_version_state ON model_version (state);
CREATE INDEX CONCURRENTLY IF NOT EXISTS idx_model_version_updated_by_id ON model_version (updated_by_id);
CREATE INDEX CONCURRENTLY IF NOT EXISTS idx_model_version_created_by_id ON model_version (created_by_id);
CREATE INDEX CONCURRENTLY IF NOT EXISTS idx_model_version_is_default ON model_version (registered_model_id, is_default)
    WHERE is_default = true;
CREATE INDEX CONCURRENTLY IF NOT EXISTS idx_model_version_registered_model_id ON model_version (registered_model_id);
CREATE INDEX CONCURRENTLY IF NOT EXISTS idx_registered_model_state ON registered_model (state);
CREATE INDEX CONCURRENTLY IF NOT EXISTS idx_registered_model_owner_id ON registered_model (owner_id);
CREATE INDEX CONCURRENTLY IF NOT EXISTS idx_registered_model_name ON registered_model (name);
CREATE INDEX CONCURRENTLY IF NOT EXISTS idx_registered_model_created_at ON registered_model (created_at DESC);
CREATE INDEX CONCURRENTLY IF NOT EXISTS idx_registered_model_project_id ON registered_model (project_id);
