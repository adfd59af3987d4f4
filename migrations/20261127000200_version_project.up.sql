-- migrate:no-transaction
-- Fills in the project of existing versions, and the uri of their keys. Every statement can be repeated after an interruption.

CREATE OR REPLACE FUNCTION refuse_project_change() RETURNS trigger
    LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'a registered model cannot move to another project'
        USING ERRCODE = 'restrict_violation', HINT = 'Its versions and services are counted and found by project.';
END $$;

CREATE OR REPLACE TRIGGER refuse_project_change BEFORE UPDATE OF project_id ON registered_model
    FOR EACH ROW WHEN (old.project_id <> new.project_id) EXECUTE FUNCTION refuse_project_change();

-- Runs in batches of a few milliseconds, in the order of the table's blocks, with a pause after each, so that other writers
-- are hardly slowed down. A row that is locked is left for the next round, so that there are no waits and no deadlocks.
DO $$
DECLARE
    step CONSTANT BIGINT := 16; -- blocks, some 500 rows
    blocks BIGINT;
BEGIN
    WHILE EXISTS (SELECT FROM model_version WHERE project_id IS NULL) LOOP
        blocks := pg_relation_size('model_version') / current_setting('block_size')::int;
        FOR block IN 0 .. blocks BY step LOOP
            UPDATE model_version AS v SET project_id = m.project_id,
                keys_uri = CASE WHEN v.access_key <> '' OR v.secret_key <> '' THEN v.uri ELSE '' END
            FROM (
                SELECT id, registered_model_id FROM model_version
                WHERE ctid >= format('(%s,0)', block)::tid AND ctid < format('(%s,0)', block + step)::tid
                    AND project_id IS NULL
                FOR NO KEY UPDATE SKIP LOCKED
            ) AS batch JOIN registered_model AS m ON m.id = batch.registered_model_id
            WHERE v.id = batch.id;
            IF FOUND THEN
                COMMIT;
                RAISE NOTICE 'blocks % of %', block, blocks;  -- `migrate up` tells it
                PERFORM pg_sleep(0.01);
            END IF;
        END LOOP;
        COMMIT;
        PERFORM pg_sleep(0.2);
    END LOOP;
END $$;

-- Sets NOT NULL without scanning the table under a lock, because the constraint proves it.
ALTER TABLE model_version DROP CONSTRAINT IF EXISTS model_version_has_project;
ALTER TABLE model_version ADD CONSTRAINT model_version_has_project CHECK (project_id IS NOT NULL) NOT VALID;
ALTER TABLE model_version VALIDATE CONSTRAINT model_version_has_project;
-- This statement can be repeated.
-- squawk-ignore prefer-robust-stmts
ALTER TABLE model_version ALTER COLUMN project_id SET NOT NULL;
ALTER TABLE model_version DROP CONSTRAINT IF EXISTS model_version_has_project;
