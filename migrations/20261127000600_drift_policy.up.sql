-- migrate:no-transaction
ALTER TABLE serving_environment ADD COLUMN IF NOT EXISTS drift_policy VARCHAR(20) NOT NULL DEFAULT 'report';
ALTER TABLE serving_environment DROP CONSTRAINT IF EXISTS chk_serving_environment_drift_policy;
ALTER TABLE serving_environment ADD CONSTRAINT chk_serving_environment_drift_policy
    CHECK (drift_policy IN ('report', 'enforce')) NOT VALID;
ALTER TABLE serving_environment VALIDATE CONSTRAINT chk_serving_environment_drift_policy;
