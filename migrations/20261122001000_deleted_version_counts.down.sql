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
    SELECT m.id, v.state, v.status, counter_shard(), m.project_id, -count(*)
    FROM deleted AS v JOIN registered_model AS m ON m.id = v.registered_model_id
    GROUP BY 1, 2, 3, 5 ORDER BY 1, 2, 3
    ON CONFLICT (registered_model_id, state, status, shard) DO UPDATE SET versions = c.versions + excluded.versions;

    DELETE FROM model_version_count AS c
    WHERE c.registered_model_id IN (SELECT registered_model_id FROM deleted)
        AND NOT EXISTS (SELECT FROM registered_model AS m WHERE m.id = c.registered_model_id);
    RETURN NULL;
END $$;
