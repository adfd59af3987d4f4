-- Versions know their project, so that a project's versions are listed and found by an index. The registry writes the project
-- itself; for other writers, the Go service included, a trigger does.

ALTER TABLE model_version ADD COLUMN project_id UUID;

-- Nothing that is counted changes, and the rows are many.
ALTER TABLE model_version DISABLE TRIGGER count_update;
UPDATE model_version AS v SET project_id = m.project_id FROM registered_model AS m WHERE m.id = v.registered_model_id;
ALTER TABLE model_version ENABLE TRIGGER count_update;

ALTER TABLE model_version ALTER COLUMN project_id SET NOT NULL;

-- The function keeps the search path of this migration.
SELECT set_config('search_path', current_setting('search_path') || ', pg_temp', true);

CREATE FUNCTION set_version_project() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT AS $$
BEGIN
    SELECT project_id INTO new.project_id FROM registered_model WHERE id = new.registered_model_id;
    IF NOT FOUND THEN
        -- What the foreign key would say, had the row got there.
        RAISE EXCEPTION 'registered model % does not exist', new.registered_model_id USING
            ERRCODE = 'foreign_key_violation', TABLE = 'model_version', CONSTRAINT = 'fk_model_version_registered_model';
    END IF;
    RETURN new;
END $$;

CREATE TRIGGER set_project_on_insert BEFORE INSERT ON model_version
    FOR EACH ROW WHEN (new.project_id IS NULL) EXECUTE FUNCTION set_version_project();
CREATE TRIGGER set_project_on_move BEFORE UPDATE OF registered_model_id ON model_version
    FOR EACH ROW WHEN (old.registered_model_id <> new.registered_model_id) EXECUTE FUNCTION set_version_project();
