DO $$
BEGIN
    IF EXISTS (SELECT FROM model_version WHERE access_key LIKE 'enc:v_:%' OR secret_key LIKE 'enc:v_:%') THEN
        RAISE EXCEPTION 'encrypted secrets are stored, which the Go service cannot read'
            USING HINT = 'Run `registry-grpc migrate decrypt-secrets` first.';
    END IF;
END $$;

DROP TRIGGER set_keys_uri ON model_version;
DROP FUNCTION set_keys_uri();
DROP TRIGGER set_project_on_move ON model_version;
DROP TRIGGER set_project_on_insert ON model_version;
DROP FUNCTION set_version_project();
ALTER TABLE model_version
    DROP COLUMN keys_uri,
    DROP COLUMN secret_key_rest,
    DROP COLUMN access_key_rest,
    DROP COLUMN project_id;
