DROP TABLE IF EXISTS model_version;
DROP TABLE IF EXISTS registered_model;
