DROP FUNCTION restore_row(REGCLASS, JSONB);
DROP TABLE deleted_model_version;
