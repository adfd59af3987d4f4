-- migrate:no-transaction
-- Fill in the project of the versions that were there before. Every statement can be repeated after an interruption.

CREATE OR REPLACE FUNCTION refuse_project_change() RETURNS trigger
    LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'a registered model cannot move to another project'
        USING ERRCODE = 'restrict_violation', HINT = 'Its versions and services are counted and found by project.';
END $$;

CREATE OR REPLACE TRIGGER refuse_project_change BEFORE UPDATE OF project_id ON registered_model
    FOR EACH ROW WHEN (old.project_id <> new.project_id) EXECUTE FUNCTION refuse_project_change();

-- In batches of a few milliseconds each, with a pause after each, so that neither rows nor disks are taken from the writers at
-- work. A row that somebody else has locked is left to the next round: nobody waits for anybody, so there is no deadlock.
DO $$
DECLARE
    none CONSTANT UUID := '00000000-0000-0000-0000-000000000000';
    last UUID := none;
    filled INT := 0;
    remain BOOLEAN;
BEGIN
    LOOP
        WITH batch AS (
            SELECT id, registered_model_id FROM model_version
            WHERE id > last AND project_id IS NULL ORDER BY id LIMIT 500 FOR NO KEY UPDATE SKIP LOCKED
        ), done AS (
            UPDATE model_version AS v SET project_id = m.project_id
            FROM batch JOIN registered_model AS m ON m.id = batch.registered_model_id
            WHERE v.id = batch.id RETURNING v.id
        )
        SELECT count(*), coalesce((array_agg(id ORDER BY id DESC))[1], none) INTO filled, last FROM done;
        COMMIT;
        IF filled > 0 THEN
            PERFORM pg_sleep(0.01);
        ELSE -- the end of a round, which starts again if rows were locked
            SELECT EXISTS (SELECT FROM model_version WHERE project_id IS NULL) INTO remain;
            EXIT WHEN NOT remain;
            COMMIT;
            PERFORM pg_sleep(0.1);
        END IF;
    END LOOP;
END $$;

-- NOT NULL without a scan of the table under a lock: the constraint proves it.
ALTER TABLE model_version DROP CONSTRAINT IF EXISTS model_version_has_project;
ALTER TABLE model_version ADD CONSTRAINT model_version_has_project CHECK (project_id IS NOT NULL) NOT VALID;
ALTER TABLE model_version VALIDATE CONSTRAINT model_version_has_project;
ALTER TABLE model_version ALTER COLUMN project_id SET NOT NULL;
ALTER TABLE model_version DROP CONSTRAINT model_version_has_project;
