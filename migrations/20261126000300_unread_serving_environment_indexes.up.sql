-- As those of registered_model.
DROP INDEX IF EXISTS idx_serving_environment_project_id;
DROP INDEX IF EXISTS idx_serving_environment_created_at;
