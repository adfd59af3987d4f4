"""Serving objects for the models of the benchmarks, written by SQL: about 100,000 rows in every table.

The project of the models has 100,000 environments and services. The first 20,000 services are all in one environment
and serve versions of one model, the others have an environment and a model each. Nine of ten have a deployment; another
10,000 deployments belong to deleted services. One deployment has a long history.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from hashlib import md5
from uuid import UUID

import asyncpg
import orjson
from tests.bench import data
from tests.deployments import a_spec

from registry_grpc.adapters.postgres.deployment_rows import spec_to_json

ROWS = 100_000
IN_ONE_PLACE = 20_000
GONE = 10_000
HISTORY = 2_000
"""The number of revisions and events of the deployment with the long history."""
ONE_VERSION_EACH = range(data.MODELS_WITH_VERSIONS + 1, ROWS - data.ALL_VERSIONS + data.MODELS_WITH_VERSIONS + 1)
"""The number of additional models with a version, so that there are 100,000 versions as well."""
DUE_EVERY = 200
"""One in this many deployments is due."""
LOOKED_AT_EVERY = 50
"""One in this many of the deleted deployments was observed since, and can be deleted."""

_VERSIONS = """
INSERT INTO model_version (
    id, created_at, updated_at, project_id, registered_model_id, number, name, is_default, status, model_framework,
    model_framework_version, uri, access_key, secret_key
)
SELECT
    md5('version-' || m || '-1')::uuid, t, t, $3, md5('model-' || m)::uuid, 1, 'v1', true, 'READY', 'sklearn', '1.5',
    's3://models/' || m, CASE WHEN m % 1000 = 0 THEN 'key' ELSE '' END, ''
FROM generate_series($1::int, $2::int) AS m,
    LATERAL (SELECT timestamptz '2026-01-15' + m * interval '1 second') AS x (t)
"""
_NUMBERED = """
INSERT INTO version_number (registered_model_id, "first", "last")
SELECT registered_model_id, 1, 1 FROM model_version WHERE number = 1
ON CONFLICT DO NOTHING
"""
# One of each model with a single version, and a hundred of the model with many versions. The first was moved often.
_ALIASES = f"""
INSERT INTO model_alias (registered_model_id, name, model_version_id, project_id)
SELECT md5('model-' || m)::uuid, 'champion', md5('version-' || m || '-1')::uuid, '{data.PROJECT}'::uuid
FROM generate_series({ONE_VERSION_EACH.start}, {ONE_VERSION_EACH.stop - 1}) AS m
UNION ALL
SELECT md5('model-0')::uuid, 'alias-' || i, md5('version-0-' || i)::uuid, '{data.PROJECT}'
FROM generate_series(1, 100) AS i
"""
_MOVES = f"""
INSERT INTO model_alias_move (registered_model_id, name, model_version_id, version_number)
SELECT registered_model_id, name, model_version_id, 1 FROM model_alias
UNION ALL
SELECT md5('model-0')::uuid, 'alias-1', md5('version-0-1')::uuid, 1 FROM generate_series(1, {IN_ONE_PLACE})
"""
_ENVIRONMENTS = """
INSERT INTO serving_environment (id, created_at, updated_at, project_id, name)
SELECT md5('environment-' || i)::uuid, t, t, $1, 'environment-' || i
FROM generate_series(0, $2::int - 1) AS i,
    LATERAL (SELECT timestamptz '2026-03-01' + i * interval '1 second') AS x (t)
"""
# The model, version and environment of the service with number i.
_NUMBERS = f"""
SELECT i, timestamptz '2026-03-02' + i * interval '1 second' AS t,
    md5('service-' || i)::uuid AS service, md5('model-' || model)::uuid AS model,
    md5('version-' || model || '-' || CASE WHEN model = 0 THEN i + 1 ELSE 1 END)::uuid AS version,
    md5('environment-' || CASE WHEN model = 0 THEN 0 ELSE i END)::uuid AS environment
