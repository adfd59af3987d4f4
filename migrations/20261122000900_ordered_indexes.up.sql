-- Statements are planned once for all values (plan_cache_mode), so each model and environment is taken for one of few versions
-- and services. For those an index without the order of the list, and a sort, is as good as one with it; for a model of many it
-- reads them all. So the indexes that find the rows of a list have its order, and replace those that have not.
DROP INDEX idx_model_version_registered_model_id; -- idx_model_version_list begins with it

DROP INDEX idx_inference_service_serving_environment_id;
CREATE INDEX idx_inference_service_environment_list
    ON inference_service (serving_environment_id, created_at DESC, id DESC);
DROP INDEX idx_inference_service_registered_model_id;
CREATE INDEX idx_inference_service_model_list ON inference_service (registered_model_id, created_at DESC, id DESC);
DROP INDEX idx_deployment_model;
CREATE INDEX idx_deployment_model_list ON deployment (registered_model_id, created_at DESC, id DESC);

-- A model that is deleted is looked for among the parents of all others.
CREATE INDEX idx_registered_model_parent ON registered_model (parent_model_id) WHERE parent_model_id IS NOT NULL;

-- Which revision of a deployment served at a time, and which serves still.
CREATE INDEX idx_deployment_revision_served ON deployment_revision (deployment_id, served_from DESC)
    WHERE served_from IS NOT NULL;
CREATE INDEX idx_deployment_revision_serving ON deployment_revision (deployment_id)
    WHERE served_from IS NOT NULL AND served_until IS NULL;

-- Orphans are told by the namespaces of a project.
CREATE INDEX idx_orphan_namespace ON orphan (namespace);
