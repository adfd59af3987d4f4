"""The statements of filtered lists, for values that all rows have, a few, or none."""

from __future__ import annotations

from collections.abc import Mapping

import asyncpg
from tests.bench import data
from tests.integration.query_plans import serving_data
from tests.integration.query_plans.loaded import CURSOR, PAGE, Case, after, from_, full, nearest, once

from registry_grpc.domain import (
    artifact,
    deployment,
    inference_service,
    model_version,
    registered_model,
    serve_model,
    serving_environment,
)
from registry_grpc.domain.artifact import ArtifactFilter
from registry_grpc.domain.filter.fields import parse_filter
from registry_grpc.domain.inference_service import InferenceServiceFilter
from registry_grpc.domain.model_version import ModelVersionFilter
from registry_grpc.domain.paging import Slice, Sort
from registry_grpc.domain.registered_model import RegisteredModelFilter
from registry_grpc.domain.serve_model import ServeModelFilter
from registry_grpc.domain.serving_environment import ServingEnvironmentFilter
from registry_grpc.ports.deployments import DeploymentFilter

PROJECT, ALL = data.PROJECT, serving_data.ROWS
BIG = data.model_id(0)
RARE = 8
RARE_DIGEST = f"sha256:{'7' * 64}"
# They are the oldest rows, which the order of the lists finds last. All models of other projects have the label too.
_PROPERTIES = """jsonb_build_object(
    'team', '{"string": "vision"}'::jsonb, 'accuracy', jsonb_build_object('double', 0.5 + 0.4 * random())
)"""
_EVERYWHERE = (
    f"UPDATE registered_model SET properties = {_PROPERTIES}, external_id = 'ext-' || name",
    f"""UPDATE model_version v SET
        properties = {_PROPERTIES}, was_aliased = EXISTS (SELECT FROM model_alias WHERE model_version_id = v.id)""",
    f"UPDATE serving_environment SET properties = {_PROPERTIES}, external_id = 'ns-' || name",
    f"UPDATE inference_service SET properties = {_PROPERTIES}",
    f"""INSERT INTO artifact (
        id, created_at, updated_at, project_id, kind, name, uri, digest, size_bytes, labels, properties
    )
    SELECT md5('artifact-' || i)::uuid, t, t, '{PROJECT}', CASE WHEN i < {RARE} THEN 'DOCUMENT' ELSE 'DATASET' END,
        'artifact-' || i, 's3://a/' || i, 'sha256:' || lpad(i::text, 64, '0'), i, '{{"team": "vision"}}', {_PROPERTIES}
    FROM generate_series(0, {ALL} - 1) AS i,
        LATERAL (SELECT timestamptz '2026-03-05' + i * interval '1 second') AS x (t)""",
)
_RARE_VALUES = f"""
UPDATE registered_model SET properties = properties || '{{"rare": {{"int": 7}}}}',
    labels = labels || '{{"rare": "yes"}}', state = 'RARE', tags = jsonb_set(tags, '{{tasks}}', '["rare"]')
WHERE id = ANY(ARRAY(SELECT id FROM registered_model WHERE project_id = $1 ORDER BY created_at, id LIMIT {RARE}));
"""
_RARE_VERSIONS = f"""
UPDATE model_version SET labels = labels || '{{"rare": "yes"}}', model_framework = 'rare', digest = '{RARE_DIGEST}',
    size_bytes = 7, properties = properties || '{{"rare": {{"int": 7}}}}'
WHERE id = ANY(ARRAY(SELECT id FROM model_version WHERE registered_model_id = $1 ORDER BY created_at, id LIMIT {RARE}))
"""
_RARE_SERVICES = f"""
UPDATE inference_service SET
    labels = labels || '{{"rare": "yes"}}', properties = properties || '{{"rare": {{"int": 7}}}}'
WHERE id = ANY(ARRAY(SELECT id FROM inference_service WHERE project_id = $1 ORDER BY created_at, id LIMIT {RARE}))
"""
_ELSEWHERE = """
UPDATE registered_model SET
    labels = labels || '{"rare": "yes"}', state = 'RARE', properties = '{"rare": {"int": 7}}'
WHERE project_id <> $1
"""