FROM generate_series(0, {ROWS} - 1) AS i,
    LATERAL (SELECT CASE WHEN i < {IN_ONE_PLACE} THEN 0
        ELSE {ONE_VERSION_EACH.start} + (i - {IN_ONE_PLACE}) % {len(ONE_VERSION_EACH)} END) AS x (model)
"""
_SERVICES = f"""
INSERT INTO inference_service (
    id, created_at, updated_at, project_id, name, external_id, serving_environment_id, registered_model_id,
    model_version_id, current_state, url
)
SELECT service, t, t, $1, 'service-' || i, 'uid-' || i, environment, model, version,
    CASE WHEN i % 10 = 9 THEN 'UNDEPLOYED' ELSE 'DEPLOYED' END, 'http://service.example.com'
FROM ({_NUMBERS}) AS n
"""
_SERVE_MODELS = f"""
INSERT INTO serve_model (
    id, created_at, updated_at, project_id, inference_service_id, model_version_id, last_known_state
)
SELECT md5('serve-' || i)::uuid, t, t, $1, service, version, CASE WHEN i % 10 = 9 THEN 'PENDING' ELSE 'RUNNING' END
FROM ({_NUMBERS}) AS n
"""
_DEPLOYMENTS = f"""
INSERT INTO deployment (
    id, created_at, updated_at, project_id, serving_environment_id, registered_model_id, namespace, name, want, spec,
    applied_generation, applied, applied_at, serving_generation, phase, observed_at, next_at
)
SELECT service, t, t, $1, environment, model, 'environment-' || i, 'service-' || i, 'PRESENT',
    $2::text::jsonb || jsonb_build_object(
        'registered_model_id', model, 'model_version_id', version, 'served_version_ids', jsonb_build_array(version)
    ),
    1, jsonb_build_object('uid', 'uid-' || i, 'k8s_generation', 1, 'resource_version', '1', 'content', '{{}}'::jsonb),
    t, 1, CASE WHEN i % 100 = 1 THEN 'FAILED' ELSE 'DEPLOYED' END, t,
    now() + CASE WHEN i % {DUE_EVERY} = 0 THEN -interval '1 minute' ELSE interval '1 hour' END + i * interval '1 ms'
FROM ({_NUMBERS}) AS n WHERE i % 10 < 9
"""
_GONE = f"""
INSERT INTO deployment (
    id, created_at, project_id, serving_environment_id, registered_model_id, namespace, name, want, spec, generation,
    phase, observed_at, next_at
)
SELECT md5('gone-' || i)::uuid, t, $1, environment, model, 'environment-' || i, 'gone-' || i, 'ABSENT',
    $2::text::jsonb, 2, 'UNDEPLOYED', CASE WHEN i % {LOOKED_AT_EVERY} = 0 THEN t END, NULL
