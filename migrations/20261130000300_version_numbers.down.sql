DROP TRIGGER set_number_on_move ON model_version;
DROP TRIGGER set_number_on_insert ON model_version;
DROP FUNCTION set_version_number();
DROP TABLE version_number;
ALTER TABLE model_version DROP COLUMN number;
