-- Exact counters, kept by triggers so that they are right for every writer, such as the Go service. The next migration creates
-- the triggers.
--
-- * A count is the sum over the shards of its key. A writer only changes the row of its own shard, so that writers seldom wait
--   for each other. A single shard may be negative. Shard -1 counts the rows from before the triggers.
-- * The triggers fire once per statement, so that a bulk load changes each counter once and not once per row.
-- * Counter rows are always locked in the same order of tables (registered_model_count, project_version_count,
--   model_version_count) and of keys, so that concurrent statements cannot deadlock on them.
-- * The functions run with their owner's rights, so that other writers need no grants on the counters.

-- 20261127000100_version_columns.up.sql tells why.
SELECT set_config('search_path', current_setting('search_path') || ', pg_temp', true);

CREATE TABLE registered_model_count (
    project_id UUID        NOT NULL,
    state      VARCHAR(50) NOT NULL,
    model_type VARCHAR(50) NOT NULL,
    shard      SMALLINT    NOT NULL,
    models     BIGINT      NOT NULL,
    PRIMARY KEY (project_id, state, model_type, shard)
) WITH (fillfactor = 50); -- room for updates in place

CREATE TABLE project_version_count (
    project_id UUID        NOT NULL,
    state      VARCHAR(50) NOT NULL,
    status     VARCHAR(50) NOT NULL,
    shard      SMALLINT    NOT NULL,
    versions   BIGINT      NOT NULL,
    PRIMARY KEY (project_id, state, status, shard)
) WITH (fillfactor = 50);

-- It has project_id, because when a model is deleted its row is gone before the counts of its versions change.
CREATE TABLE model_version_count (
    registered_model_id UUID        NOT NULL,
    state               VARCHAR(50) NOT NULL,
    status              VARCHAR(50) NOT NULL,
    shard               SMALLINT    NOT NULL,
    project_id          UUID        NOT NULL,
    versions            BIGINT      NOT NULL,
    PRIMARY KEY (registered_model_id, state, status, shard)
) WITH (fillfactor = 50);

CREATE FUNCTION counter_shard() RETURNS SMALLINT
    LANGUAGE sql STABLE AS 'SELECT (pg_backend_pid() % 8)::SMALLINT';

-- registered_model ---------------------------------------------------------------------------------------------------------

CREATE FUNCTION count_inserted_models() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT AS $$
BEGIN
    INSERT INTO registered_model_count AS c (project_id, state, model_type, shard, models)
    SELECT project_id, state, model_type, counter_shard(), count(*)
    FROM inserted GROUP BY 1, 2, 3 ORDER BY 1, 2, 3
    ON CONFLICT (project_id, state, model_type, shard) DO UPDATE SET models = c.models + excluded.models;
    RETURN NULL;
END $$;

CREATE FUNCTION count_updated_models() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT AS $$
BEGIN
    -- Most updates change nothing that is counted.
    IF NOT EXISTS (
        SELECT project_id, state, model_type FROM after EXCEPT ALL SELECT project_id, state, model_type FROM before
    ) THEN
        RETURN NULL;
    END IF;

    INSERT INTO registered_model_count AS c (project_id, state, model_type, shard, models)
    SELECT project_id, state, model_type, counter_shard(), sum(change)
    FROM (
        SELECT project_id, state, model_type, -1 AS change FROM before
        UNION ALL
        SELECT project_id, state, model_type, 1 FROM after
    ) AS changes
    GROUP BY 1, 2, 3 HAVING sum(change) <> 0 ORDER BY 1, 2, 3
    ON CONFLICT (project_id, state, model_type, shard) DO UPDATE SET models = c.models + excluded.models;
    RETURN NULL;
END $$;

