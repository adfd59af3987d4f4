-- migrate:no-transaction
DROP INDEX CONCURRENTLY IF EXISTS idx_deployment_unfinished;
DROP INDEX CONCURRENTLY IF EXISTS idx_deployment_turn;
