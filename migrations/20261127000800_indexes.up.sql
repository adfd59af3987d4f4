-- migrate:no-transaction
-- What the statements of this service read. Workers run without these indexes, only slower.
--
-- The order of every list is newest first within a project, model or environment, the id breaking ties, so that a page is a
-- range of an index. Statements are planned once for all values (plan_cache_mode), so each model and environment is taken for
-- one of few versions and services. For those an index without the order of the list, and a sort, is as good as one with it; for
-- a model of many it reads them all. So the next migration drops the indexes that find the rows of a list without its order.

-- Pages deep in a list are found in the index alone: it holds what the list is filtered by.
CREATE INDEX CONCURRENTLY IF NOT EXISTS idx_registered_model_list
    ON registered_model (project_id, created_at DESC, id DESC) INCLUDE (state, model_type);
CREATE INDEX CONCURRENTLY IF NOT EXISTS idx_registered_model_updated
    ON registered_model (project_id, updated_at DESC, id DESC);
-- A model that is deleted is looked for among the parents of all others.
CREATE INDEX CONCURRENTLY IF NOT EXISTS idx_registered_model_parent
    ON registered_model (parent_model_id) WHERE parent_model_id IS NOT NULL;

-- Search by a part of the name: without the list of pending entries, which each search would read.
CREATE INDEX CONCURRENTLY IF NOT EXISTS idx_registered_model_search
    ON registered_model USING gin (name_pairs(project_id, name)) WITH (fastupdate = off);

CREATE INDEX CONCURRENTLY IF NOT EXISTS idx_model_version_list
    ON model_version (registered_model_id, created_at DESC, id DESC) INCLUDE (state, status);
-- All versions of a project: to list, and to find by name.
CREATE INDEX CONCURRENTLY IF NOT EXISTS idx_model_version_project_list
    ON model_version (project_id, created_at DESC, id DESC) INCLUDE (state, status);
CREATE INDEX CONCURRENTLY IF NOT EXISTS idx_model_version_project_name
    ON model_version (project_id, name, created_at, id);
-- Other writers may leave many defaults: the one that counts is the first.
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

-- What was deployed last of a version.
CREATE INDEX CONCURRENTLY IF NOT EXISTS idx_deployment_revision_version
    ON deployment_revision ((spec->>'model_version_id'), created_at DESC);
