-- migrate:no-transaction
-- The numbers stay. The down migration before this one drops the column.
ALTER TABLE model_version DROP CONSTRAINT IF EXISTS model_version_has_number;
ALTER TABLE model_version ALTER COLUMN number DROP NOT NULL;
DROP INDEX CONCURRENTLY IF EXISTS uq_model_version_number;
