"""Filters that take too long are blamed themselves, and do not hold the connections that others need."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace
from typing import Any
from uuid import UUID

import asyncpg
import pytest
from grpc import StatusCode
from tests.contract.conftest import repositories_on
from tests.fakes.repositories import Repositories
from tests.postgres import PATIENT, ServerForRun, new_database

from modelregistry.v1 import registered_model_pb2
from registry_grpc.adapters.grpc.call import Call
from registry_grpc.adapters.grpc.errors import refusal_of
from registry_grpc.adapters.postgres.database import Database
from registry_grpc.domain import artifact, model_alias, model_version, registered_model, serving_environment
from registry_grpc.domain.artifact import ArtifactFilter
from registry_grpc.domain.errors import FilterTooExpensive, Reason, Unavailable
from registry_grpc.domain.filter.fields import Filter, parse_filter
from registry_grpc.domain.model_version import ModelVersionFilter
from registry_grpc.domain.paging import Slice, Sort
from registry_grpc.domain.registered_model import RegisteredModelFilter
from registry_grpc.domain.serving_environment import ServingEnvironmentFilter

pytestmark = pytest.mark.slow

PROJECT, MODEL = UUID(int=1), UUID(int=2)
PAGE, COUNTED = Slice(by_cursor=True), Slice()
ALLOWED = 1.0


@pytest.fixture
async def database(server_for_run: ServerForRun) -> AsyncIterator[Database]:
    async with new_database(server_for_run, server_for_run.template) as url:
        database = Database(url, replace(PATIENT, size=8, statement_timeout=ALLOWED))
        yield database
        await database.close()


def models(r: Repositories, where: Filter | None, slice_: Slice = PAGE) -> Awaitable[Any]:
    return r.models.list(PROJECT, RegisteredModelFilter(where=where), Sort(), slice_)


def versions(r: Repositories, where: Filter | None) -> Awaitable[Any]:
    return r.versions.list(PROJECT, ModelVersionFilter(where=where), Sort(), PAGE)


def environments(r: Repositories, where: Filter | None) -> Awaitable[Any]:
    return r.environments.list(PROJECT, ServingEnvironmentFilter(where=where), Sort(), PAGE)


def artifacts(r: Repositories, where: Filter | None) -> Awaitable[Any]:
    return r.artifacts.list(PROJECT, ArtifactFilter(where=where), PAGE)


def moves(r: Repositories, where: Filter | None) -> Awaitable[Any]:
    return r.aliases.moves(PROJECT, MODEL, "", PAGE, model_alias.LAST_MOVE_FIRST, where)


Listed = Callable[[Repositories, Filter | None], Awaitable[Any]]
SHORTER = f"{ALLOWED * 0.4:g}"


@pytest.mark.parametrize(
    ("listed", "table", "fields", "text", "seconds"),
    [
        (models, "registered_model", registered_model.FILTER_FIELDS, "name = *x*", SHORTER),
        (models, "registered_model", registered_model.FILTER_FIELDS, "labels.team = x OR model_size > 3", SHORTER),
        (models, "registered_model", registered_model.FILTER_FIELDS, "labels.team = x model_size > 3", "1"),
        (models, "registered_model", registered_model.FILTER_FIELDS, "created_at > 2026-01-02T03:04:05Z", "1"),
        (models, "registered_model", registered_model.FILTER_FIELDS, "name = x", "1"),
        (models, "registered_model", registered_model.FILTER_FIELDS, "name != x", SHORTER),
        (versions, "model_version", model_version.FILTER_FIELDS, "aliases:x", "1"),
        (versions, "model_version", model_version.FILTER_FIELDS, "number > 3", SHORTER),
        (environments, "serving_environment", serving_environment.FILTER_FIELDS, "properties.x > 3", "1"),
        (artifacts, "artifact", artifact.FILTER_FIELDS, "size_bytes > 3", SHORTER),
        (moves, "model_alias_move", model_alias.MOVE_FILTER_FIELDS, "name = x*", SHORTER),
    ],
)
async def test_a_filter_that_takes_too_long_is_refused(  # noqa: PLR0917 - a table
    database: Database, listed: Listed, table: str, fields: Any, text: str, seconds: str
) -> None:
    """While the table is locked, every read of it takes too long."""
    await database.execute("INSERT INTO registered_model (id, project_id, name) VALUES ($1, $2, 'm')", MODEL, PROJECT)
    repositories = repositories_on(database)
    where = parse_filter(text, fields)
    await listed(repositories, where)
    async with database.session() as connection, connection.transaction():
        await connection.execute(f"LOCK TABLE {table} IN ACCESS EXCLUSIVE MODE")
        with pytest.raises(FilterTooExpensive) as raised:
            await listed(repositories, where)
        with pytest.raises(Unavailable):
            await listed(repositories, None)
    assert raised.value.metadata == {"seconds": seconds}
    assert await listed(repositories, where)


async def test_a_counted_list_too(database: Database) -> None:
    async with database.session() as connection, connection.transaction():
        await connection.execute("LOCK TABLE registered_model IN ACCESS EXCLUSIVE MODE")
        with pytest.raises(FilterTooExpensive):
            await models(
                repositories_on(database), parse_filter("model_size > 3", registered_model.FILTER_FIELDS), COUNTED
            )


async def test_slow_filters_do_not_hold_the_connections_of_others(database: Database) -> None:
    slow = [
        asyncio.create_task(database.share(name).for_filter(is_indexed=False).fetch("SELECT pg_sleep(60)"))
        for name in ("registered_model", "model_version") * 10
    ]
    async with database.session() as watcher:
        statement = "SELECT count(*) FROM pg_stat_activity WHERE query = 'SELECT pg_sleep(60)' AND state = 'active'"
        while await watcher.fetchval(f"{statement} AND datname = current_database()") < 3:  # noqa: ASYNC110 - they run in another process
            await asyncio.sleep(0.01)
        assert await asyncio.gather(*(database.share("registered_model").fetch("SELECT 1") for _ in range(20)))
        assert await watcher.fetchval(f"{statement} AND datname = current_database()") <= 3
    assert not any(task.done() and not task.exception() for task in slow)
    for task in slow:
        task.cancel()
    await asyncio.gather(*slow, return_exceptions=True)


async def test_the_connection_is_used_again_with_the_usual_time(database_url: str) -> None:
    one = Database(database_url, replace(PATIENT, size=1, statement_timeout=ALLOWED))
    filtered, pid = one.for_filter(is_indexed=False), "SELECT pg_backend_pid(), current_setting('statement_timeout')"
    before = await one.fetch(pid)
    assert (await filtered.fetch(pid))[0][1] == "400ms"
    with pytest.raises(FilterTooExpensive):
        await filtered.fetch("SELECT pg_sleep(60)")
    assert await one.fetch(pid) == before
    assert before[0][1] == "1s"
    with pytest.raises(asyncpg.UndefinedColumnError):  # a fault of the code is no fault of the filter
        await filtered.fetch("SELECT nothing")
    await one.close()


def test_clients_are_told_what_to_change() -> None:
    kind: Any = registered_model_pb2.ListRegisteredModelsRequest.DESCRIPTOR
    refusal = refusal_of(FilterTooExpensive(2.0), Call(method="m"), kind)
    info, request = refusal.details
    violation: Any = request
    assert refusal.code is StatusCode.INVALID_ARGUMENT
    assert (info.reason, dict(info.metadata)) == (Reason.FILTER_TOO_EXPENSIVE, {"seconds": "2"})  # type: ignore[attr-defined]
    assert [each.field for each in violation.field_violations] == ["filter"]
    assert "add an equality of a field with an index" in refusal.message
    assert refusal.message.endswith("it was ended after 2 s")
