CREATE INDEX IF NOT EXISTS idx_registered_model_project_id ON registered_model (project_id);
CREATE INDEX IF NOT EXISTS idx_registered_model_created_at ON registered_model (created_at DESC);
CREATE INDEX IF NOT EXISTS idx_registered_model_name ON registered_model (name);
CREATE INDEX IF NOT EXISTS idx_registered_model_owner_id ON registered_model (owner_id);
CREATE INDEX IF NOT EXISTS idx_registered_model_state ON registered_model (state);
