DROP TABLE IF EXISTS serve_model;
DROP TABLE IF EXISTS inference_service;
DROP TABLE IF EXISTS serving_environment;
