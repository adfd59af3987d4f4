DROP INDEX idx_serve_model_list;
DROP INDEX idx_inference_service_list;
DROP INDEX idx_serving_environment_list;
DROP INDEX idx_model_version_list;
DROP INDEX idx_registered_model_list;
