-- Deleted versions, which can be restored for a while. The row is kept whole, with its encrypted keys.

-- 20261127000100_version_columns.up.sql tells why.
SELECT set_config('search_path', current_setting('search_path') || ', pg_temp', true);

CREATE TABLE deleted_model_version (
    id                  UUID PRIMARY KEY,
    registered_model_id UUID        NOT NULL REFERENCES registered_model (id) ON DELETE CASCADE,
    deleted_at          TIMESTAMPTZ NOT NULL DEFAULT now(),
    deleted_by          TEXT        NOT NULL DEFAULT '',
    version             JSONB       NOT NULL
);
CREATE INDEX idx_deleted_model_version_list ON deleted_model_version (registered_model_id, deleted_at DESC, id DESC);
CREATE INDEX idx_deleted_model_version_age ON deleted_model_version (deleted_at);
-- An import gives no number that a deleted version has.
CREATE INDEX idx_deleted_model_version_number
    ON deleted_model_version (registered_model_id, ((version ->> 'number')::bigint));

-- Only inserts the columns that the row had, so that columns that were added since then have their defaults. The event log
-- tells by the setting that the row is not a new one.
CREATE FUNCTION restore_row(of_table REGCLASS, stored JSONB) RETURNS void
    LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
DECLARE
    names TEXT;
BEGIN
    SELECT string_agg(quote_ident(attname), ', ') INTO names FROM pg_attribute
    WHERE attrelid = of_table AND attnum > 0 AND NOT attisdropped AND attgenerated = '' AND stored ? attname;
    -- Only superusers may make a function with a setting that PostgreSQL does not know.
    PERFORM set_config('registry.restoring', 'on', true);
    EXECUTE format('INSERT INTO %2$s (%1$s) SELECT %1$s FROM jsonb_populate_record(NULL::%2$s, $1)', names, of_table)
    USING stored;
    PERFORM set_config('registry.restoring', '', true);
END $$;
