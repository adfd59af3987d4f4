CREATE INDEX IF NOT EXISTS idx_inference_service_project_id ON inference_service (project_id);
CREATE INDEX IF NOT EXISTS idx_inference_service_created_at ON inference_service (created_at DESC);
CREATE INDEX IF NOT EXISTS idx_inference_service_current_state ON inference_service (current_state);
CREATE INDEX IF NOT EXISTS idx_inference_service_desired_state ON inference_service (desired_state);