FROM ({_NUMBERS}) AS n WHERE i < {GONE}
"""
_REVISIONS = """
INSERT INTO deployment_revision (deployment_id, generation, created_at, cause, spec, outcome, served_from)
SELECT id, 1, created_at, 'DEPLOY', spec, 'SERVED', created_at FROM deployment
"""
_SERVING = """
INSERT INTO deployment_serving (deployment_id, generation, served_from, served_until)
SELECT deployment_id, generation, served_from, served_until FROM deployment_revision
"""
_EVENTS = "INSERT INTO deployment_event (deployment_id, generation, phase) SELECT id, 1, phase FROM deployment"
_REQUESTS = """
INSERT INTO request (project_id, key, rpc, digest, subject, answer, created_at)
SELECT project_id, 'for-' || name, 'rpc', '', id, 'answer', now() - random() * interval '30 hours' FROM deployment
"""
# Each of them served once for one second, one after another.
_HISTORY = f"""
WITH later AS (
    UPDATE deployment SET generation = {HISTORY}, serving_generation = {HISTORY}, applied_generation = {HISTORY}
    WHERE id = $1 RETURNING *
), ended AS (
    UPDATE deployment_revision SET served_until = served_from + interval '1 second' WHERE deployment_id = $1
), revisions AS (
    INSERT INTO deployment_revision (
        deployment_id, generation, created_at, cause, spec, outcome, served_from, served_until
    )
    SELECT id, g, t, 'UPDATE', spec, 'SERVED', t, CASE WHEN g < {HISTORY} THEN t + interval '1 second' END
    FROM later, generate_series(2, {HISTORY}) AS g, LATERAL (SELECT created_at + g * interval '1 second') AS x (t)
)
INSERT INTO deployment_event (deployment_id, generation, phase)
SELECT id, g, phase FROM later, generate_series(2, {HISTORY}) AS g
"""
_ORPHANS = f"""
INSERT INTO orphan (uid, namespace, name)
SELECT 'orphan-' || i, 'environment-' || i, 'orphan-' || i FROM generate_series(0, {ROWS} - 1) AS i
"""
# A project with one object of each kind.
_OTHER_PROJECTS = """
CREATE TEMP TABLE other AS SELECT gen_random_uuid() AS id FROM generate_series(1, 5000);
INSERT INTO registered_model (id, project_id, name) SELECT id, id, 'model' FROM other;
INSERT INTO model_version (id, project_id, registered_model_id, name) SELECT id, id, id, 'v1' FROM other;
INSERT INTO serving_environment (id, project_id, name) SELECT id, id, 'environment' FROM other;
INSERT INTO inference_service (id, project_id, name, serving_environment_id, registered_model_id)
SELECT id, id, 'service', id, id FROM other;
INSERT INTO serve_model (id, project_id, inference_service_id, model_version_id) SELECT id, id, id, id FROM other;
INSERT INTO deployment (
    id, project_id, serving_environment_id, registered_model_id, namespace, name, want, spec, next_at
)
SELECT id, id, id, id, 'environment', 'service', 'PRESENT', '{}', NULL FROM other;
DROP TABLE other
"""


def _digest(text: str) -> UUID:
    return UUID(md5(text.encode(), usedforsecurity=False).hexdigest())


def environment_id(number: int) -> UUID:
    """The environment with number i. The first one has many services."""
    return _digest(f"environment-{number}")


def service_id(number: int) -> UUID:
    """The id of a service and of its deployment. Services whose number ends with 9 have no deployment."""
    return _digest(f"service-{number}")


def serve_model_id(number: int) -> UUID:
    return _digest(f"serve-{number}")


HISTORIC = service_id(IN_ONE_PLACE + 2)
"""The deployment with the long history."""
HISTORIC_AT = datetime(2026, 3, 2, tzinfo=UTC) + timedelta(seconds=IN_ONE_PLACE + 2 + HISTORY // 2)
"""A time in the middle of its history."""


async def load(database_url: str) -> None:
    """Add serving objects to the data of tests.bench.data."""
    connection = await asyncpg.connect(database_url)
    spec = orjson.dumps(spec_to_json(a_spec())).decode()
    try:
        await connection.execute(_VERSIONS, ONE_VERSION_EACH.start, ONE_VERSION_EACH.stop - 1, data.PROJECT)
        # The following rows have no counters, and only refer to existing rows.
        await connection.execute("SET session_replication_role = replica")
        await connection.execute(_ENVIRONMENTS, data.PROJECT, ROWS)
        await connection.execute(_SERVICES, data.PROJECT)
        await connection.execute(_SERVE_MODELS, data.PROJECT)
        await connection.execute(_DEPLOYMENTS, data.PROJECT, spec)
        await connection.execute(_GONE, data.PROJECT, spec)
        for statement in (_NUMBERED, _REVISIONS, _EVENTS, _REQUESTS, _ORPHANS, _ALIASES, _MOVES):
            await connection.execute(statement)
        await connection.execute(_HISTORY, HISTORIC)
        await connection.execute(_SERVING)
    finally:
        await connection.close()


async def add_other_projects(database_url: str) -> None:
    """Thousands of projects with one object of each kind, so that the average project is small."""
    connection = await asyncpg.connect(database_url)
    try:
        await connection.execute(_OTHER_PROJECTS)
    finally:
        await connection.close()
