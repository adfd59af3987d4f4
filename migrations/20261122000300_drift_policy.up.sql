ALTER TABLE serving_environment
    ADD COLUMN drift_policy VARCHAR(20) NOT NULL DEFAULT 'report'
    CONSTRAINT chk_serving_environment_drift_policy CHECK (drift_policy IN ('report', 'enforce'));
