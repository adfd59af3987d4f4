DROP INDEX idx_registered_model_search;
DROP FUNCTION name_pairs(UUID, TEXT);
DROP INDEX idx_registered_model_updated;
DROP INDEX idx_registered_model_list;
CREATE INDEX idx_registered_model_list ON registered_model (project_id, created_at DESC, id DESC);
