-- The audit log also has the changes of who may do what. docs/decisions/audit.md tells how it is kept.

SELECT make_recorder('member', 'member', 'NULL::uuid');
SELECT make_recorder('api_token', 'api_token', 'NULL::uuid', '{last_used_at}', secret => '{hash}');
SELECT make_recorder('project', 'project', 'NULL::uuid', project => 'a.id');
-- The path of a URL is often a secret, so the name is its host. Deliveries write the other columns.
SELECT make_recorder(
    'webhook', 'webhook', 'NULL::uuid', '{changed_by, position, next_at}',
    name => $$coalesce(substring(a.url FROM '://(?:[^/@]*@)?([^/?#]*)'), '')$$, secret => '{secret, url}'
);

CREATE TRIGGER record_insert AFTER INSERT ON member
    REFERENCING NEW TABLE AS after FOR EACH STATEMENT EXECUTE FUNCTION record_member();
CREATE TRIGGER record_update AFTER UPDATE ON member
    REFERENCING OLD TABLE AS before NEW TABLE AS after FOR EACH STATEMENT EXECUTE FUNCTION record_member();
CREATE TRIGGER record_delete AFTER DELETE ON member
    REFERENCING OLD TABLE AS before FOR EACH STATEMENT EXECUTE FUNCTION record_member();

CREATE TRIGGER record_insert AFTER INSERT ON api_token
    REFERENCING NEW TABLE AS after FOR EACH STATEMENT EXECUTE FUNCTION record_api_token();
CREATE TRIGGER record_update AFTER UPDATE ON api_token
    REFERENCING OLD TABLE AS before NEW TABLE AS after FOR EACH STATEMENT EXECUTE FUNCTION record_api_token();
CREATE TRIGGER record_delete AFTER DELETE ON api_token
    REFERENCING OLD TABLE AS before FOR EACH STATEMENT EXECUTE FUNCTION record_api_token();

CREATE TRIGGER record_insert AFTER INSERT ON project
    REFERENCING NEW TABLE AS after FOR EACH STATEMENT EXECUTE FUNCTION record_project();
CREATE TRIGGER record_update AFTER UPDATE ON project
    REFERENCING OLD TABLE AS before NEW TABLE AS after FOR EACH STATEMENT EXECUTE FUNCTION record_project();
CREATE TRIGGER record_delete AFTER DELETE ON project
    REFERENCING OLD TABLE AS before FOR EACH STATEMENT EXECUTE FUNCTION record_project();

CREATE TRIGGER record_insert AFTER INSERT ON webhook
    REFERENCING NEW TABLE AS after FOR EACH STATEMENT EXECUTE FUNCTION record_webhook();
CREATE TRIGGER record_update AFTER UPDATE ON webhook
    REFERENCING OLD TABLE AS before NEW TABLE AS after FOR EACH STATEMENT EXECUTE FUNCTION record_webhook();
CREATE TRIGGER record_delete AFTER DELETE ON webhook
    REFERENCING OLD TABLE AS before FOR EACH STATEMENT EXECUTE FUNCTION record_webhook();
