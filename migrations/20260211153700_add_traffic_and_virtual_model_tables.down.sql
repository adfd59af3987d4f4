DROP TABLE IF EXISTS virtual_model_backend;
DROP TABLE IF EXISTS virtual_model;
DROP TABLE IF EXISTS traffic_variant;
DROP TABLE IF EXISTS traffic_config;
