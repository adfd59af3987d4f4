-- migrate:no-transaction
DROP TRIGGER IF EXISTS count_truncate ON model_version;
DROP TRIGGER IF EXISTS count_delete ON model_version;
DROP TRIGGER IF EXISTS count_update ON model_version;
DROP TRIGGER IF EXISTS count_insert ON model_version;
DROP TRIGGER IF EXISTS count_truncate ON registered_model;
DROP TRIGGER IF EXISTS count_delete ON registered_model;
DROP TRIGGER IF EXISTS count_update ON registered_model;
DROP TRIGGER IF EXISTS count_insert ON registered_model;

TRUNCATE registered_model_count, project_version_count, model_version_count;
