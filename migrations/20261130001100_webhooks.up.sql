-- Webhooks: where the events of a project are delivered. docs/decisions/events.md tells why it is made this way.

CREATE TABLE webhook (
    id                  UUID PRIMARY KEY,
    created_at          TIMESTAMPTZ NOT NULL DEFAULT now(),
    updated_at          TIMESTAMPTZ NOT NULL DEFAULT now(),
    project_id          UUID        NOT NULL,
    url                 TEXT        NOT NULL,
    types               TEXT[]      NOT NULL, -- empty: all
    secret              TEXT        NOT NULL, -- encrypted
    state               TEXT        NOT NULL CHECK (state IN ('ACTIVE', 'DISABLED')),
    disabled_reason     TEXT        NOT NULL DEFAULT '',
    changed_by          XID8        NOT NULL DEFAULT pg_current_xact_id(), -- the etag: deliveries write the row, too
    position            BIGINT      NOT NULL, -- events up to this one have their deliveries
    next_at             TIMESTAMPTZ           -- when the receiver is tried again, if it did not answer
) WITH (fillfactor = 50);
CREATE INDEX idx_webhook_list ON webhook (project_id, created_at DESC, id DESC);

-- An event to be delivered, and afterwards the log of it.
CREATE TABLE webhook_delivery (
    webhook_id   UUID        NOT NULL REFERENCES webhook (id) ON DELETE CASCADE,
    position     BIGINT      NOT NULL REFERENCES event (position) ON DELETE CASCADE,
    resource_id  UUID        NOT NULL,
    state        TEXT        NOT NULL DEFAULT 'PENDING' CHECK (state IN ('PENDING', 'DELIVERED')),
    attempts     INT         NOT NULL DEFAULT 0,
    next_at      TIMESTAMPTZ NOT NULL DEFAULT now(),
    attempted_at TIMESTAMPTZ,
    status       INT,                          -- of the last answer
    error        TEXT        NOT NULL DEFAULT '', -- of the last attempt
    PRIMARY KEY (webhook_id, position)
) WITH (fillfactor = 70);
-- For the deletion of events.
CREATE INDEX idx_webhook_delivery_event ON webhook_delivery (position);
-- The next ones, and whether an earlier one of the same resource waits. Without the first, the log would be read.
CREATE INDEX idx_webhook_delivery_next ON webhook_delivery (webhook_id, position) WHERE state = 'PENDING';
CREATE INDEX idx_webhook_delivery_pending ON webhook_delivery (webhook_id, resource_id, position) WHERE state = 'PENDING';
