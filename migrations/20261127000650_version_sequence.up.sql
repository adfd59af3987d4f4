-- If versions of a model have the same creation time, the one stored last is the latest. No row is rewritten: existing versions
-- have no number, and count as older than those with a number.
CREATE SEQUENCE model_version_sequence;
ALTER TABLE model_version ADD COLUMN sequence BIGINT;
ALTER TABLE model_version ALTER COLUMN sequence SET DEFAULT nextval('model_version_sequence');
ALTER SEQUENCE model_version_sequence OWNED BY model_version.sequence;
-- Other writers, such as the Go service, may have other roles.
GRANT USAGE ON SEQUENCE model_version_sequence TO PUBLIC;