async def add_rare_values(database_url: str) -> None:
    connection = await asyncpg.connect(database_url)
    try:
        await connection.execute("SET session_replication_role = replica")  # nobody reads the events of these changes
        for statement in _EVERYWHERE:
            await connection.execute(statement)
        for statement, id_ in [(_RARE_VALUES, PROJECT), (_RARE_VERSIONS, BIG), (_RARE_SERVICES, PROJECT)]:
            await connection.execute(statement, id_)
    finally:
        await connection.close()


async def add_them_elsewhere(database_url: str) -> None:
    connection = await asyncpg.connect(database_url)
    try:
        await connection.execute(_ELSEWHERE, PROJECT)
    finally:
        await connection.close()


Walks = Mapping[str, int]


def models(
    text: str, slice: Slice = CURSOR, sort: Sort | None = None, rows: int = 200, walks: Walks | None = None
) -> Case:
    wanted = RegisteredModelFilter(where=parse_filter(text, registered_model.FILTER_FIELDS))
    return Case(lambda loaded: loaded.models.list(PROJECT, wanted, sort or Sort(), slice), rows, walks or {})


def rare(text: str, slice: Slice = CURSOR, sort: Sort | None = None) -> Case:
    return models(text, slice, sort, walks=nearest("registered_model"))


def versions(text: str, slice: Slice = CURSOR, walks: Walks | None = None, *, of_model: bool = False) -> Case:
    where = parse_filter(text, model_version.FILTER_FIELDS)
    wanted = ModelVersionFilter(registered_model_id=BIG if of_model else None, where=where)
    return Case(lambda loaded: loaded.versions.list(PROJECT, wanted, Sort(), slice), 200, walks or {})


def services(text: str, slice: Slice = CURSOR, walks: Walks | None = None) -> Case:
    wanted = InferenceServiceFilter(where=parse_filter(text, inference_service.FILTER_FIELDS))
    return Case(lambda loaded: loaded.services.list(PROJECT, wanted, Sort(), slice), 200, walks or {})


def artifacts(text: str, walks: Walks | None = None) -> Case:
    wanted = ArtifactFilter(where=parse_filter(text, artifact.FILTER_FIELDS))
    return Case(lambda loaded: loaded.artifacts.list(PROJECT, wanted, CURSOR), 400, walks or {})


def environments(text: str, walks: Walks) -> Case:
    wanted = ServingEnvironmentFilter(where=parse_filter(text, serving_environment.FILTER_FIELDS))
    return Case(lambda loaded: loaded.environments.list(PROJECT, wanted, Sort(), CURSOR), 200, walks)


def serve_models(text: str, walks: Walks | None = None) -> Case:
    wanted = ServeModelFilter(where=parse_filter(text, serve_model.FILTER_FIELDS))
    return Case(lambda loaded: loaded.serve_models.list(PROJECT, wanted, Sort(), CURSOR), 200, walks or {})


def deployments(text: str, walks: Walks | None = None) -> Case:
    wanted = DeploymentFilter(where=parse_filter(text, deployment.FILTER_FIELDS))
    return Case(lambda loaded: loaded.deployments.list(PROJECT, wanted, CURSOR), 200, walks or {})


def revisions(text: str, walks: Walks | None = None) -> Case:
    where, id_ = parse_filter(text, deployment.REVISION_FILTER_FIELDS), serving_data.HISTORIC
    return Case(
        lambda loaded: loaded.deployments.revisions(PROJECT, id_, CURSOR, Sort("revision"), where), 200, walks or {}
    )


