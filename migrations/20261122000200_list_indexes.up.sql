-- The order of every list: newest first within a project (or model), the id breaking ties, so that a page is a range of the index.
CREATE INDEX idx_registered_model_list ON registered_model (project_id, created_at DESC, id DESC);
CREATE INDEX idx_model_version_list ON model_version (registered_model_id, created_at DESC, id DESC);
CREATE INDEX idx_serving_environment_list ON serving_environment (project_id, created_at DESC, id DESC);
CREATE INDEX idx_inference_service_list ON inference_service (project_id, created_at DESC, id DESC);
CREATE INDEX idx_serve_model_list ON serve_model (project_id, created_at DESC, id DESC);
