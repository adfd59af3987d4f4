DROP TABLE deleted_artifact;
DROP TABLE artifact;
