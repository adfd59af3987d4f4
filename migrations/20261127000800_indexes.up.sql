-- migrate:no-transaction
-- The indexes that the statements of this service use. Workers also run without them, but slower.
--
-- Every list is sorted newest first within a project, model or environment, with ties by id, so that a page is a range of an
-- index. Statements are planned once for all values (plan_cache_mode), for a model or environment with few versions or services.
-- For those, an index without the order of the list and a sort seem as good as an index with the order, but for a model with
-- many versions that reads them all. So the next migration drops the indexes that find the rows of a list without its order.

-- The indexes contain the columns by which a list is filtered, so that pages deep in a list are found in the index alone.
CREATE INDEX CONCURRENTLY IF NOT EXISTS idx_registered_model_list
    ON registered_model (project_id, created_at DESC, id DESC) INCLUDE (state, model_type);
CREATE INDEX CONCURRENTLY IF NOT EXISTS idx_registered_model_updated
    ON registered_model (project_id, updated_at DESC, id DESC);
-- When a model is deleted, PostgreSQL searches for models that have it as parent.
CREATE INDEX CONCURRENTLY IF NOT EXISTS idx_registered_model_parent
    ON registered_model (parent_model_id) WHERE parent_model_id IS NOT NULL;

-- Search by a part of the name. There is no list of pending entries, because each search would read it.
CREATE INDEX CONCURRENTLY IF NOT EXISTS idx_registered_model_search
    ON registered_model USING gin (name_pairs(project_id, name)) WITH (fastupdate = off);

CREATE INDEX CONCURRENTLY IF NOT EXISTS idx_model_version_list
    ON model_version (registered_model_id, created_at DESC, id DESC) INCLUDE (state, status);
-- Lists all versions of a project, and finds them by name.
CREATE INDEX CONCURRENTLY IF NOT EXISTS idx_model_version_project_list
    ON model_version (project_id, created_at DESC, id DESC) INCLUDE (state, status);
CREATE INDEX CONCURRENTLY IF NOT EXISTS idx_model_version_project_name
    ON model_version (project_id, name, created_at, id);
-- Finds the default version: the one changed last, because other writers may set several.
CREATE INDEX CONCURRENTLY IF NOT EXISTS idx_model_version_default
    ON model_version (registered_model_id, updated_at DESC, id DESC) WHERE is_default = true;

CREATE INDEX CONCURRENTLY IF NOT EXISTS idx_serving_environment_list
    ON serving_environment (project_id, created_at DESC, id DESC);
CREATE INDEX CONCURRENTLY IF NOT EXISTS idx_inference_service_list
    ON inference_service (project_id, created_at DESC, id DESC);
CREATE INDEX CONCURRENTLY IF NOT EXISTS idx_inference_service_environment_list
    ON inference_service (serving_environment_id, created_at DESC, id DESC);
CREATE INDEX CONCURRENTLY IF NOT EXISTS idx_inference_service_model_list
    ON inference_service (registered_model_id, created_at DESC, id DESC);
CREATE INDEX CONCURRENTLY IF NOT EXISTS idx_serve_model_list
    ON serve_model (project_id, created_at DESC, id DESC);

-- Finds the last deployed copy of a version.
CREATE INDEX CONCURRENTLY IF NOT EXISTS idx_deployment_revision_version
    ON deployment_revision ((spec->>'model_version_id'), created_at DESC);
