-- Secrets are stored as `enc:v1:<key id>:<base64>`, which is longer than the text it protects. The type changes without a
-- rewrite of the table, and a writer that knows only the old length keeps working.
ALTER TABLE model_version
    ALTER COLUMN access_key TYPE TEXT,
    ALTER COLUMN secret_key TYPE TEXT;
