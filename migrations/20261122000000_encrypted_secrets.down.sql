-- Fails where a stored text is longer than the old column: nothing is cut off.
ALTER TABLE model_version
    ALTER COLUMN access_key TYPE VARCHAR(500),
    ALTER COLUMN secret_key TYPE VARCHAR(500);
