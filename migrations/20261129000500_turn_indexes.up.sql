-- migrate:no-transaction
-- Finds the different failures that are waited for, and of each the deployment that was tried last and the one tried longest ago.
CREATE INDEX CONCURRENTLY IF NOT EXISTS idx_deployment_turn ON deployment (namespace, reason, tried_at)
    WHERE tried_at IS NOT NULL;

-- Finds the namespaces to watch without reading all their deployments.
CREATE INDEX CONCURRENTLY IF NOT EXISTS idx_deployment_unfinished ON deployment (namespace) WHERE next_at IS NOT NULL;
