ALTER TABLE deployment DROP COLUMN tried_at;
