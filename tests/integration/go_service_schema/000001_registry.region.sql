-- What an early text of migration 1, and the container compose file's script, had in addition.
ALTER TABLE registered_model
    ADD COLUMN region_id UUID NOT NULL,
    ADD COLUMN region_name VARCHAR(100);
