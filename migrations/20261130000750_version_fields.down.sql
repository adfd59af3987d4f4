DROP TRIGGER forget_digest ON model_version;
DROP FUNCTION forget_digest();
ALTER TABLE model_version
    DROP COLUMN size_bytes,
    DROP COLUMN digest,
    DROP COLUMN metadata,
    DROP COLUMN readme;
