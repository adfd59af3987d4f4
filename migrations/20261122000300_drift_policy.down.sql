ALTER TABLE serving_environment DROP COLUMN drift_policy;