CREATE FUNCTION count_deleted_models() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT AS $$
BEGIN
    INSERT INTO registered_model_count AS c (project_id, state, model_type, shard, models)
    SELECT project_id, state, model_type, counter_shard(), -count(*)
    FROM deleted GROUP BY 1, 2, 3 ORDER BY 1, 2, 3
    ON CONFLICT (project_id, state, model_type, shard) DO UPDATE SET models = c.models + excluded.models;
    -- The trigger on versions counts those that are deleted with their model. It may run later, and needs the rows.
    DELETE FROM model_version_count
    WHERE registered_model_id IN (
        SELECT c.registered_model_id
        FROM model_version_count AS c JOIN deleted ON deleted.id = c.registered_model_id
        GROUP BY c.registered_model_id HAVING sum(c.versions) = 0
    );
    RETURN NULL;
END $$;

CREATE FUNCTION count_no_models() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT AS $$
BEGIN
    TRUNCATE registered_model_count, model_version_count;
    RETURN NULL;
END $$;

-- model_version ------------------------------------------------------------------------------------------------------------

CREATE FUNCTION count_inserted_versions() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT AS $$
BEGIN
    INSERT INTO project_version_count AS c (project_id, state, status, shard, versions)
    SELECT project_id, state, status, counter_shard(), count(*)
    FROM inserted GROUP BY 1, 2, 3 ORDER BY 1, 2, 3
    ON CONFLICT (project_id, state, status, shard) DO UPDATE SET versions = c.versions + excluded.versions;

    INSERT INTO model_version_count AS c (registered_model_id, state, status, shard, project_id, versions)
    SELECT registered_model_id, state, status, counter_shard(), project_id, count(*)
    FROM inserted GROUP BY 1, 2, 3, 5 ORDER BY 1, 2, 3
    ON CONFLICT (registered_model_id, state, status, shard) DO UPDATE SET versions = c.versions + excluded.versions;
    RETURN NULL;
END $$;

CREATE FUNCTION count_updated_versions() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT AS $$
BEGIN
    -- Most updates change nothing that is counted.
    IF NOT EXISTS (
        SELECT registered_model_id, state, status FROM after EXCEPT ALL SELECT registered_model_id, state, status FROM before
    ) THEN
        RETURN NULL;
    END IF;

    INSERT INTO project_version_count AS c (project_id, state, status, shard, versions)
    SELECT project_id, state, status, counter_shard(), sum(change)
    FROM (
        SELECT project_id, state, status, -1 AS change FROM before
        UNION ALL
        SELECT project_id, state, status, 1 FROM after
    ) AS changes
    GROUP BY 1, 2, 3 HAVING sum(change) <> 0 ORDER BY 1, 2, 3
    ON CONFLICT (project_id, state, status, shard) DO UPDATE SET versions = c.versions + excluded.versions;

    INSERT INTO model_version_count AS c (registered_model_id, state, status, shard, project_id, versions)
    SELECT registered_model_id, state, status, counter_shard(), project_id, sum(change)
    FROM (
        SELECT registered_model_id, state, status, project_id, -1 AS change FROM before
        UNION ALL
        SELECT registered_model_id, state, status, project_id, 1 FROM after
    ) AS changes
    GROUP BY 1, 2, 3, 5 HAVING sum(change) <> 0 ORDER BY 1, 2, 3
    ON CONFLICT (registered_model_id, state, status, shard) DO UPDATE SET versions = c.versions + excluded.versions;
    RETURN NULL;
END $$;

-- The plans of these statements are kept for the session. A plan made for the deletion of many versions could join with all
-- models, and every later deletion would do the same. Subqueries make it find models by their key.
CREATE FUNCTION count_deleted_versions() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT AS $$
BEGIN
    INSERT INTO project_version_count AS c (project_id, state, status, shard, versions)
    SELECT project_id, state, status, counter_shard(), -count(*)
    FROM deleted GROUP BY 1, 2, 3 ORDER BY 1, 2, 3
    ON CONFLICT (project_id, state, status, shard) DO UPDATE SET versions = c.versions + excluded.versions;

    -- Counters of deleted models are not changed but deleted.
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

CREATE FUNCTION count_no_versions() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT AS $$
BEGIN
    TRUNCATE project_version_count, model_version_count;
    RETURN NULL;
END $$;
