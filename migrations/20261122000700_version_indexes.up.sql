-- Pages deep in a list are found in the index alone: it holds what lists are filtered by.
DROP INDEX idx_model_version_list;
CREATE INDEX idx_model_version_list
    ON model_version (registered_model_id, created_at DESC, id DESC) INCLUDE (state, status);

-- All versions of a project: to list, and to find by name.
CREATE INDEX idx_model_version_project_list
    ON model_version (project_id, created_at DESC, id DESC) INCLUDE (state, status);
CREATE INDEX idx_model_version_project_name ON model_version (project_id, name, created_at, id);

-- Other writers may leave many defaults: the one that counts is the first.
CREATE INDEX idx_model_version_default
    ON model_version (registered_model_id, updated_at DESC, id DESC) WHERE is_default = true;
