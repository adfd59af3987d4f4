-- migrate:no-transaction
-- Turns on the event log of the previous migration. Writers only wait while a trigger is created. Every statement can be
-- repeated.

CREATE OR REPLACE TRIGGER record_insert AFTER INSERT ON registered_model
    REFERENCING NEW TABLE AS after FOR EACH STATEMENT EXECUTE FUNCTION record_registered_model();
CREATE OR REPLACE TRIGGER record_update AFTER UPDATE ON registered_model
    REFERENCING OLD TABLE AS before NEW TABLE AS after FOR EACH STATEMENT EXECUTE FUNCTION record_registered_model();
CREATE OR REPLACE TRIGGER record_delete AFTER DELETE ON registered_model
    REFERENCING OLD TABLE AS before FOR EACH STATEMENT EXECUTE FUNCTION record_registered_model();

CREATE OR REPLACE TRIGGER record_insert AFTER INSERT ON model_version
    REFERENCING NEW TABLE AS after FOR EACH STATEMENT EXECUTE FUNCTION record_model_version();
CREATE OR REPLACE TRIGGER record_update AFTER UPDATE ON model_version
    REFERENCING OLD TABLE AS before NEW TABLE AS after FOR EACH STATEMENT EXECUTE FUNCTION record_model_version();
CREATE OR REPLACE TRIGGER record_delete AFTER DELETE ON model_version
    REFERENCING OLD TABLE AS before FOR EACH STATEMENT EXECUTE FUNCTION record_model_version();

CREATE OR REPLACE TRIGGER record_insert AFTER INSERT ON artifact
    REFERENCING NEW TABLE AS after FOR EACH STATEMENT EXECUTE FUNCTION record_artifact();
CREATE OR REPLACE TRIGGER record_update AFTER UPDATE ON artifact
    REFERENCING OLD TABLE AS before NEW TABLE AS after FOR EACH STATEMENT EXECUTE FUNCTION record_artifact();
CREATE OR REPLACE TRIGGER record_delete AFTER DELETE ON artifact
    REFERENCING OLD TABLE AS before FOR EACH STATEMENT EXECUTE FUNCTION record_artifact();

CREATE OR REPLACE TRIGGER record_insert AFTER INSERT ON serving_environment
    REFERENCING NEW TABLE AS after FOR EACH STATEMENT EXECUTE FUNCTION record_serving_environment();
CREATE OR REPLACE TRIGGER record_update AFTER UPDATE ON serving_environment
    REFERENCING OLD TABLE AS before NEW TABLE AS after FOR EACH STATEMENT EXECUTE FUNCTION record_serving_environment();
CREATE OR REPLACE TRIGGER record_delete AFTER DELETE ON serving_environment
    REFERENCING OLD TABLE AS before FOR EACH STATEMENT EXECUTE FUNCTION record_serving_environment();

CREATE OR REPLACE TRIGGER record_insert AFTER INSERT ON inference_service
    REFERENCING NEW TABLE AS after FOR EACH STATEMENT EXECUTE FUNCTION record_inference_service();
CREATE OR REPLACE TRIGGER record_update AFTER UPDATE ON inference_service
    REFERENCING OLD TABLE AS before NEW TABLE AS after FOR EACH STATEMENT EXECUTE FUNCTION record_inference_service();
CREATE OR REPLACE TRIGGER record_delete AFTER DELETE ON inference_service
    REFERENCING OLD TABLE AS before FOR EACH STATEMENT EXECUTE FUNCTION record_inference_service();

CREATE OR REPLACE TRIGGER record_insert AFTER INSERT ON serve_model
    REFERENCING NEW TABLE AS after FOR EACH STATEMENT EXECUTE FUNCTION record_serve_model();
CREATE OR REPLACE TRIGGER record_update AFTER UPDATE ON serve_model
    REFERENCING OLD TABLE AS before NEW TABLE AS after FOR EACH STATEMENT EXECUTE FUNCTION record_serve_model();
CREATE OR REPLACE TRIGGER record_delete AFTER DELETE ON serve_model
    REFERENCING OLD TABLE AS before FOR EACH STATEMENT EXECUTE FUNCTION record_serve_model();

CREATE OR REPLACE TRIGGER record_insert AFTER INSERT ON deployment_event
    REFERENCING NEW TABLE AS after FOR EACH STATEMENT EXECUTE FUNCTION record_deployment_event();

CREATE OR REPLACE TRIGGER record_insert AFTER INSERT ON deployment_revision
    REFERENCING NEW TABLE AS after FOR EACH STATEMENT EXECUTE FUNCTION record_deployment_revision();

CREATE OR REPLACE TRIGGER record_insert AFTER INSERT ON model_alias_move
    REFERENCING NEW TABLE AS after FOR EACH STATEMENT EXECUTE FUNCTION record_model_alias_move();
