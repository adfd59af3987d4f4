-- No statement reads these: some begin as the index of a list does, others lead to rows of all projects, and every
-- statement is about one. Each costs every write. A table at a time: to lock several is to wait for writers in a circle.
DROP INDEX IF EXISTS idx_registered_model_project_id;
DROP INDEX IF EXISTS idx_registered_model_created_at;
DROP INDEX IF EXISTS idx_registered_model_name;
DROP INDEX IF EXISTS idx_registered_model_owner_id;
DROP INDEX IF EXISTS idx_registered_model_state;
