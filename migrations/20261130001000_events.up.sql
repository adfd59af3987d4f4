-- The event log: every change of models, versions, artifacts, environments, services and deployments, whoever makes it.
-- docs/decisions/events.md tells why it is made this way. The next migration creates the triggers.
--
-- * Triggers write changes into event_inbox, in the transaction of the change. The sequence is taken while the changed row
--   is locked, so the changes of one row have the order of their commits.
-- * sequence_events moves committed changes into event and gives them positions, one caller at a time. So a position never
--   becomes visible after a higher one, which a reader may already have passed.
-- * The functions run with their owner's rights, so that other writers need no grants on the log.
--
-- The same row becomes an entry of the audit log, which also knows the values and the call: docs/decisions/audit.md.

-- 20261127000100_version_columns.up.sql tells why.
SELECT set_config('search_path', current_setting('search_path') || ', pg_temp', true);

-- The service sets registry.actor in each transaction that writes, to what is known of the call, as JSON, and the name of
-- the caller after a separator; in its sessions, to a name. Other writers do not set it.
CREATE FUNCTION event_actor() RETURNS TEXT
    LANGUAGE sql STABLE AS $$SELECT coalesce(nullif(left(substr(
        current_setting('registry.actor', true), strpos(current_setting('registry.actor', true), E'\x1f') + 1
    ), 250), ''), 'external')$$;
CREATE FUNCTION event_origin() RETURNS JSONB
    LANGUAGE sql STABLE AS $$SELECT CASE WHEN strpos(current_setting('registry.actor', true), E'\x1f') > 1
        THEN split_part(current_setting('registry.actor', true), E'\x1f', 1)::jsonb ELSE '{}'::jsonb END$$;

CREATE TABLE event_inbox (
    sequence    BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    occurred_at TIMESTAMPTZ NOT NULL DEFAULT clock_timestamp(),
    project_id  UUID        NOT NULL,
    type        TEXT        NOT NULL, -- the kind of the resource and what happened: model.created
    resource_id UUID        NOT NULL,
    model_id    UUID,                 -- the model that the resource is or belongs to
    name        TEXT        NOT NULL,
    actor       TEXT        NOT NULL,
    changed     TEXT[]      NOT NULL DEFAULT '{}', -- the names of the changed fields; never their values
    details     JSONB       NOT NULL DEFAULT '{}', -- short texts by name
    -- Only for the audit log:
    origin      JSONB       NOT NULL DEFAULT event_origin(), -- texts: authentication, rpc, request_id, address
    before      JSONB       NOT NULL DEFAULT '{}', -- the values before the change, and after it; never a secret
    after       JSONB       NOT NULL DEFAULT '{}'
) WITH (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 1000); -- rows stay for a moment only

-- Append-only, except that the oldest rows are deleted. The newest row always stays.
CREATE TABLE event (
    position    BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    occurred_at TIMESTAMPTZ NOT NULL,
    project_id  UUID        NOT NULL,
    type        TEXT        NOT NULL,
    resource_id UUID        NOT NULL,
    model_id    UUID,
    name        TEXT        NOT NULL,
    actor       TEXT        NOT NULL,
    changed     TEXT[]      NOT NULL,
    details     JSONB       NOT NULL
);
CREATE INDEX idx_event_project ON event (project_id, position);
CREATE INDEX idx_event_resource ON event (resource_id, position);
CREATE INDEX idx_event_model ON event (model_id, position) WHERE model_id IS NOT NULL;

-- The log is never empty, so that there is always an event after which a reader can continue. No project has this one.
INSERT INTO event (occurred_at, project_id, type, resource_id, name, actor, changed, details)
SELECT now(), nothing, 'log.started', nothing, '', '', '{}', '{}' FROM (VALUES (uuid '00000000-0000-0000-0000-000000000000')) AS v (nothing);

-- Append-only: forget_audit deletes the oldest entries, and nothing else is possible without the rights of the owner.
CREATE TABLE audit_entry (
    position       BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    occurred_at    TIMESTAMPTZ NOT NULL,
    project_id     UUID        NOT NULL, -- zero: of no project
    type           TEXT        NOT NULL,
    resource_id    UUID        NOT NULL, -- zero: none
    name           TEXT        NOT NULL,
    actor          TEXT        NOT NULL,
    authentication TEXT        NOT NULL,
    rpc            TEXT        NOT NULL,
    request_id     TEXT        NOT NULL,
    address        TEXT        NOT NULL,
    changed        TEXT[]      NOT NULL,
    before         JSONB       NOT NULL,
    after          JSONB       NOT NULL,
    details        JSONB       NOT NULL,
    hash           BYTEA       NOT NULL -- of the entry and of the hash before it, in its project
);
CREATE INDEX idx_audit_entry_project ON audit_entry (project_id, position);
CREATE INDEX idx_audit_entry_resource ON audit_entry (resource_id, position);

