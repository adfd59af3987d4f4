ALTER TABLE model_version DROP COLUMN sequence; -- its sequence goes with it
