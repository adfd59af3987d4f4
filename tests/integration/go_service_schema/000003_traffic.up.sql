CREATE TABLE traffic_config (
    id UUID PRIMARY KEY,
    created_at TIMESTAMPTZ NOT NULL DEFAULT NOW(),
    updated_at TIMESTAMPTZ NOT NULL DEFAULT NOW(),
    project_id UUID NOT NULL,
    inference_service_id UUID NOT NULL REFERENCES inference_service(id) ON DELETE CASCADE,
    strategy VARCHAR(50) NOT NULL DEFAULT 'canary',
    ai_gateway_route_name VARCHAR(255) NOT NULL DEFAULT '',
    status VARCHAR(50) NOT NULL DEFAULT 'active',
    CONSTRAINT uq_traffic_config_isvc UNIQUE (inference_service_id)
);
CREATE INDEX idx_traffic_config_project ON traffic_config(project_id);
CREATE INDEX idx_traffic_config_status ON traffic_config(status);
CREATE INDEX idx_traffic_config_created_at ON traffic_config(created_at DESC);

CREATE TABLE traffic_variant (
    id UUID PRIMARY KEY,
    created_at TIMESTAMPTZ NOT NULL DEFAULT NOW(),
    updated_at TIMESTAMPTZ NOT NULL DEFAULT NOW(),
    traffic_config_id UUID NOT NULL REFERENCES traffic_config(id) ON DELETE CASCADE,
    model_version_id UUID NOT NULL REFERENCES model_version(id) ON DELETE RESTRICT,
    variant_name VARCHAR(100) NOT NULL,
    weight INT NOT NULL DEFAULT 0,
    kserve_isvc_name VARCHAR(255) NOT NULL DEFAULT '',
    kserve_revision VARCHAR(255) NOT NULL DEFAULT '',
    status VARCHAR(50) NOT NULL DEFAULT 'pending',
    CONSTRAINT uq_traffic_variant_name UNIQUE (traffic_config_id, variant_name),
    CONSTRAINT chk_traffic_variant_weight CHECK (weight >= 0 AND weight <= 100)
);
CREATE INDEX idx_traffic_variant_config ON traffic_variant(traffic_config_id);
CREATE INDEX idx_traffic_variant_version ON traffic_variant(model_version_id);
CREATE INDEX idx_traffic_variant_status ON traffic_variant(status);