-- Where the chain of a project begins, after the entries that were forgotten, and where it ends.
CREATE TABLE audit_chain (
    project_id UUID  PRIMARY KEY,
    first      BYTEA NOT NULL DEFAULT '',
    last       BYTEA NOT NULL
) WITH (fillfactor = 50);

CREATE FUNCTION refuse_audit_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF current_setting('registry.forgetting', true) IS DISTINCT FROM 'on' THEN
        RAISE EXCEPTION 'the audit log is append-only' USING ERRCODE = 'insufficient_privilege';
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON audit_entry
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_audit_change();

CREATE FUNCTION audit_link(hash BYTEA, before_it BYTEA, content TEXT) RETURNS BYTEA
    LANGUAGE sql STABLE AS $$SELECT sha256(coalesce(hash, before_it) || convert_to(content, 'UTF8'))$$;
-- The hash after each row of a window, which continues from `before_it`.
CREATE AGGREGATE audit_hash (before_it BYTEA, content TEXT) (SFUNC = audit_link, STYPE = BYTEA);

-- Moves up to `most` changes and returns how many. If it returns `most`, there may be more.
CREATE FUNCTION sequence_events(most INT) RETURNS BIGINT
    LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT AS $$
DECLARE
    moved BIGINT;
    told BIGINT;
BEGIN
    IF NOT EXISTS (SELECT FROM event_inbox) THEN
        RETURN 0;
    END IF;
    -- With one snapshot for the whole transaction, this caller would not see what the one before it has moved.
    IF current_setting('transaction_isolation') <> 'read committed' THEN
        RAISE EXCEPTION 'sequence_events needs the isolation level READ COMMITTED' USING ERRCODE = 'invalid_transaction_state';
    END IF;
    PERFORM pg_advisory_xact_lock(7245013862);
    WITH taken AS (
        DELETE FROM event_inbox
        WHERE sequence = ANY(ARRAY(SELECT sequence FROM event_inbox ORDER BY sequence LIMIT most))
        RETURNING *
    ), written AS (
        INSERT INTO event (occurred_at, project_id, type, resource_id, model_id, name, actor, changed, details)
        SELECT occurred_at, project_id, type, resource_id, model_id, name, actor, changed, details FROM taken
        WHERE split_part(type, '.', 1) NOT IN ('member', 'api_token', 'project', 'webhook', 'call') ORDER BY sequence
        RETURNING project_id
    ), sealed AS (
        INSERT INTO audit_entry (
            occurred_at, project_id, type, resource_id, name, actor, authentication, rpc, request_id, address,
            changed, before, after, details, hash
        )
        SELECT occurred_at, t.project_id, type, resource_id, name, actor, authentication, rpc, request_id, address,
            changed, before, after, details,
            -- src/registry_grpc/adapters/postgres/audit_check.py has the same expression.
            audit_hash(coalesce(c.last, ''), jsonb_build_array(
                t.project_id, (extract(epoch FROM occurred_at) * 1000000)::bigint, type, resource_id, name, actor,
                authentication, rpc, request_id, address, to_jsonb(changed), before, after, details
            )::text) OVER (PARTITION BY t.project_id ORDER BY sequence)
        FROM (
            SELECT *, coalesce(origin->>'authentication', '') AS authentication, coalesce(origin->>'rpc', '') AS rpc,
                coalesce(origin->>'request_id', '') AS request_id, coalesce(origin->>'address', '') AS address
            FROM taken
            -- What is seen of the cluster is no change by anybody.
            WHERE type <> 'deployment.status_changed' OR actor <> 'controller'
        ) AS t LEFT JOIN audit_chain AS c ON c.project_id = t.project_id
        ORDER BY sequence
        RETURNING project_id, position, hash
    ), chained AS (
        INSERT INTO audit_chain (project_id, last)
        SELECT DISTINCT ON (project_id) project_id, hash FROM sealed ORDER BY project_id, position DESC
        ON CONFLICT (project_id) DO UPDATE SET last = excluded.last
    )
    -- The notifications are counted, because PostgreSQL does not evaluate what nobody asks for.
    SELECT (SELECT count(*) FROM taken), count(*) INTO moved, told FROM (
        SELECT pg_notify('event', project_id::text) FROM written GROUP BY project_id
        UNION ALL
        SELECT pg_notify('audit', '') FROM (SELECT FROM sealed LIMIT 1) AS any_of_them
    ) AS notifications;
    RETURN moved;
END $$;

-- Deletes up to `most` of the oldest entries, and returns how many. The newest one stays.
CREATE FUNCTION forget_audit(age INTERVAL, most INT) RETURNS BIGINT
    LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT AS $$
