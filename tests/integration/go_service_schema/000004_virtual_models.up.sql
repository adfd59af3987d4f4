CREATE TABLE virtual_model (
    id UUID PRIMARY KEY,
    created_at TIMESTAMPTZ NOT NULL DEFAULT NOW(),
    updated_at TIMESTAMPTZ NOT NULL DEFAULT NOW(),
    project_id UUID NOT NULL,
    name VARCHAR(255) NOT NULL,
    description TEXT NOT NULL DEFAULT '',
    ai_gateway_route_name VARCHAR(255) NOT NULL DEFAULT '',
    status VARCHAR(50) NOT NULL DEFAULT 'active',
    CONSTRAINT uq_virtual_model_project_name UNIQUE (project_id, name)
);
CREATE INDEX idx_virtual_model_project ON virtual_model(project_id);
CREATE INDEX idx_virtual_model_name ON virtual_model(name);
CREATE INDEX idx_virtual_model_status ON virtual_model(status);
CREATE INDEX idx_virtual_model_created_at ON virtual_model(created_at DESC);

CREATE TABLE virtual_model_backend (
    id UUID PRIMARY KEY,
    created_at TIMESTAMPTZ NOT NULL DEFAULT NOW(),
    updated_at TIMESTAMPTZ NOT NULL DEFAULT NOW(),
    virtual_model_id UUID NOT NULL REFERENCES virtual_model(id) ON DELETE CASCADE,
    ai_service_backend_name VARCHAR(255) NOT NULL,
    ai_service_backend_namespace VARCHAR(255) NOT NULL DEFAULT '',
    model_name_override VARCHAR(255),
    weight INT NOT NULL DEFAULT 1 CHECK (weight >= 0 AND weight <= 100),
    priority INT NOT NULL DEFAULT 0 CHECK (priority >= 0),
    status VARCHAR(50) NOT NULL DEFAULT 'active',
    CONSTRAINT uq_virtual_model_backend UNIQUE (virtual_model_id, ai_service_backend_name, COALESCE(model_name_override, ''))
);
CREATE INDEX idx_virtual_model_backend_model ON virtual_model_backend(virtual_model_id);
CREATE INDEX idx_virtual_model_backend_status ON virtual_model_backend(status);
CREATE INDEX idx_virtual_model_backend_priority ON virtual_model_backend(priority);
