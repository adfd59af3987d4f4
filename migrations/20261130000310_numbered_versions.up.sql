-- migrate:no-transaction
-- Numbers existing versions, the oldest first. Every statement can be repeated after an interruption.

CREATE UNIQUE INDEX CONCURRENTLY IF NOT EXISTS uq_model_version_number ON model_version (registered_model_id, number);

-- Runs in batches of a few milliseconds with a pause after each. A model with a version that somebody else has locked is left
-- for the next round, so that there are no waits and no deadlocks.
DO $$
DECLARE
    step   CONSTANT INT := 500;
    model  UUID;
    oldest TIMESTAMPTZ;
    given  BIGINT;
    batch  UUID[];
    locked BIGINT;
    total  CONSTANT BIGINT := (SELECT count(*) FROM model_version WHERE number IS NULL);
    done   BIGINT := 0;
BEGIN
    WHILE EXISTS (SELECT FROM model_version WHERE number IS NULL) LOOP
        FOR model IN SELECT DISTINCT registered_model_id FROM model_version WHERE number IS NULL LOOP
            -- No trigger has given a number yet if there is no row. The model may have been deleted meanwhile.
            INSERT INTO version_number (registered_model_id, "first", "last")
            SELECT m.id, v.versions + 1, v.versions
            FROM registered_model AS m CROSS JOIN LATERAL (
                SELECT count(*) AS versions FROM model_version WHERE registered_model_id = m.id
            ) AS v
            WHERE m.id = model
            FOR KEY SHARE OF m
            ON CONFLICT (registered_model_id) DO NOTHING;
            COMMIT;

            oldest := '-infinity';
            LOOP
                SELECT coalesce(max(v.number), 0) INTO given
                FROM model_version AS v JOIN version_number AS n ON n.registered_model_id = v.registered_model_id
                WHERE v.registered_model_id = model AND v.number < n."first";
                SELECT array_agg(id ORDER BY created_at, sequence NULLS FIRST, id), max(created_at) INTO batch, oldest
                FROM (
                    SELECT id, created_at, sequence FROM model_version
                    WHERE registered_model_id = model AND number IS NULL AND created_at >= oldest
                    ORDER BY created_at, sequence NULLS FIRST, id LIMIT step
                ) AS next;
                EXIT WHEN batch IS NULL;
                SELECT count(*) INTO locked FROM (
                    SELECT FROM model_version WHERE id = ANY (batch) AND registered_model_id = model AND number IS NULL
                    FOR NO KEY UPDATE SKIP LOCKED
                ) AS free;
                EXIT WHEN locked < cardinality(batch);
                UPDATE model_version AS v SET number = given + next.place
                FROM unnest(batch) WITH ORDINALITY AS next (id, place) WHERE v.id = next.id;
                COMMIT;
                done := done + cardinality(batch);
                RAISE NOTICE 'versions % of %', done, greatest(done, total);  -- `migrate up` tells it
                PERFORM pg_sleep(0.01);
            END LOOP;
            COMMIT;
        END LOOP;
        COMMIT;
        PERFORM pg_sleep(0.2);
    END LOOP;
END $$;

-- Sets NOT NULL without scanning the table under a lock, because the constraint proves it.
ALTER TABLE model_version DROP CONSTRAINT IF EXISTS model_version_has_number;
ALTER TABLE model_version ADD CONSTRAINT model_version_has_number CHECK (number IS NOT NULL) NOT VALID;
ALTER TABLE model_version VALIDATE CONSTRAINT model_version_has_number;
-- This statement can be repeated.
-- squawk-ignore prefer-robust-stmts
ALTER TABLE model_version ALTER COLUMN number SET NOT NULL;
ALTER TABLE model_version DROP CONSTRAINT IF EXISTS model_version_has_number;
