-- Versions know their project, so that a project's versions are listed and found by an index. The registry writes the project
-- itself; for other writers, the Go service included, a trigger does. The next migration fills in the rows that are there.
--
-- Secrets are stored as `enc:v2:<key id>:<base64>`, which is longer than the text it protects. access_key and secret_key keep
-- their type, because a change would break the Go service's prepared statements; what exceeds their 500 characters stands in
-- access_key_rest and secret_key_rest.

-- The function keeps the search path of this migration (SET search_path FROM CURRENT). pg_temp is named to come last: unnamed
-- it comes first, and a temporary table could stand in for a real one.
SELECT set_config('search_path', current_setting('search_path') || ', pg_temp', true);

CREATE FUNCTION set_version_project() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT AS $$
BEGIN
    -- Locked as the foreign key will lock it, but before its project is read: a model that is deleted meanwhile and made anew
    -- in another project would leave the version in the old one.
    SELECT project_id INTO new.project_id FROM registered_model WHERE id = new.registered_model_id FOR KEY SHARE;
    IF NOT FOUND THEN
        -- What the foreign key would say, had the row got there.
        RAISE EXCEPTION 'registered model % does not exist', new.registered_model_id USING
            ERRCODE = 'foreign_key_violation', TABLE = 'model_version', CONSTRAINT = 'fk_model_version_registered_model';
    END IF;
    RETURN new;
END $$;

ALTER TABLE model_version
    ADD COLUMN project_id UUID,
    ADD COLUMN access_key_rest TEXT NOT NULL DEFAULT '',
    ADD COLUMN secret_key_rest TEXT NOT NULL DEFAULT '';

CREATE TRIGGER set_project_on_insert BEFORE INSERT ON model_version
    FOR EACH ROW WHEN (new.project_id IS NULL) EXECUTE FUNCTION set_version_project();
CREATE TRIGGER set_project_on_move BEFORE UPDATE OF registered_model_id ON model_version
    FOR EACH ROW WHEN (old.registered_model_id <> new.registered_model_id) EXECUTE FUNCTION set_version_project();