DECLARE
    forgotten BIGINT;
BEGIN
    PERFORM set_config('registry.forgetting', 'on', true);
    WITH read AS MATERIALIZED (
        SELECT position, occurred_at FROM audit_entry ORDER BY position LIMIT most + 1
    ), gone AS (
        DELETE FROM audit_entry WHERE position < (SELECT max(position) FROM read WHERE occurred_at < now() - age)
        RETURNING project_id, position, hash
    ), begun AS (
        UPDATE audit_chain AS c SET first = g.hash
        FROM (SELECT DISTINCT ON (project_id) project_id, hash FROM gone ORDER BY project_id, position DESC) AS g
        WHERE c.project_id = g.project_id
    )
    SELECT count(*) INTO forgotten FROM gone;
    PERFORM set_config('registry.forgetting', '', true);
    RETURN forgotten;
END $$;

-- A refused call, for the audit log.
CREATE FUNCTION record_refusal(of_project UUID, by_actor TEXT, of_origin JSONB, why JSONB) RETURNS VOID
    LANGUAGE sql SECURITY DEFINER SET search_path FROM CURRENT AS $$
INSERT INTO event_inbox (project_id, type, resource_id, name, actor, origin, details)
VALUES (of_project, 'call.refused', '00000000-0000-0000-0000-000000000000', '', by_actor, of_origin, why)
$$;

-- The values of a row for the audit log. Of large ones it has the size and a hash, which prove them as well.
CREATE FUNCTION audit_values(fields JSONB) RETURNS JSONB
    LANGUAGE plpgsql STABLE AS $$
BEGIN
    IF pg_column_size(fields) <= 8192 THEN
        RETURN fields;
    END IF;
    RETURN (
        SELECT jsonb_object_agg(key, CASE WHEN octet_length(value::text) <= 512 THEN value ELSE jsonb_build_object(
            'bytes', octet_length(value::text), 'sha256', encode(sha256(convert_to(value::text, 'UTF8')), 'hex')
        ) END) FROM jsonb_each(fields)
    );
END $$;

-- Makes the trigger function record_<table> from the columns that the table has now. A migration that adds a column calls it
-- again. `model`, `name`, `details` and `project` are expressions on the row `a`, and changes of `ignored` columns are no
-- events. The audit log has the values of all columns that are neither ignored nor `secret`; NULL has none.
--
-- Without nested loops, because the plan is kept for the session: one made for a single row would compare all old rows with
-- all new ones when many change at once.
CREATE FUNCTION make_recorder(
    of_table REGCLASS, kind TEXT, model TEXT, ignored TEXT[] DEFAULT '{}', name TEXT DEFAULT 'a.name',
    details TEXT DEFAULT $$'{}'::jsonb$$, secret TEXT[] DEFAULT '{}', project TEXT DEFAULT 'a.project_id'
) RETURNS VOID
    LANGUAGE plpgsql SET search_path FROM CURRENT AS $make$
DECLARE
    changes TEXT;
    olds    TEXT;
    news    TEXT;
    hidden  TEXT := quote_literal(ARRAY['id', 'project_id', 'created_at', 'updated_at'] || ignored || secret);
BEGIN
    SELECT string_agg(format('CASE WHEN a.%1$I IS DISTINCT FROM b.%1$I THEN %1$L END', attname), E',\n                ' ORDER BY attnum),
        string_agg(format('%1$L, CASE WHEN a.%1$I IS DISTINCT FROM b.%1$I THEN to_jsonb(b.%1$I) END', attname), E',\n                ') FILTER (WHERE attname <> ALL (secret)),
        string_agg(format('%1$L, CASE WHEN a.%1$I IS DISTINCT FROM b.%1$I THEN to_jsonb(a.%1$I) END', attname), E',\n                ') FILTER (WHERE attname <> ALL (secret))
    INTO changes, olds, news FROM pg_attribute
    WHERE attrelid = of_table AND attnum > 0 AND NOT attisdropped
        AND attname <> ALL(ARRAY['id', 'project_id', 'created_at', 'updated_at'] || ignored);
    EXECUTE format($function$
CREATE OR REPLACE FUNCTION %1$I() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT SET enable_nestloop = off AS $body$
BEGIN
    IF TG_OP = 'INSERT' THEN
        INSERT INTO event_inbox (project_id, type, resource_id, model_id, name, actor, details, after)
        SELECT %10$s,
            CASE current_setting('registry.restoring', true) WHEN 'on' THEN '%2$s.restored' ELSE '%2$s.created' END,
            a.id, %3$s, %5$s, event_actor(), %6$s, audit_values(jsonb_strip_nulls(to_jsonb(a) - %7$s::text[]))
        FROM after AS a;
    ELSIF TG_OP = 'UPDATE' THEN
        INSERT INTO event_inbox (project_id, type, resource_id, model_id, name, actor, details, changed, before, after)
        SELECT * FROM (
            SELECT %10$s, '%2$s.updated', a.id, %3$s, %5$s, event_actor(), %6$s, array_remove(ARRAY[
                %4$s
            ], NULL) AS changed, audit_values(jsonb_strip_nulls(jsonb_build_object(
                %8$s
            ))), audit_values(jsonb_strip_nulls(jsonb_build_object(
                %9$s
            )))
            FROM after AS a JOIN before AS b ON b.id = a.id
        ) AS updated WHERE changed <> '{}';
    ELSE
        INSERT INTO event_inbox (project_id, type, resource_id, model_id, name, actor, details, before)
        SELECT %10$s, '%2$s.deleted', a.id, %3$s, %5$s, event_actor(), %6$s,
            audit_values(jsonb_strip_nulls(to_jsonb(a) - %7$s::text[]))
        FROM before AS a;
    END IF;
    RETURN NULL;
END $body$
$function$, 'record_' || of_table::text, kind, model, changes, name, details, hidden, olds, news, project);
END $make$;

