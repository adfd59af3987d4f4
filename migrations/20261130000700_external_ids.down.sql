ALTER TABLE model_version DROP COLUMN external_id;
ALTER TABLE registered_model DROP COLUMN external_id;
DROP INDEX idx_serving_environment_external_id;
