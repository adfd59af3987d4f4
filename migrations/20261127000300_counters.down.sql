DROP FUNCTION count_no_versions();
DROP FUNCTION count_deleted_versions();
DROP FUNCTION count_updated_versions();
DROP FUNCTION count_inserted_versions();
DROP FUNCTION count_no_models();
DROP FUNCTION count_deleted_models();
DROP FUNCTION count_updated_models();
DROP FUNCTION count_inserted_models();
DROP FUNCTION counter_shard();

DROP TABLE model_version_count;
DROP TABLE project_version_count;
DROP TABLE registered_model_count;
