-- migrate:no-transaction
-- Filters by equality, and by keys of maps. One index answers all fields that it has and any combination of them, because GIN
-- intersects the lists of rows of several keys. The project is one of the keys, so that rows of other projects with the same labels
-- are not read. Statements repeat the expressions as they are written here: adapters/postgres/filtering.py. A key has at most 500
-- characters of a uri, because GIN refuses keys of more than some 2,700 bytes.
--
-- Writes put the keys of a row into a list of pending entries, and about every hundredth write moves them to their places in the
-- index, many entries of a key at once. Without the list, each write looked for eight places. Searches read the list too, so it is
-- as small as PostgreSQL allows, 64 kB.
CREATE INDEX CONCURRENTLY IF NOT EXISTS idx_registered_model_filter
    ON registered_model USING gin (
        (ARRAY[project_id::text, 'state=' || left(state, 500), 'model_type=' || left(model_type, 500),
            'owner_email=' || left(owner_email, 500), 'deployment_status=' || left(deployment_status, 500),
            'external_id=' || left(external_id, 500)]),
        labels jsonb_path_ops, tags jsonb_path_ops, properties jsonb_path_ops,
        jsonb_path_query_array(labels, '$.keyvalue().key', '{}', true) jsonb_path_ops,
        jsonb_path_query_array(properties, '$.keyvalue().key', '{}', true) jsonb_path_ops
    ) WITH (fastupdate = on, gin_pending_list_limit = 64);
CREATE INDEX CONCURRENTLY IF NOT EXISTS idx_model_version_filter
    ON model_version USING gin (
        (ARRAY[project_id::text, 'state=' || left(state, 500), 'status=' || left(status, 500),
            'artifact_type=' || left(artifact_type, 500), 'model_framework=' || left(model_framework, 500),
            'uri=' || left(uri, 500), 'created_by_email=' || left(created_by_email, 500),
            'external_id=' || left(external_id, 500), 'digest=' || left(digest, 500), 'size_bytes=' || left(size_bytes::text, 500),
            'number=' || left(number::text, 500), 'is_default=' || left(is_default::text, 500)]),
        labels jsonb_path_ops, properties jsonb_path_ops,
        jsonb_path_query_array(labels, '$.keyvalue().key', '{}', true) jsonb_path_ops,
        jsonb_path_query_array(properties, '$.keyvalue().key', '{}', true) jsonb_path_ops
    ) WITH (fastupdate = on, gin_pending_list_limit = 64);
CREATE INDEX CONCURRENTLY IF NOT EXISTS idx_serving_environment_filter
    ON serving_environment USING gin (
        (ARRAY[project_id::text, 'external_id=' || left(external_id, 500)]),
        properties jsonb_path_ops, jsonb_path_query_array(properties, '$.keyvalue().key', '{}', true) jsonb_path_ops
    ) WITH (fastupdate = on, gin_pending_list_limit = 64);
CREATE INDEX CONCURRENTLY IF NOT EXISTS idx_inference_service_filter
    ON inference_service USING gin (
        (ARRAY[project_id::text, 'external_id=' || left(external_id, 500)]),
        labels jsonb_path_ops, properties jsonb_path_ops,
        jsonb_path_query_array(labels, '$.keyvalue().key', '{}', true) jsonb_path_ops,
        jsonb_path_query_array(properties, '$.keyvalue().key', '{}', true) jsonb_path_ops
    ) WITH (fastupdate = on, gin_pending_list_limit = 64);
CREATE INDEX CONCURRENTLY IF NOT EXISTS idx_artifact_filter
    ON artifact USING gin (
        (ARRAY[project_id::text, 'kind=' || left(kind, 500), 'uri=' || left(uri, 500), 'digest=' || left(digest, 500),
            'external_id=' || left(external_id, 500), 'size_bytes=' || left(size_bytes::text, 500)]),
        labels jsonb_path_ops, properties jsonb_path_ops,
        jsonb_path_query_array(labels, '$.keyvalue().key', '{}', true) jsonb_path_ops,
        jsonb_path_query_array(properties, '$.keyvalue().key', '{}', true) jsonb_path_ops
    ) WITH (fastupdate = on, gin_pending_list_limit = 64);

-- With the project, the versions of an alias are found without those of other projects.
ALTER TABLE model_alias ADD COLUMN IF NOT EXISTS project_id UUID;
UPDATE model_alias AS a SET project_id = m.project_id FROM registered_model AS m WHERE m.id = a.registered_model_id AND a.project_id IS NULL;
CREATE INDEX CONCURRENTLY IF NOT EXISTS idx_model_alias_name ON model_alias (project_id, name, model_version_id);
