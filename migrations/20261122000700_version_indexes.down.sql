DROP INDEX idx_model_version_default;
DROP INDEX idx_model_version_project_name;
DROP INDEX idx_model_version_project_list;
DROP INDEX idx_model_version_list;
CREATE INDEX idx_model_version_list ON model_version (registered_model_id, created_at DESC, id DESC);
