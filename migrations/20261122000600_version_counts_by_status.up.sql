-- The versions of a model are counted by state and status too, so that a filtered list of them has its total without counting.
-- What 20261122000100_counters says of counters holds here; versions know their project now, which spares the triggers a join.

LOCK TABLE registered_model, model_version IN SHARE ROW EXCLUSIVE MODE;
SELECT set_config('search_path', current_setting('search_path') || ', pg_temp', true);

DROP TABLE model_version_count;

CREATE TABLE model_version_count (
    registered_model_id UUID        NOT NULL,
    state               VARCHAR(50) NOT NULL,
    status              VARCHAR(50) NOT NULL,
    shard               SMALLINT    NOT NULL,
    project_id          UUID        NOT NULL,
    versions            BIGINT      NOT NULL,
    PRIMARY KEY (registered_model_id, state, status, shard)
) WITH (fillfactor = 50);

CREATE OR REPLACE FUNCTION count_inserted_versions() RETURNS trigger
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

CREATE OR REPLACE FUNCTION count_updated_versions() RETURNS trigger
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

INSERT INTO model_version_count (registered_model_id, state, status, shard, project_id, versions)
SELECT registered_model_id, state, status, 0, project_id, count(*)
FROM model_version GROUP BY 1, 2, 3, 5;