SELECT make_recorder('registered_model', 'model', 'a.id');
-- The other columns of the keys change with the first ones, and nobody changes a number.
SELECT make_recorder(
    'model_version', 'version', 'a.registered_model_id', '{access_key_rest, secret_key_rest, keys_uri, sequence, number, was_aliased}',
    details => $$jsonb_strip_nulls(jsonb_build_object('version_number', a.number::text))$$,
    secret => '{access_key, secret_key, access_key_rest, secret_key_rest}'
);
SELECT make_recorder(
    'artifact', 'artifact', 'a.model_id', '{model_id}',
    details => $$jsonb_strip_nulls(jsonb_build_object('kind', a.kind, 'model_version_id', a.model_version_id))$$
);
SELECT make_recorder('serving_environment', 'environment', 'NULL::uuid');
SELECT make_recorder('inference_service', 'service', 'a.registered_model_id');
-- A link has no name; it gets that of its version, which cannot be deleted before it.
SELECT make_recorder(
    'serve_model', 'serve_model', '(SELECT registered_model_id FROM model_version WHERE id = a.model_version_id)',
    name => $$coalesce((SELECT name FROM model_version WHERE id = a.model_version_id), '')$$,
    details => $$jsonb_build_object('inference_service_id', a.inference_service_id, 'model_version_id', a.model_version_id)$$
);

-- What a deployment's own history records. Passes also write its row when nothing has changed for users.
CREATE FUNCTION record_deployment_event() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT AS $$
BEGIN
    INSERT INTO event_inbox (project_id, type, resource_id, model_id, name, actor, details)
    SELECT d.project_id, 'deployment.status_changed', d.id, d.registered_model_id, d.name, event_actor(),
        jsonb_strip_nulls(jsonb_build_object(
            'phase', a.phase, 'reason', nullif(a.reason, ''), 'revision', a.generation::text,
            'serving_revision', a.serving_generation::text
        ))
    FROM after AS a JOIN deployment AS d ON d.id = a.deployment_id ORDER BY a.sequence;
    RETURN NULL;
END $$;

CREATE FUNCTION record_deployment_revision() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT AS $$
BEGIN
    INSERT INTO event_inbox (project_id, type, resource_id, model_id, name, actor, details, after)
    SELECT d.project_id, 'deployment.revision_made', d.id, d.registered_model_id, d.name,
        event_actor(),
        jsonb_strip_nulls(jsonb_build_object(
            'revision', a.generation::text, 'cause', a.cause, 'model_version_id', a.spec->>'model_version_id'
        )),
        audit_values(a.spec #- '{options,env}') -- values of variables may be secret
    FROM after AS a JOIN deployment AS d ON d.id = a.deployment_id ORDER BY a.generation;
    RETURN NULL;
END $$;

-- An alias has no id of its own, so the resource is its model.
CREATE FUNCTION record_model_alias_move() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT AS $$
BEGIN
    INSERT INTO event_inbox (project_id, type, resource_id, model_id, name, actor, details)
    SELECT m.project_id, CASE WHEN a.model_version_id IS NULL THEN 'alias.deleted' ELSE 'alias.set' END,
        m.id, m.id, a.name, event_actor(),
        jsonb_strip_nulls(jsonb_build_object(
            'model_version_id', a.model_version_id::text, 'version_number', a.version_number::text
        ))
    FROM after AS a JOIN registered_model AS m ON m.id = a.registered_model_id ORDER BY a.sequence;
    RETURN NULL;
END $$;
