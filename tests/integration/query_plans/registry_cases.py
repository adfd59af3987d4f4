"""The statements of registered models and of model versions."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any
from uuid import UUID, uuid4

from tests.bench import data
from tests.fakes.builders import a_model, a_version
from tests.integration.query_plans import event_data, serving_data
from tests.integration.query_plans.loaded import CIPHER, CURSOR, PAGE, Case, Loaded, after, from_, full, nearest, once

from registry_grpc.adapters.postgres.stored_keys import count_stored_secrets, encrypt_stored_secrets
from registry_grpc.domain.batch import BY_ID
from registry_grpc.domain.model_alias import AliasChange
from registry_grpc.domain.model_version import Credentials, ModelVersionFilter, ModelVersionKey, ModelVersionPatch
from registry_grpc.domain.paging import Slice, Sort, View
from registry_grpc.domain.registered_model import RegisteredModelFilter, RegisteredModelPatch

PROJECT = data.PROJECT
BIG, SMALL = data.model_id(0), data.model_id(7)
UNUSED = data.model_id(data.MODELS - 1)
"""A model without versions and deployments."""
LAST, MIDDLE = data.MODELS - 100, data.MODELS // 2
VERSIONS = data.ALL_VERSIONS + len(serving_data.ONE_VERSION_EACH)
"""The number of versions of the project."""


def models(
    sort: Sort | None = None,
    slice: Slice = PAGE,
    rows: int = 200,
    walks: Mapping[str, int] | None = None,
    **filter: Any,
) -> Case:
    wanted = RegisteredModelFilter(**filter)
    return Case(lambda loaded: loaded.models.list(PROJECT, wanted, sort or Sort(), slice), rows, walks or {})


def matches(search: str) -> int:
    """The number of models with it in their name."""
    return sum(search in data.model_name(number) for number in range(data.MODELS))


def versions(model: UUID | None, sort: Sort | None = None, slice: Slice = PAGE, **filter: Any) -> Case:
    wanted = ModelVersionFilter(registered_model_id=model, **filter)
    return Case(lambda loaded: loaded.versions.list(PROJECT, wanted, sort or Sort(), slice), 200)


def find_version(**key: Any) -> Case:
    return Case(lambda loaded: loaded.versions.find(PROJECT, ModelVersionKey(**key)))


def set_alias(name: str) -> Case:
    change = AliasChange(name=name, version="8")
    return Case(lambda loaded: loaded.aliases.set(PROJECT, BIG, change, "ann"))


def delete_alias(model: UUID, name: str) -> Case:
    return Case(lambda loaded: loaded.aliases.delete(PROJECT, model, AliasChange(name=name), "ann"))


async def delete_archived(loaded: Loaded, id: UUID) -> None:
    await loaded.models.update(PROJECT, id, RegisteredModelPatch(state="ARCHIVED"))
    await loaded.models.delete(PROJECT, id)


async def delete_with_many_versions(loaded: Loaded) -> None:
    model = a_model(PROJECT)
    await loaded.models.create(model)
    async with loaded.database.unexplained() as connection:
        await connection.execute(
            "INSERT INTO model_version (id, registered_model_id, number, name)"
            " SELECT gen_random_uuid(), $1, i, i::text FROM generate_series(1, 20000) AS i",
            model.id,
        )
    await delete_archived(loaded, model.id)


async def _create_version(loaded: Loaded, artifacts_of: UUID | None = None, **fields: Any) -> None:
    version = a_version(a_model(PROJECT, id=BIG), **fields)
    await loaded.versions.create(PROJECT, version, Credentials("key", "secret"), artifacts_of)


_DELETED_WITH_KEYS = """
INSERT INTO deleted_model_version (id, registered_model_id, version)
SELECT id, registered_model_id, to_jsonb(v) || '{"access_key": "key"}' FROM model_version v WHERE id = $1
"""


async def _encrypt_secrets(loaded: Loaded) -> None:
    """Also those of a deleted version."""
    async with loaded.database.unexplained() as connection:
        await connection.execute(_DELETED_WITH_KEYS, data.version_id(0, 7))
    async with loaded.database.transaction() as connection:
        rows = [row async for row in encrypt_stored_secrets(connection, CIPHER)]
        assert len(rows) <= await count_stored_secrets(connection)


CASES: dict[str, Case] = {
    "create a model": Case(lambda loaded: loaded.models.create(a_model(PROJECT))),
    "create a model of a parent": Case(lambda loaded: loaded.models.create(a_model(PROJECT, parent_model_id=BIG))),
    "change a model": Case(lambda loaded: loaded.models.update(PROJECT, BIG, RegisteredModelPatch(description="x"))),
    "rename a model": Case(lambda loaded: loaded.models.update(PROJECT, BIG, RegisteredModelPatch(name="renamed"))),
    "archive a model": Case(lambda loaded: loaded.models.update(PROJECT, BIG, RegisteredModelPatch(state="ARCHIVED"))),
    "delete a model": Case(lambda loaded: delete_archived(loaded, UNUSED)),
    "delete a model with versions": Case(lambda loaded: delete_archived(loaded, SMALL)),
    "delete a model in use": Case(
        lambda loaded: delete_archived(loaded, data.model_id(serving_data.ONE_VERSION_EACH.start)), is_refused=True
    ),
    "delete a model that is not archived": Case(lambda loaded: loaded.models.delete(PROJECT, BIG), is_refused=True),
    "get a model": Case(lambda loaded: loaded.models.get(PROJECT, SMALL)),
    "get a model with many versions": Case(lambda loaded: loaded.models.get(PROJECT, BIG)),
    "find a model by name": Case(lambda loaded: loaded.models.find(PROJECT, name=data.model_name(7))),
    "find a model by id": Case(lambda loaded: loaded.models.find(PROJECT, id=SMALL)),
    "find a model by external id": Case(
        lambda loaded: loaded.models.find(PROJECT, external_id="none"), is_refused=True
    ),
    "list models": models(),
    "list models, oldest first": models(Sort("created_at", descending=False)),
    "list models by name": models(Sort("name")),
    "list models by name, upwards": models(Sort("name", descending=False)),
    "list models by change": models(Sort("updated_at")),
    "list models of a state": models(state="LIVE"),
    "list models of a type": models(model_type="CUSTOMTRAIN"),
    "list models by cursor": models(slice=CURSOR),
    "list models until the page is full": models(slice=full(PAGE)),
    "list models by cursor until the page is full": models(slice=full(after(data.CREATED_AT))),
    "list models by name until the page is full": models(Sort("name"), slice=full(CURSOR)),
    "list the last models until the page is full": models(slice=full(from_(LAST))),
    "list models after a cursor": models(slice=after(data.CREATED_AT)),
    "list models by name after a cursor": models(Sort("name"), slice=after(data.model_name(50_000))),
    "list the last models": models(slice=from_(LAST)),
    "list the last models of a state": models(slice=from_(LAST), state="LIVE"),
    "list the last models by name": models(Sort("name"), slice=from_(LAST), rows=300),
    "list models after the last": models(slice=from_(data.MODELS), rows=20),
    # The middle of the list is found in the index alone.
    "list models in the middle": models(
        slice=from_(MIDDLE), walks={"Index Only Scan on registered_model": MIDDLE + 100}
    ),
    "list models of a state in the middle": models(
        slice=from_(MIDDLE), state="LIVE", walks={"Index Only Scan on registered_model": MIDDLE + 100}
    ),
    # No index has this order.
    "list models by description": models(
        Sort("description"), walks=once("registered_model", data.MODELS) | {"Sort": data.MODELS}
    ),
    "search a rare name": models(search="el-04711", rows=20),
    "search what no model has": models(search="zq", rows=20),
    # The contract requires the number of matches. Models of other projects have other pairs of letters. Rows that other
    # cases wrote and rolled back are still in the index.
    "search": models(
        search="99",
        walks={
            "Bitmap Heap Scan on registered_model": matches("99"),
            "Bitmap Index Scan on idx_registered_model_search": matches("99") + 20,
            "CTE Scan": matches("99"),
        },
    ),
    # A page does not need the number. Many matches are near, and few are found by the index.
    "search by cursor": models(slice=CURSOR, search="model"),
    "search a rare name by cursor": models(slice=CURSOR, search="el-04711", rows=20, walks=nearest("registered_model")),
    "search after a cursor": models(Sort("name"), after(data.model_name(50_000)), search="model"),
    # A single letter is not a pair.
    "search one letter": models(search="7", walks=once("registered_model", data.MODELS) | {"CTE Scan": matches("7")}),
    "create a version": Case(_create_version),
    "create a model whose name is taken": Case(
        lambda loaded: loaded.models.create(a_model(PROJECT, name=data.model_name(7))), is_refused=True
    ),
    "create a version whose name is taken": Case(lambda loaded: _create_version(loaded, name="v3"), is_refused=True),
    "copy a version": Case(lambda loaded: _create_version(loaded, artifacts_of=data.version_id(0, 7))),
    "create a default version": Case(lambda loaded: _create_version(loaded, is_default=True)),
    "change a version": Case(
        lambda loaded: loaded.versions.update(PROJECT, data.version_id(0, 7), ModelVersionPatch(status="FAILED"))
    ),
    "make a version the default": Case(
        lambda loaded: loaded.versions.update(PROJECT, data.version_id(0, 7), ModelVersionPatch(is_default=True))
    ),
    "add an alias": set_alias("new"),
    "move an alias": set_alias("alias-1"),
    "move the default alias": set_alias("default"),
    "delete an alias": delete_alias(BIG, "alias-1"),
    "delete the default alias": delete_alias(data.model_id(serving_data.ONE_VERSION_EACH.start), "default"),
    "list aliases": Case(lambda loaded: loaded.aliases.list(PROJECT, BIG, PAGE), 200),
    "list moves of aliases": Case(lambda loaded: loaded.aliases.moves(PROJECT, BIG, "", PAGE), 200),
    "list moves of an alias": Case(lambda loaded: loaded.aliases.moves(PROJECT, BIG, "alias-1", PAGE), 200),
    "read credentials": Case(lambda loaded: loaded.versions.credentials(PROJECT, data.version_id(0, 7), "s3://bucket")),
    "read the uri of the keys": Case(lambda loaded: loaded.versions.keys_uri(PROJECT, data.version_id(0, 7))),
    # This is a command that reads all versions once.
    "encrypt stored secrets": Case(
        _encrypt_secrets,
        rows=100,
        walks=once("model_version", VERSIONS + 5_000)
        | once("deleted_model_version", 2 * event_data.DELETED + 1)
        | {"Function Scan": 2 * event_data.DELETED + 1, "Nested Loop": 2 * event_data.DELETED + 1},
    ),
    "list versions of a model": versions(BIG),
    "list versions of a model until the page is full": versions(BIG, slice=full(PAGE)),
    "list all versions by cursor until the page is full": versions(None, slice=full(CURSOR)),
    "list versions of a model by name": versions(BIG, Sort("name")),
    "list versions of a model of a status": versions(BIG, status="READY"),
    "list versions of a model by cursor": versions(BIG, slice=CURSOR),
    "list the last versions of a model": versions(BIG, slice=from_(data.VERSIONS_OF_BIG_MODEL - 100)),
    "list all versions": versions(None),
    "list all versions of a status": versions(None, status="READY"),
    "list all versions by cursor": versions(None, slice=CURSOR),
    "list the last of all versions": versions(None, slice=from_(VERSIONS - 100)),
    "get a batch of models": models(BY_ID, CURSOR, ids=[data.model_id(number) for number in range(100)]),
    **{
        f"{what} with their versions": replace(models(sort, replace(part, view=View.FULL), **wanted), rows=400)
        for what, sort, part, wanted in (
            ("list models", None, PAGE, {}),
            ("list models by cursor", None, CURSOR, {}),
            ("list models by name after a cursor", Sort("name"), after(data.model_name(50_000)), {}),
            ("list models until the page is full", None, full(CURSOR), {}),
            ("list the last models", None, from_(LAST), {}),
            ("search a rare name", None, PAGE, {"search": "el-04711"}),
            ("get a batch of models", BY_ID, CURSOR, {"ids": [data.model_id(number) for number in range(100)]}),
        )
    },
    "list versions with their texts": versions(BIG, slice=replace(PAGE, view=View.FULL)),
    "list versions with their texts until the page is full": versions(BIG, slice=full(replace(CURSOR, view=View.FULL))),
    "get a batch of versions": versions(None, BY_ID, CURSOR, ids=[data.version_id(0, number) for number in range(100)]),
    "get a version": Case(lambda loaded: loaded.versions.get(PROJECT, data.version_id(0, 7))),
    "find a version by name": find_version(name="v3"),
    "find a version by name in its model": find_version(name="v3", registered_model_id=BIG),
    "find a version by id": find_version(id=data.version_id(0, 7)),
    "find a version by number": Case(lambda loaded: loaded.versions.named(PROJECT, BIG, "7")),
    "find a version by alias or name": Case(lambda loaded: loaded.versions.named(PROJECT, BIG, "v3")),
    "find the latest version": Case(lambda loaded: loaded.versions.named(PROJECT, BIG, "latest")),
    "find a version by external id": Case(find_version(external_id="none").call, is_refused=True),
    "find a version that is not there": Case(find_version(name=str(uuid4())).call, is_refused=True),
}
