-- Numbers the versions of each model from 1 on, in the order in which they are stored. A trigger does it, so that the versions of
-- other writers, such as the Go service, have numbers too. The next migration numbers existing versions.
--
-- A number is not given again after its version was deleted, so the last one is stored. The row of a model is locked until the
-- end of the transaction, so that versions of one model are created one after the other.

-- 20261127000100_version_columns.up.sql tells why.
SELECT set_config('search_path', current_setting('search_path') || ', pg_temp', true);

CREATE TABLE version_number (
    registered_model_id UUID PRIMARY KEY REFERENCES registered_model (id) ON DELETE CASCADE,
    "first"             BIGINT NOT NULL, -- the numbers before it are for versions that existed before the trigger
    "last"              BIGINT NOT NULL
) WITH (fillfactor = 50); -- room for updates in place

CREATE FUNCTION set_version_number() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT AS $$
BEGIN
    -- Takes the lock of the foreign key first. Otherwise, a transaction that deletes the model would wait for the row with the
    -- number, and this one for the model.
    PERFORM FROM registered_model WHERE id = new.registered_model_id FOR KEY SHARE;
    IF NOT FOUND THEN
        -- The same error as that of the foreign key.
        RAISE EXCEPTION 'registered model % does not exist', new.registered_model_id USING
            ERRCODE = 'foreign_key_violation', TABLE = 'model_version', CONSTRAINT = 'fk_model_version_registered_model';
    END IF;
    UPDATE version_number SET "last" = "last" + 1 WHERE registered_model_id = new.registered_model_id
    RETURNING "last" INTO new.number;
    IF NOT FOUND THEN
        INSERT INTO version_number AS n (registered_model_id, "first", "last")
        SELECT new.registered_model_id, count(*) + 1, count(*) + 1
        FROM model_version WHERE registered_model_id = new.registered_model_id
        ON CONFLICT (registered_model_id) DO UPDATE SET "last" = n."last" + 1
        RETURNING "last" INTO new.number;
    END IF;
    RETURN new;
END $$;

ALTER TABLE model_version ADD COLUMN number BIGINT;

CREATE TRIGGER set_number_on_insert BEFORE INSERT ON model_version
    FOR EACH ROW WHEN (new.number IS NULL) EXECUTE FUNCTION set_version_number();
CREATE TRIGGER set_number_on_move BEFORE UPDATE OF registered_model_id ON model_version
    FOR EACH ROW WHEN (old.registered_model_id <> new.registered_model_id) EXECUTE FUNCTION set_version_number();