EVERY_VERSION = once("model_version", 150_000)
# Their numbers are frequent, but the newest versions have others, so all of them are found by the index.
OLD_VERSIONS = {
    **nearest("model_version"),
    **EVERY_VERSION,
    **dict.fromkeys(("Subquery Scan", "Result", "Bitmap Index Scan on idx_model_version_filter"), 150_000),
}
# The aliases of the nearest versions are read.
ALIASED = nearest("model_version")
# So frequent ones, which the newest versions do not have, are found and read.
OLD_ALIASED = OLD_VERSIONS | once("model_alias", 100_000) | {"Append": 100_000}
EVERY_MODEL = once("registered_model", data.MODELS)
_FOUND = ("Bitmap Index Scan on idx_registered_model_filter", "Subquery Scan", "CTE Scan")

CASES: dict[str, Case] = {
    "models with a frequent label": models("labels.team = vision"),
    "models with a frequent label after a cursor": models("labels.team = vision", after(data.CREATED_AT)),
    "models with a frequent label by name": models("labels.team = vision", sort=Sort("name")),
    "models with a frequent label by change": models("labels.team = vision", sort=Sort("updated_at")),
    "models with a frequent state": models("state = LIVE"),
    "models with two frequent values": models("state = LIVE labels.team = vision"),
    "models with a frequent tag until the page is full": models("tags.frameworks:sklearn", full(CURSOR)),
    "models with a rare label": rare("labels.rare = yes"),
    "models with a rare label after a cursor": rare("labels.rare = yes", after(data.CREATED_AT)),
    "models with a rare label by name": rare("labels.rare = yes", sort=Sort("name")),
    "models with a rare label until the page is full": rare("labels.rare = yes", full(CURSOR)),
    "models with a rare state": rare("state = RARE"),
    "models with a rare tag": rare("tags.tasks:rare"),
    "models with a label that none has": rare("labels.rare = no"),
    "models with rare and frequent values": rare("labels.team = vision AND state = RARE AND model_size = 0"),
    "models with one of two rare values": rare("labels.rare = yes OR state = RARE"),
    "models without rare values among the rare ones": rare("labels.rare = yes AND NOT name = x*"),
    # No index has this order, so the nearest ones are not looked at.
    "models with a rare label by description": models("labels.rare = yes", sort=Sort("description"), rows=20),
    # Without a cursor, all that match are counted.
    "count models with a rare label": models("labels.rare = yes", PAGE, rows=20),
    "count models with a rare label far away": models("labels.rare = yes", from_(9000), rows=20),
    # Rows that other cases wrote and rolled back are still in the index.
    "count models with a frequent label": models(
        "labels.team = vision", PAGE, walks=EVERY_MODEL | dict.fromkeys(_FOUND, data.MODELS + 100)
    ),
    "models of one name": models(f"name = {data.model_name(7)}"),
    "models by a time": models("created_at >= 2026-01-01T12:00:00Z"),
    "models before a time": models("created_at < 2026-01-01T12:00:00Z"),
    # No index has these: the list is read in its order until the page is full, or to its end.
    "models by a frequent size": models("model_size >= 0"),
    "models by a rare size": models("model_size > 0", walks=EVERY_MODEL),
    "models by a part of their name": models("name = *4711*", walks=EVERY_MODEL),
    "models without a frequent label": models("NOT labels.team = vision", walks=EVERY_MODEL),
    "models with a frequent key": models("labels:team"),
    "models with a rare key": rare("labels:rare"),
    "models with a key that none has": rare("labels:nobody"),
    "models with a frequent property": models("properties.team = vision"),
    "models with a rare property": rare("properties.rare = 7"),
    "models with a rare property of any value": rare("properties:rare"),
    "models by a range of a rare property": rare("properties.rare > 6.5 properties.rare <= 7"),
    "models by a frequent range of a property": models("properties.accuracy > 0.5"),
    # The index finds the key only, so all that have it are read.
    "models by a rare range of a property": models(
        "properties.accuracy > 0.99",
        walks={**nearest("registered_model"), **EVERY_MODEL, **dict.fromkeys(_FOUND, data.MODELS + 100)},
    ),
    "models of an external id": rare(f"external_id = ext-{data.model_name(7)}"),
    "all versions with a frequent framework": versions("model_framework = sklearn"),
    "all versions with a rare framework": versions("model_framework = rare", walks=nearest("model_version")),
    "all versions with a rare label": versions("labels.rare = yes", walks=nearest("model_version")),
    "all versions of a uri": versions("uri = s3://models/7/1", walks=nearest("model_version")),
    "versions of a model with a rare label": versions(
        "labels.rare = yes", walks=nearest("model_version"), of_model=True
    ),
    "versions of a model with a frequent label": versions("labels.run = nightly", of_model=True),
    "count versions with a rare label": versions("labels.rare = yes", PAGE),
    "all versions with a rare property": versions("properties.rare = 7", walks=nearest("model_version")),
    "all versions with a frequent property": versions("properties.team = vision"),
    "all versions with a rare digest": versions(f"digest = {RARE_DIGEST}", walks=nearest("model_version")),
    "all versions of a rare size": versions("size_bytes = 7", walks=nearest("model_version")),
    "all versions of a frequent size": versions("size_bytes = 0"),
    "all versions of a rare number": versions("number = 4711", walks=nearest("model_version")),
    "all versions of a frequent number": versions("number = 1", walks=OLD_VERSIONS),
    "all versions by a rare range of sizes": versions("size_bytes > 6", walks=EVERY_VERSION),
    "all versions with a frequent alias": versions("aliases:champion", walks=OLD_ALIASED),
    "all versions with a rare alias": versions("aliases:alias-77", walks=ALIASED),
    "all versions with an alias that none has": versions("aliases:nothing", walks=ALIASED),
    "all default versions": versions("aliases:default", walks=OLD_ALIASED),
    "versions of a model with an alias": versions("aliases:alias-77", walks=ALIASED, of_model=True),
    "environments of an external id": environments("external_id = ns-environment-7", nearest("serving_environment")),
    "environments with a frequent property": environments("properties.team = vision", {}),
    "environments with a property that none has": environments("properties:rare", nearest("serving_environment")),
    "services of an external id": services("external_id = uid-7", walks=nearest("inference_service")),
    "services with a rare property": services("properties.rare = 7", walks=nearest("inference_service")),
    "artifacts of a frequent kind": artifacts("kind = DATASET"),
    "artifacts of a rare kind": artifacts("kind = DOCUMENT", nearest("artifact")),
    "artifacts with a rare digest": artifacts(f"digest = sha256:{4711:064}", nearest("artifact")),
    "artifacts of a rare size": artifacts("size_bytes = 4711", nearest("artifact")),
    "artifacts with a frequent label": artifacts("labels.team = vision"),
    "artifacts with a property that none has": artifacts("properties:rare", nearest("artifact")),
    "artifacts by a rare range of sizes": artifacts(
        "size_bytes > 0 size_bytes < 3", once("artifact", 2 * ALL + 5_000) | EVERY_VERSION
    ),
    "model artifacts with a rare digest": artifacts(f"kind = MODEL digest = {RARE_DIGEST}", nearest("model_version")),
    "model artifacts of a frequent size": artifacts("kind = MODEL size_bytes = 0"),
    "services with a rare label": services("labels.rare = yes", walks=nearest("inference_service")),
    "count services with a rare label": services("labels.rare = yes", PAGE),
    "services by the name of the model": services(
        f"registered_model_name = {data.model_name(0)}",
        walks={"Nested Loop": ALL}
        | once("inference_service", ALL)
        | once("registered_model", ALL)
        | once("serving_environment", ALL),
    ),
    "environments by a part of their name": environments("name = *777*", once("serving_environment", ALL)),
    "serve models of a state": serve_models("last_known_state = RUNNING"),
    "serve models of a rare state": serve_models("last_known_state = FAILED", walks=once("serve_model", ALL)),
    "deployments in a phase": deployments("phase = DEPLOYED"),
    "deployments by version": deployments(
        f"model_version_id = {data.version_id(0, 4711)}", walks=once("deployment", ALL)
    ),
    "revisions of a cause": revisions("cause = UPDATE"),
    "revisions of no cause": revisions(
        "cause = ROLLBACK", walks={"Index Scan on deployment_revision": serving_data.HISTORY}
    ),
}
