-- The Go service's traffic splitting and virtual models. This service does not use these tables. They exist so that a new and
-- an adopted database have the same schema, on which the Go service works too.

CREATE TABLE IF NOT EXISTS traffic_config (
    id                    UUID PRIMARY KEY,
    created_at            TIMESTAMPTZ  NOT NULL DEFAULT now(),
    updated_at            TIMESTAMPTZ  NOT NULL DEFAULT now(),
    project_id            UUID         NOT NULL,
    inference_service_id  UUID         NOT NULL,
    strategy              VARCHAR(50)  NOT NULL DEFAULT 'canary',
    ai_gateway_route_name VARCHAR(255) NOT NULL DEFAULT '',
    status                VARCHAR(50)  NOT NULL DEFAULT 'active',
    CONSTRAINT fk_traffic_config_inference_service
        FOREIGN KEY (inference_service_id) REFERENCES inference_service (id) ON DELETE CASCADE,
    CONSTRAINT uq_traffic_config_isvc UNIQUE (inference_service_id)
);

CREATE INDEX IF NOT EXISTS idx_traffic_config_project_id ON traffic_config (project_id);
CREATE INDEX IF NOT EXISTS idx_traffic_config_status ON traffic_config (status);
CREATE INDEX IF NOT EXISTS idx_traffic_config_created_at ON traffic_config (created_at DESC);

CREATE TABLE IF NOT EXISTS traffic_variant (
    id                UUID PRIMARY KEY,
    created_at        TIMESTAMPTZ  NOT NULL DEFAULT now(),
    updated_at        TIMESTAMPTZ  NOT NULL DEFAULT now(),
    traffic_config_id UUID         NOT NULL,
    model_version_id  UUID         NOT NULL,
    variant_name      VARCHAR(100) NOT NULL,
    weight            INT          NOT NULL DEFAULT 0,
    kserve_isvc_name  VARCHAR(255) NOT NULL DEFAULT '',
    kserve_revision   VARCHAR(255) NOT NULL DEFAULT '',
    status            VARCHAR(50)  NOT NULL DEFAULT 'pending',
    CONSTRAINT fk_traffic_variant_traffic_config
        FOREIGN KEY (traffic_config_id) REFERENCES traffic_config (id) ON DELETE CASCADE,
    CONSTRAINT fk_traffic_variant_model_version
        FOREIGN KEY (model_version_id) REFERENCES model_version (id) ON DELETE RESTRICT,
    CONSTRAINT uq_traffic_variant_name UNIQUE (traffic_config_id, variant_name),
    CONSTRAINT chk_traffic_variant_weight CHECK (weight >= 0 AND weight <= 100)
);

CREATE INDEX IF NOT EXISTS idx_traffic_variant_traffic_config_id ON traffic_variant (traffic_config_id);
CREATE INDEX IF NOT EXISTS idx_traffic_variant_model_version_id ON traffic_variant (model_version_id);
CREATE INDEX IF NOT EXISTS idx_traffic_variant_status ON traffic_variant (status);

CREATE TABLE IF NOT EXISTS virtual_model (
    id                    UUID PRIMARY KEY,
    created_at            TIMESTAMPTZ  NOT NULL DEFAULT now(),
    updated_at            TIMESTAMPTZ  NOT NULL DEFAULT now(),
    project_id            UUID         NOT NULL,
    name                  VARCHAR(255) NOT NULL,
    description           TEXT         NOT NULL DEFAULT '',
    ai_gateway_route_name VARCHAR(255) NOT NULL DEFAULT '',
    status                VARCHAR(50)  NOT NULL DEFAULT 'active',
    CONSTRAINT uq_virtual_model_project_name UNIQUE (project_id, name)
);

CREATE INDEX IF NOT EXISTS idx_virtual_model_project_id ON virtual_model (project_id);
CREATE INDEX IF NOT EXISTS idx_virtual_model_name ON virtual_model (name);
CREATE INDEX IF NOT EXISTS idx_virtual_model_status ON virtual_model (status);
CREATE INDEX IF NOT EXISTS idx_virtual_model_created_at ON virtual_model (created_at DESC);

CREATE TABLE IF NOT EXISTS virtual_model_backend (
    id                           UUID PRIMARY KEY,
    created_at                   TIMESTAMPTZ  NOT NULL DEFAULT now(),
    updated_at                   TIMESTAMPTZ  NOT NULL DEFAULT now(),
    virtual_model_id             UUID         NOT NULL,
    ai_service_backend_name      VARCHAR(255) NOT NULL,
    ai_service_backend_namespace VARCHAR(255) NOT NULL DEFAULT '',
    model_name_override          VARCHAR(255),
    weight                       INT          NOT NULL DEFAULT 1,
    priority                     INT          NOT NULL DEFAULT 0,
    status                       VARCHAR(50)  NOT NULL DEFAULT 'active',
    CONSTRAINT fk_virtual_model_backend_virtual_model
        FOREIGN KEY (virtual_model_id) REFERENCES virtual_model (id) ON DELETE CASCADE,
    CONSTRAINT chk_virtual_model_backend_weight CHECK (weight >= 0 AND weight <= 100),
    CONSTRAINT chk_virtual_model_backend_priority CHECK (priority >= 0)
);

-- An index, because a UNIQUE table constraint cannot have an expression. The Go service's migration 4 fails for this reason.
CREATE UNIQUE INDEX IF NOT EXISTS uq_virtual_model_backend
    ON virtual_model_backend (virtual_model_id, ai_service_backend_name, COALESCE(model_name_override, ''));
CREATE INDEX IF NOT EXISTS idx_virtual_model_backend_virtual_model_id ON virtual_model_backend (virtual_model_id);
CREATE INDEX IF NOT EXISTS idx_virtual_model_backend_status ON virtual_model_backend (status);
CREATE INDEX IF NOT EXISTS idx_virtual_model_backend_priority ON virtual_model_backend (priority);
