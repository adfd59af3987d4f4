ALTER TABLE inference_service DROP COLUMN properties;
ALTER TABLE serving_environment DROP COLUMN properties;
ALTER TABLE model_version DROP COLUMN properties;
ALTER TABLE registered_model DROP COLUMN properties;
