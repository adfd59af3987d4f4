-- Of versions of a model that were created at the same time, the latest is the one that was stored last. Nothing is rewritten:
-- versions of before have no number, and come before those that have one.
CREATE SEQUENCE model_version_sequence;
ALTER TABLE model_version ADD COLUMN sequence BIGINT;
ALTER TABLE model_version ALTER COLUMN sequence SET DEFAULT nextval('model_version_sequence');
ALTER SEQUENCE model_version_sequence OWNED BY model_version.sequence;
-- Other writers, the Go service included, may have roles of their own.
GRANT USAGE ON SEQUENCE model_version_sequence TO PUBLIC;
