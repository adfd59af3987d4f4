LOCK TABLE registered_model, model_version IN SHARE ROW EXCLUSIVE MODE;
SELECT set_config('search_path', current_setting('search_path') || ', pg_temp', true);

DROP TABLE model_version_count;

-- project_id: when a model is deleted its row is gone before its versions are counted out.
CREATE TABLE model_version_count (
    registered_model_id UUID     NOT NULL,
    shard               SMALLINT NOT NULL,
    project_id          UUID     NOT NULL,
    versions            BIGINT   NOT NULL,
    PRIMARY KEY (registered_model_id, shard)
) WITH (fillfactor = 50);

CREATE OR REPLACE FUNCTION count_inserted_versions() RETURNS trigger
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

CREATE OR REPLACE FUNCTION count_updated_versions() RETURNS trigger
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

CREATE OR REPLACE FUNCTION count_deleted_versions() RETURNS trigger
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

INSERT INTO model_version_count (registered_model_id, shard, project_id, versions)
SELECT m.id, 0, m.project_id, count(*)
FROM model_version AS v JOIN registered_model AS m ON m.id = v.registered_model_id
GROUP BY m.id;
