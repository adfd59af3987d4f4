DROP TRIGGER set_project_on_move ON model_version;
DROP TRIGGER set_project_on_insert ON model_version;
DROP FUNCTION set_version_project();
ALTER TABLE model_version DROP COLUMN project_id;
