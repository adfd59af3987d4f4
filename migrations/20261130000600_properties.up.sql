-- migrate:no-transaction
-- Values with types beside the labels: {"accuracy": {"double": 0.97}}. docs/decisions/properties.md tells why they are stored so.
ALTER TABLE registered_model ADD COLUMN IF NOT EXISTS properties JSONB NOT NULL DEFAULT '{}';
ALTER TABLE model_version ADD COLUMN IF NOT EXISTS properties JSONB NOT NULL DEFAULT '{}';
ALTER TABLE serving_environment ADD COLUMN IF NOT EXISTS properties JSONB NOT NULL DEFAULT '{}';
ALTER TABLE inference_service ADD COLUMN IF NOT EXISTS properties JSONB NOT NULL DEFAULT '{}';
