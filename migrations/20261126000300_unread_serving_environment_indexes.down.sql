CREATE INDEX IF NOT EXISTS idx_serving_environment_project_id ON serving_environment (project_id);
CREATE INDEX IF NOT EXISTS idx_serving_environment_created_at ON serving_environment (created_at DESC);
