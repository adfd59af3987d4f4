DROP TABLE model_alias_move;
ALTER TABLE model_version DROP COLUMN was_aliased;
DROP FUNCTION version_aliases;
DROP TABLE model_alias;
