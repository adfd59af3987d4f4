-- As those of registered_model.
DROP INDEX IF EXISTS idx_model_version_is_default;
DROP INDEX IF EXISTS idx_model_version_created_at;
DROP INDEX IF EXISTS idx_model_version_created_by_id;
DROP INDEX IF EXISTS idx_model_version_updated_by_id;
DROP INDEX IF EXISTS idx_model_version_state;
DROP INDEX IF EXISTS idx_model_version_status;
