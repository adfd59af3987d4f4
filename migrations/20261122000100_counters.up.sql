-- Exact counters, kept by triggers so that they hold for every writer, the Go service included.
--
-- * A count is the sum over the shards of its key. A writer changes the row of its own shard only, so that writers seldom wait
--   for one another; a single shard may be negative.
-- * The triggers fire once per statement: a bulk load costs one change per counter, not one per row.
-- * Counter rows are always locked in the same order, tables (registered_model_count, project_version_count,
--   model_version_count) as well as keys, so that concurrent statements cannot deadlock on them.
-- * The functions run with their owner's rights: another writer needs no grants on the counters.

-- Writers wait from here to the end of the transaction, so the first fill misses nothing. Readers do not.
LOCK TABLE registered_model, model_version IN SHARE ROW EXCLUSIVE MODE;

-- The functions keep the search path of this migration (SET search_path FROM CURRENT). pg_temp is named to come last: unnamed
-- it comes first, and a temporary table could stand in for a counter.
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

-- project_id: when a model is deleted its row is gone before its versions are counted out.
CREATE TABLE model_version_count (
    registered_model_id UUID     NOT NULL,
    shard               SMALLINT NOT NULL,
    project_id          UUID     NOT NULL,
    versions            BIGINT   NOT NULL,
    PRIMARY KEY (registered_model_id, shard)
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
    -- Versions that go with their model are counted out by their own trigger, which may be still to come and needs the rows.
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

CREATE FUNCTION refuse_project_change() RETURNS trigger
    LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'a registered model cannot move to another project'
        USING ERRCODE = 'restrict_violation', HINT = 'Its versions and services are counted and found by project.';
END $$;

CREATE TRIGGER count_insert AFTER INSERT ON registered_model
    REFERENCING NEW TABLE AS inserted FOR EACH STATEMENT EXECUTE FUNCTION count_inserted_models();
CREATE TRIGGER count_update AFTER UPDATE ON registered_model
    REFERENCING OLD TABLE AS before NEW TABLE AS after FOR EACH STATEMENT EXECUTE FUNCTION count_updated_models();
CREATE TRIGGER count_delete AFTER DELETE ON registered_model
    REFERENCING OLD TABLE AS deleted FOR EACH STATEMENT EXECUTE FUNCTION count_deleted_models();
CREATE TRIGGER count_truncate AFTER TRUNCATE ON registered_model
    FOR EACH STATEMENT EXECUTE FUNCTION count_no_models();
CREATE TRIGGER refuse_project_change BEFORE UPDATE OF project_id ON registered_model
    FOR EACH ROW WHEN (old.project_id <> new.project_id) EXECUTE FUNCTION refuse_project_change();

-- model_version ------------------------------------------------------------------------------------------------------------

CREATE FUNCTION count_inserted_versions() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT AS $$
BEGIN
    INSERT INTO project_version_count AS c (project_id, state, status, shard, versions)
    SELECT m.project_id, v.state, v.status, counter_shard(), count(*)
    FROM inserted AS v JOIN registered_model AS m ON m.id = v.registered_model_id
    GROUP BY 1, 2, 3 ORDER BY 1, 2, 3
    ON CONFLICT (project_id, state, status, shard) DO UPDATE SET versions = c.versions + excluded.versions;

    INSERT INTO model_version_count AS c (registered_model_id, shard, project_id, versions)
    SELECT m.id, counter_shard(), m.project_id, count(*)
    FROM inserted AS v JOIN registered_model AS m ON m.id = v.registered_model_id
    GROUP BY m.id ORDER BY m.id
    ON CONFLICT (registered_model_id, shard) DO UPDATE SET versions = c.versions + excluded.versions;
    RETURN NULL;
END $$;

CREATE FUNCTION count_updated_versions() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT AS $$
BEGIN
    IF NOT EXISTS (
        SELECT registered_model_id, state, status FROM after EXCEPT ALL SELECT registered_model_id, state, status FROM before
    ) THEN
        RETURN NULL;
    END IF;

    INSERT INTO project_version_count AS c (project_id, state, status, shard, versions)
    SELECT m.project_id, v.state, v.status, counter_shard(), sum(v.change)
    FROM (
        SELECT registered_model_id, state, status, -1 AS change FROM before
        UNION ALL
        SELECT registered_model_id, state, status, 1 FROM after
    ) AS v JOIN registered_model AS m ON m.id = v.registered_model_id
    GROUP BY 1, 2, 3 HAVING sum(v.change) <> 0 ORDER BY 1, 2, 3
    ON CONFLICT (project_id, state, status, shard) DO UPDATE SET versions = c.versions + excluded.versions;

    INSERT INTO model_version_count AS c (registered_model_id, shard, project_id, versions)
    SELECT m.id, counter_shard(), m.project_id, sum(v.change)
    FROM (
        SELECT registered_model_id, -1 AS change FROM before
        UNION ALL
        SELECT registered_model_id, 1 FROM after
    ) AS v JOIN registered_model AS m ON m.id = v.registered_model_id
    GROUP BY m.id HAVING sum(v.change) <> 0 ORDER BY m.id
    ON CONFLICT (registered_model_id, shard) DO UPDATE SET versions = c.versions + excluded.versions;
    RETURN NULL;
END $$;

CREATE FUNCTION count_deleted_versions() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT AS $$
BEGIN
    INSERT INTO project_version_count AS c (project_id, state, status, shard, versions)
    SELECT p.project_id, v.state, v.status, counter_shard(), -sum(v.versions)
    FROM (
        SELECT registered_model_id, state, status, count(*) AS versions FROM deleted GROUP BY 1, 2, 3
    ) AS v CROSS JOIN LATERAL (
        SELECT project_id FROM model_version_count WHERE registered_model_id = v.registered_model_id LIMIT 1
    ) AS p
    GROUP BY 1, 2, 3 ORDER BY 1, 2, 3
    ON CONFLICT (project_id, state, status, shard) DO UPDATE SET versions = c.versions + excluded.versions;

    INSERT INTO model_version_count AS c (registered_model_id, shard, project_id, versions)
    SELECT m.id, counter_shard(), m.project_id, -count(*)
    FROM deleted AS v JOIN registered_model AS m ON m.id = v.registered_model_id
    GROUP BY m.id ORDER BY m.id
    ON CONFLICT (registered_model_id, shard) DO UPDATE SET versions = c.versions + excluded.versions;

    DELETE FROM model_version_count AS c
    WHERE c.registered_model_id IN (SELECT registered_model_id FROM deleted)
        AND NOT EXISTS (SELECT FROM registered_model AS m WHERE m.id = c.registered_model_id);
    RETURN NULL;
END $$;

CREATE FUNCTION count_no_versions() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT AS $$
BEGIN
    TRUNCATE project_version_count, model_version_count;
    RETURN NULL;
END $$;

CREATE TRIGGER count_insert AFTER INSERT ON model_version
    REFERENCING NEW TABLE AS inserted FOR EACH STATEMENT EXECUTE FUNCTION count_inserted_versions();
CREATE TRIGGER count_update AFTER UPDATE ON model_version
    REFERENCING OLD TABLE AS before NEW TABLE AS after FOR EACH STATEMENT EXECUTE FUNCTION count_updated_versions();
CREATE TRIGGER count_delete AFTER DELETE ON model_version
    REFERENCING OLD TABLE AS deleted FOR EACH STATEMENT EXECUTE FUNCTION count_deleted_versions();
CREATE TRIGGER count_truncate AFTER TRUNCATE ON model_version
    FOR EACH STATEMENT EXECUTE FUNCTION count_no_versions();

-- What is there already ----------------------------------------------------------------------------------------------------

INSERT INTO registered_model_count (project_id, state, model_type, shard, models)
SELECT project_id, state, model_type, 0, count(*) FROM registered_model GROUP BY 1, 2, 3;

INSERT INTO project_version_count (project_id, state, status, shard, versions)
SELECT m.project_id, v.state, v.status, 0, count(*)
FROM model_version AS v JOIN registered_model AS m ON m.id = v.registered_model_id
GROUP BY 1, 2, 3;

INSERT INTO model_version_count (registered_model_id, shard, project_id, versions)
SELECT m.id, 0, m.project_id, count(*)
FROM model_version AS v JOIN registered_model AS m ON m.id = v.registered_model_id
GROUP BY m.id;
