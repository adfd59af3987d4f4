INSERT INTO serve_model (id, project_id, inference_service_id, model_version_id, last_known_state)
SELECT gen_random_uuid(), project_id, id, model_version_id, CASE WHEN current_state = 'DEPLOYED' THEN 'RUNNING' ELSE 'PENDING' END
FROM inference_service WHERE model_version_id IS NOT NULL
ON CONFLICT (inference_service_id, model_version_id) DO NOTHING;

ALTER TABLE inference_service DROP CONSTRAINT fk_inference_service_model_version;
DROP INDEX idx_inference_service_version;
ALTER TABLE inference_service DROP COLUMN model_version_id;
