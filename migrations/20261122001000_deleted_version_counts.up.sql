-- The plans of a function's statements are kept for the session. Made when a model of many versions is deleted, they joined
-- with all models, and every later deletion did so too; looked up one by one, models are found by their key.
SELECT set_config('search_path', current_setting('search_path') || ', pg_temp', true);

CREATE OR REPLACE FUNCTION count_deleted_versions() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT AS $$
BEGIN
    INSERT INTO project_version_count AS c (project_id, state, status, shard, versions)
    SELECT project_id, state, status, counter_shard(), -count(*)
    FROM deleted GROUP BY 1, 2, 3 ORDER BY 1, 2, 3
    ON CONFLICT (project_id, state, status, shard) DO UPDATE SET versions = c.versions + excluded.versions;

    -- The counters of models that have gone go too.
    INSERT INTO model_version_count AS c (registered_model_id, state, status, shard, project_id, versions)
    SELECT registered_model_id, state, status, counter_shard(), project_id, -versions
    FROM (
        SELECT registered_model_id, state, status, project_id, count(*) AS versions FROM deleted GROUP BY 1, 2, 3, 4
    ) AS v
    WHERE (SELECT true FROM registered_model AS m WHERE m.id = v.registered_model_id)
    ORDER BY 1, 2, 3
    ON CONFLICT (registered_model_id, state, status, shard) DO UPDATE SET versions = c.versions + excluded.versions;

    DELETE FROM model_version_count AS c
    WHERE c.registered_model_id = ANY(ARRAY(SELECT DISTINCT registered_model_id FROM deleted))
        AND (SELECT true FROM registered_model AS m WHERE m.id = c.registered_model_id) IS NULL;
    RETURN NULL;
END $$;
