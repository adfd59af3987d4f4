CREATE INDEX IF NOT EXISTS idx_model_version_is_default ON model_version (registered_model_id, is_default)
    WHERE is_default = true;
CREATE INDEX IF NOT EXISTS idx_model_version_created_at ON model_version (created_at DESC);
CREATE INDEX IF NOT EXISTS idx_model_version_created_by_id ON model_version (created_by_id);
CREATE INDEX IF NOT EXISTS idx_model_version_updated_by_id ON model_version (updated_by_id);
CREATE INDEX IF NOT EXISTS idx_model_version_state ON model_version (state);
CREATE INDEX IF NOT EXISTS idx_model_version_status ON model_version (status);
