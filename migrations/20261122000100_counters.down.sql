DROP TRIGGER count_truncate ON model_version;
DROP TRIGGER count_delete ON model_version;
DROP TRIGGER count_update ON model_version;
DROP TRIGGER count_insert ON model_version;
DROP TRIGGER refuse_project_change ON registered_model;
DROP TRIGGER count_truncate ON registered_model;
DROP TRIGGER count_delete ON registered_model;
DROP TRIGGER count_update ON registered_model;
DROP TRIGGER count_insert ON registered_model;

DROP FUNCTION count_no_versions();
DROP FUNCTION count_deleted_versions();
DROP FUNCTION count_updated_versions();
DROP FUNCTION count_inserted_versions();
DROP FUNCTION refuse_project_change();
DROP FUNCTION count_no_models();
DROP FUNCTION count_deleted_models();
DROP FUNCTION count_updated_models();
DROP FUNCTION count_inserted_models();
DROP FUNCTION counter_shard();

DROP TABLE model_version_count;
DROP TABLE project_version_count;
DROP TABLE registered_model_count;
