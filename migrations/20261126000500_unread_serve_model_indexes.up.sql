-- As those of registered_model.
DROP INDEX IF EXISTS idx_serve_model_project_id;
DROP INDEX IF EXISTS idx_serve_model_inference_service_id;
DROP INDEX IF EXISTS idx_serve_model_state;
