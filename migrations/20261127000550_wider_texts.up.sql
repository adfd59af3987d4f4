-- gRPC clients may give longer names and uris than the contract's 100 and 500 characters, which stay the limits of its routes.
--
-- A longer varchar rewrites neither the table nor indexes of plain columns. But PostgreSQL builds all indexes on expressions of
-- the column again while nobody can read the table. So this runs before the migrations that create such indexes.
--
-- Prepared statements of other programs that answer one of these columns fail once, with "cached plan must not change result
-- type": docs/migration-from-go.md. Separate columns for the rest of a longer text would spare them that. But the unique names
-- would be those of the first 100 characters, and the Go service would deploy from the first 500 characters of a uri, and leave
-- the old rest behind a text that it changes.
-- squawk-ignore changing-column-type
ALTER TABLE registered_model ALTER COLUMN name TYPE VARCHAR(250);
-- squawk-ignore changing-column-type
ALTER TABLE model_version ALTER COLUMN name TYPE VARCHAR(250), ALTER COLUMN uri TYPE VARCHAR(2000);
