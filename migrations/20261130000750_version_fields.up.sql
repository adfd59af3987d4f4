-- migrate:no-transaction
-- What gRPC clients can say of a version besides: a readme, its signature and schema as free metadata, and the digest and size of
-- its model artifact.
ALTER TABLE model_version ADD COLUMN IF NOT EXISTS readme TEXT NOT NULL DEFAULT '';
ALTER TABLE model_version ADD COLUMN IF NOT EXISTS metadata JSONB NOT NULL DEFAULT '{}';
ALTER TABLE model_version ADD COLUMN IF NOT EXISTS digest TEXT NOT NULL DEFAULT '';
ALTER TABLE model_version ADD COLUMN IF NOT EXISTS size_bytes BIGINT NOT NULL DEFAULT 0;

-- Digest and size are those of the files at the uri, so another uri clears them, whoever writes it.
CREATE OR REPLACE FUNCTION forget_digest() RETURNS trigger
    LANGUAGE plpgsql AS $$
BEGIN
    new.digest := '';
    new.size_bytes := 0;
    RETURN new;
END $$;
CREATE OR REPLACE TRIGGER forget_digest BEFORE UPDATE OF uri ON model_version
    FOR EACH ROW WHEN (old.uri <> new.uri AND old.digest = new.digest AND old.size_bytes = new.size_bytes)
    EXECUTE FUNCTION forget_digest();
