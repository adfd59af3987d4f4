-- When a deployment was last tried that waits for its turn: its failure ends when others end it. NULL: it does not wait.
ALTER TABLE deployment ADD COLUMN tried_at TIMESTAMPTZ;
