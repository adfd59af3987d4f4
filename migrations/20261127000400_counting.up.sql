-- migrate:no-transaction
-- Turns on the counters of the previous migration. Writers only wait while a trigger is created. Every statement can be
-- repeated.

CREATE OR REPLACE TRIGGER count_insert AFTER INSERT ON registered_model
    REFERENCING NEW TABLE AS inserted FOR EACH STATEMENT EXECUTE FUNCTION count_inserted_models();
CREATE OR REPLACE TRIGGER count_update AFTER UPDATE ON registered_model
    REFERENCING OLD TABLE AS before NEW TABLE AS after FOR EACH STATEMENT EXECUTE FUNCTION count_updated_models();
CREATE OR REPLACE TRIGGER count_delete AFTER DELETE ON registered_model
    REFERENCING OLD TABLE AS deleted FOR EACH STATEMENT EXECUTE FUNCTION count_deleted_models();
CREATE OR REPLACE TRIGGER count_truncate AFTER TRUNCATE ON registered_model
    FOR EACH STATEMENT EXECUTE FUNCTION count_no_models();

CREATE OR REPLACE TRIGGER count_insert AFTER INSERT ON model_version
    REFERENCING NEW TABLE AS inserted FOR EACH STATEMENT EXECUTE FUNCTION count_inserted_versions();
CREATE OR REPLACE TRIGGER count_update AFTER UPDATE ON model_version
    REFERENCING OLD TABLE AS before NEW TABLE AS after FOR EACH STATEMENT EXECUTE FUNCTION count_updated_versions();
CREATE OR REPLACE TRIGGER count_delete AFTER DELETE ON model_version
    REFERENCING OLD TABLE AS deleted FOR EACH STATEMENT EXECUTE FUNCTION count_deleted_versions();
CREATE OR REPLACE TRIGGER count_truncate AFTER TRUNCATE ON model_version
    FOR EACH STATEMENT EXECUTE FUNCTION count_no_versions();

-- Counts the existing rows without a lock: a statement sees rows and counters at one moment, so the difference is the rows not
-- counted yet, and the triggers count everything after that. No writer uses shard -1.
INSERT INTO registered_model_count AS c (project_id, state, model_type, shard, models)
SELECT project_id, state, model_type, -1, sum(models) FROM (
    SELECT project_id, state, model_type, count(*) AS models FROM registered_model GROUP BY 1, 2, 3
    UNION ALL
    SELECT project_id, state, model_type, -sum(models) FROM registered_model_count GROUP BY 1, 2, 3
) AS uncounted
GROUP BY 1, 2, 3 HAVING sum(models) <> 0
ON CONFLICT (project_id, state, model_type, shard) DO UPDATE SET models = c.models + excluded.models;

INSERT INTO project_version_count AS c (project_id, state, status, shard, versions)
SELECT project_id, state, status, -1, sum(versions) FROM (
    SELECT project_id, state, status, count(*) AS versions FROM model_version GROUP BY 1, 2, 3
    UNION ALL
    SELECT project_id, state, status, -sum(versions) FROM project_version_count GROUP BY 1, 2, 3
) AS uncounted
GROUP BY 1, 2, 3 HAVING sum(versions) <> 0
ON CONFLICT (project_id, state, status, shard) DO UPDATE SET versions = c.versions + excluded.versions;

INSERT INTO model_version_count AS c (registered_model_id, state, status, shard, project_id, versions)
SELECT registered_model_id, state, status, -1, project_id, sum(versions) FROM (
    SELECT registered_model_id, state, status, project_id, count(*) AS versions FROM model_version GROUP BY 1, 2, 3, 4
    UNION ALL
    SELECT registered_model_id, state, status, project_id, -sum(versions) FROM model_version_count GROUP BY 1, 2, 3, 4
) AS uncounted
GROUP BY 1, 2, 3, 5 HAVING sum(versions) <> 0
ON CONFLICT (registered_model_id, state, status, shard) DO UPDATE SET versions = c.versions + excluded.versions;

-- Removes counters of models that were deleted while the previous statement ran.
DELETE FROM model_version_count AS c
WHERE NOT EXISTS (SELECT FROM registered_model AS m WHERE m.id = c.registered_model_id);
