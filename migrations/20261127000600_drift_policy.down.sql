-- migrate:no-transaction
ALTER TABLE serving_environment DROP COLUMN IF EXISTS drift_policy;
