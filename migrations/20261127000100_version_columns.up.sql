-- Adds the project to versions, so that a project's versions are listed and found by an index. The registry writes the project
-- itself; for other writers, such as the Go service, a trigger does. The next migration fills it in for existing rows.
--
-- Secrets are stored as `enc:v2:<key id>:<base64>`, which is longer than the secret. access_key and secret_key keep their
-- type, because a change would break the Go service's prepared statements. access_key_rest and secret_key_rest store what
-- exceeds their 500 characters. keys_uri stores the uri for which the keys were given, because they must not be sent elsewhere
-- when anybody changes the uri. It is set with the first key, whoever writes it; the next migration sets it for existing rows.

-- The function keeps the search path of this migration (SET search_path FROM CURRENT). pg_temp is put at its end, because
-- otherwise it comes first, and a temporary table could hide a real one.
SELECT set_config('search_path', current_setting('search_path') || ', pg_temp', true);

CREATE FUNCTION set_version_project() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT AS $$
BEGIN
    -- Takes the lock of the foreign key before the project is read. Otherwise, if the model is deleted and created again in
    -- another project meanwhile, the version would stay in the old one.
    SELECT project_id INTO new.project_id FROM registered_model WHERE id = new.registered_model_id FOR KEY SHARE;
    IF NOT FOUND THEN
        -- The same error as that of the foreign key.
        RAISE EXCEPTION 'registered model % does not exist', new.registered_model_id USING
            ERRCODE = 'foreign_key_violation', TABLE = 'model_version', CONSTRAINT = 'fk_model_version_registered_model';
    END IF;
    RETURN new;
END $$;

ALTER TABLE model_version
    ADD COLUMN project_id UUID,
    ADD COLUMN access_key_rest TEXT NOT NULL DEFAULT '',
    ADD COLUMN secret_key_rest TEXT NOT NULL DEFAULT '',
    ADD COLUMN keys_uri TEXT NOT NULL DEFAULT '';

CREATE FUNCTION set_keys_uri() RETURNS trigger
    LANGUAGE plpgsql AS $$
BEGIN
    new.keys_uri := new.uri;
    RETURN new;
END $$;

CREATE TRIGGER set_project_on_insert BEFORE INSERT ON model_version
    FOR EACH ROW WHEN (new.project_id IS NULL) EXECUTE FUNCTION set_version_project();
CREATE TRIGGER set_project_on_move BEFORE UPDATE OF registered_model_id ON model_version
    FOR EACH ROW WHEN (old.registered_model_id <> new.registered_model_id) EXECUTE FUNCTION set_version_project();
CREATE TRIGGER set_keys_uri BEFORE INSERT OR UPDATE OF access_key, secret_key ON model_version
    FOR EACH ROW WHEN (new.keys_uri = '' AND (new.access_key <> '' OR new.secret_key <> '')) EXECUTE FUNCTION set_keys_uri();
