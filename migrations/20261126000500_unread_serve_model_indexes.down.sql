CREATE INDEX IF NOT EXISTS idx_serve_model_project_id ON serve_model (project_id);
CREATE INDEX IF NOT EXISTS idx_serve_model_inference_service_id ON serve_model (inference_service_id);
CREATE INDEX IF NOT EXISTS idx_serve_model_state ON serve_model (last_known_state);
