-- Deployment control: a row stores the intent to serve. Controllers keep the cluster to it and record what they observe.

-- The id that marks the objects of this installation in the cluster.
CREATE TABLE registry_installation (
    id       UUID PRIMARY KEY DEFAULT gen_random_uuid(),
    only_one BOOLEAN NOT NULL DEFAULT true UNIQUE CHECK (only_one)
);
INSERT INTO registry_installation DEFAULT VALUES;

-- Without a foreign key to inference_service, because a deployment is kept after its service, until its object is gone and as
-- history.
CREATE TABLE deployment (
    id                     UUID PRIMARY KEY, -- the id of the inference service
    created_at             TIMESTAMPTZ  NOT NULL DEFAULT now(),
    updated_at             TIMESTAMPTZ  NOT NULL DEFAULT now(),
    project_id             UUID         NOT NULL,
    serving_environment_id UUID         NOT NULL,
    registered_model_id    UUID         NOT NULL,
    namespace              TEXT         NOT NULL,
    name                   TEXT         NOT NULL,
    want                   TEXT         NOT NULL CHECK (want IN ('PRESENT', 'ABSENT')),
    spec                   JSONB        NOT NULL,
    generation             BIGINT       NOT NULL DEFAULT 1,
    revised_at             TIMESTAMPTZ  NOT NULL DEFAULT now(),
    applied_generation     BIGINT       NOT NULL DEFAULT 0,
    applied                JSONB,
    applied_at             TIMESTAMPTZ,
    serving_generation     BIGINT,
    served_known_from      TIMESTAMPTZ, -- NULL: since it was made; otherwise, revisions that served before were deleted
    phase                  TEXT         NOT NULL DEFAULT 'PENDING',
    phase_since            TIMESTAMPTZ  NOT NULL DEFAULT now(),
    reason                 TEXT         NOT NULL DEFAULT '',
    message                TEXT         NOT NULL DEFAULT '',
    next_step              TEXT         NOT NULL DEFAULT '',
    url                    TEXT         NOT NULL DEFAULT '',
    drift                  JSONB        NOT NULL DEFAULT '[]',
    observed_at            TIMESTAMPTZ,
    attempts               INT          NOT NULL DEFAULT 0,
    next_at                TIMESTAMPTZ           DEFAULT now(), -- NULL: nothing to do until something changes
    dirty_at               TIMESTAMPTZ,
    lease_by               TEXT,
    lease_until            TIMESTAMPTZ
) WITH (fillfactor = 70); -- rows are rewritten with every pass

CREATE INDEX idx_deployment_due ON deployment (next_at) WHERE next_at IS NOT NULL;
CREATE INDEX idx_deployment_list ON deployment (project_id, created_at DESC, id DESC);
CREATE INDEX idx_deployment_model_list ON deployment (registered_model_id, created_at DESC, id DESC);
CREATE INDEX idx_deployment_object ON deployment (namespace, name);

CREATE TABLE deployment_revision (
    deployment_id UUID        NOT NULL REFERENCES deployment (id) ON DELETE CASCADE,
    generation    BIGINT      NOT NULL,
    created_at    TIMESTAMPTZ NOT NULL DEFAULT now(),
    created_by    TEXT        NOT NULL DEFAULT '',
    cause         TEXT        NOT NULL,
    spec          JSONB       NOT NULL,
    outcome       TEXT        NOT NULL DEFAULT 'PENDING',
    reason        TEXT        NOT NULL DEFAULT '',
    served_from   TIMESTAMPTZ,
    served_until  TIMESTAMPTZ,
    PRIMARY KEY (deployment_id, generation)
);

-- The periods in which revisions served: one or, if they were stopped and resumed, several of each. The periods of a deployment
-- follow each other, so the last one that has begun is the only one that can contain a time, and the only one without an end.
CREATE TABLE deployment_serving (
    deployment_id UUID        NOT NULL REFERENCES deployment (id) ON DELETE CASCADE,
    served_from   TIMESTAMPTZ NOT NULL,
    served_until  TIMESTAMPTZ,
    generation    BIGINT      NOT NULL,
    PRIMARY KEY (deployment_id, served_from)
);

-- Append-only, except that the oldest rows are deleted. Rows of a deployment are written while its row is locked, so
-- their sequence is the order of the commits.
CREATE TABLE deployment_event (
    sequence           BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    deployment_id      UUID        NOT NULL REFERENCES deployment (id) ON DELETE CASCADE,
    occurred_at        TIMESTAMPTZ NOT NULL DEFAULT clock_timestamp(),
    generation         BIGINT      NOT NULL,
    serving_generation BIGINT,
    phase              TEXT        NOT NULL,
    reason             TEXT        NOT NULL DEFAULT '',
    message            TEXT        NOT NULL DEFAULT '',
    next_step          TEXT        NOT NULL DEFAULT ''
);
CREATE INDEX idx_deployment_event_of ON deployment_event (deployment_id, sequence);

-- The ids that callers gave to their requests, so that a repeated request finds the deployment of the first one. The digest of
-- the request is stored, so that another request with the same id is refused.
CREATE TABLE deployment_request (
    project_id    UUID NOT NULL,
    request_id    TEXT NOT NULL,
    deployment_id UUID NOT NULL REFERENCES deployment (id) ON DELETE CASCADE,
    digest        TEXT NOT NULL DEFAULT '',
    created_at    TIMESTAMPTZ NOT NULL DEFAULT now(),
    PRIMARY KEY (project_id, request_id)
);
-- Requests are deleted with their deployment.
CREATE INDEX idx_deployment_request_of ON deployment_request (deployment_id);

-- Objects in the cluster with our labels but without a deployment. They are reported and never deleted automatically.
CREATE TABLE orphan (
    uid           TEXT PRIMARY KEY,
    namespace     TEXT        NOT NULL,
    name          TEXT        NOT NULL,
    deployment_id TEXT        NOT NULL DEFAULT '',
    seen_at       TIMESTAMPTZ NOT NULL DEFAULT now()
);
-- Orphans are listed by the namespaces of a project.
CREATE INDEX idx_orphan_namespace ON orphan (namespace);
