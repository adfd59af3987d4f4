-- As those of registered_model.
DROP INDEX IF EXISTS idx_inference_service_project_id;
DROP INDEX IF EXISTS idx_inference_service_created_at;
DROP INDEX IF EXISTS idx_inference_service_current_state;
DROP INDEX IF EXISTS idx_inference_service_desired_state;
