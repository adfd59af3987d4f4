-- Fails, and changes nothing, if a name or uri is longer than the contract allows.
ALTER TABLE model_version ALTER COLUMN name TYPE VARCHAR(100), ALTER COLUMN uri TYPE VARCHAR(500);
ALTER TABLE registered_model ALTER COLUMN name TYPE VARCHAR(100);
