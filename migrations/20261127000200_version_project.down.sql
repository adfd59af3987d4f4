-- migrate:no-transaction
-- The projects stay. The down migration before this one drops the column.
ALTER TABLE model_version DROP CONSTRAINT IF EXISTS model_version_has_project;
ALTER TABLE model_version ALTER COLUMN project_id DROP NOT NULL;
DROP TRIGGER IF EXISTS refuse_project_change ON registered_model;
DROP FUNCTION IF EXISTS refuse_project_change();
