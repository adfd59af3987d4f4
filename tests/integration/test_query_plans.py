"""What the statements cost does not grow with what is stored: their plans, on 100,000 models and 30,000 versions.

Every node of a plan says how many rows it handled. No list may handle more than a few times its page, whatever the
size of the tables; that rules out scans of a table, sorts of all rows and skipping rows one by one. Plans are looked at
as the service gets them: made for the values at hand, and, after some executions, made once for all values.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import orjson
import pytest
import pytest_asyncio
from tests.bench import data
from tests.postgres import ServerForRun, new_database

from registry_grpc.adapters.encryption.aes_gcm import AesGcmCipher
from registry_grpc.adapters.postgres.database import Database
from registry_grpc.adapters.postgres.model_versions import PostgresModelVersionRepository
from registry_grpc.adapters.postgres.registered_models import PostgresRegisteredModelRepository
from registry_grpc.domain.errors import NotFound
from registry_grpc.domain.model_version import ModelVersionFilter, ModelVersionKey
from registry_grpc.domain.paging import Cursor, Slice, Sort
from registry_grpc.domain.registered_model import RegisteredModelFilter

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

PAGE = Slice(limit=100)
CURSOR = Slice(limit=100, by_cursor=True)


class RecordingDatabase(Database):
    """Keeps the statements that it runs."""

    def __init__(self, dsn: str) -> None:
        super().__init__(dsn)
        self.statements: list[tuple[str, tuple[Any, ...]]] = []

    async def fetch(self, statement: str, *args: Any) -> list[Any]:
        self.statements.append((statement, args))
        return await super().fetch(statement, *args)

    async def fetchrow(self, statement: str, *args: Any) -> Any | None:
        self.statements.append((statement, args))
        return await super().fetchrow(statement, *args)


@dataclass(frozen=True, slots=True)
class Loaded:
    """The full database, its repositories, and a connection to look at plans with."""

    database: RecordingDatabase
    connection: asyncpg.Connection[Any]
    models: PostgresRegisteredModelRepository = field(init=False)
    versions: PostgresModelVersionRepository = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "models", PostgresRegisteredModelRepository(self.database))
        versions = PostgresModelVersionRepository(self.database, AesGcmCipher({"test": bytes(32)}))
        object.__setattr__(self, "versions", versions)

    async def plans_of(self, call: Callable[[Loaded], Awaitable[object]], mode: str) -> list[dict[str, Any]]:
        """The plans of all statements that the call runs, with what each node did."""
        self.database.statements.clear()
        await call(self)
        await self.connection.execute(f"SET plan_cache_mode = {mode}")
        plans = []
        for statement, args in self.database.statements:
            values = ", ".join(_literal(arg) for arg in args)
            name = f"looked_at_{uuid4().hex}"
            await self.connection.execute(f"PREPARE {name} AS {statement}")
            explained = await self.connection.fetchval(
                f"EXPLAIN (ANALYZE, FORMAT JSON) EXECUTE {name}{f' ({values})' if args else ''}"
            )
            plans.append(orjson.loads(explained)[0]["Plan"])
        return plans


def _literal(value: Any) -> str:
    if value is None:
        return "NULL"
    return str(value) if isinstance(value, int) else "'{}'".format(str(value).replace("'", "''"))


def _nodes(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield plan
    for part in plan.get("Plans", ()):
        yield from _nodes(part)


def _rows(node: dict[str, Any]) -> float:
    """Rows that a node handled: those it passed on and those it threw away."""
    removed = node.get("Rows Removed by Filter", 0) + node.get("Rows Removed by Index Recheck", 0)
    rows: float = (node["Actual Rows"] + removed) * node["Actual Loops"]
    return rows


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def loaded(server_for_run: ServerForRun) -> AsyncIterator[Loaded]:
    async with new_database(server_for_run, server_for_run.template) as url:
        await data.load(url)
        database = RecordingDatabase(url)
        async with database.session() as connection:
            yield Loaded(database, connection)
        await database.close()


def models(sort: Sort | None = None, slice: Slice = PAGE, **filter: str) -> Callable[[Loaded], Awaitable[object]]:
    return lambda loaded: loaded.models.list(data.PROJECT, RegisteredModelFilter(**filter), sort or Sort(), slice)


def versions(
    model: UUID | None, sort: Sort | None = None, slice: Slice = PAGE, **filter: str
) -> Callable[[Loaded], Awaitable[object]]:
    wanted = ModelVersionFilter(registered_model_id=model, **filter)
    return lambda loaded: loaded.versions.list(data.PROJECT, wanted, sort or Sort(), slice)


def find_version(**key: Any) -> Callable[[Loaded], Awaitable[object]]:
    async def find(loaded: Loaded) -> None:
        try:
            await loaded.versions.find(data.PROJECT, ModelVersionKey(**key))
        except NotFound:
            return

    return find


def from_(page: Slice, offset: int) -> Slice:
    return Slice(limit=page.limit, offset=offset)


def after(value: object) -> Slice:
    return Slice(limit=100, by_cursor=True, after=Cursor(value, UUID(int=2**127)))


BIG, SMALL = data.model_id(0), data.model_id(7)
LAST, MIDDLE = data.MODELS - 100, data.MODELS // 2

CASES: dict[str, tuple[Callable[[Loaded], Awaitable[object]], int]] = {
    "get a model": (lambda loaded: loaded.models.get(data.PROJECT, SMALL), 20),
    "get a model with many versions": (lambda loaded: loaded.models.get(data.PROJECT, BIG), 20),
    "find a model by name": (lambda loaded: loaded.models.find(data.PROJECT, name=data.model_name(7)), 20),
    "find a model by id": (lambda loaded: loaded.models.find(data.PROJECT, id=SMALL), 20),
    "list models": (models(), 200),
    "list models, oldest first": (models(Sort("created_at", descending=False)), 200),
    "list models by name": (models(Sort("name")), 200),
    "list models by name, upwards": (models(Sort("name", descending=False)), 200),
    "list models by change": (models(Sort("updated_at")), 200),
    "list models of a state": (models(state="LIVE"), 200),
    "list models of a type": (models(model_type="CUSTOMTRAIN"), 200),
    "list models by cursor": (models(slice=CURSOR), 200),
    "list models after a cursor": (models(slice=after(data.CREATED_AT)), 200),
    "list models by name after a cursor": (models(Sort("name"), slice=after(data.model_name(50_000))), 200),
    "list the last models": (models(slice=from_(PAGE, LAST)), 200),
    "list the last models of a state": (models(slice=from_(PAGE, LAST), state="LIVE"), 200),
    "list the last models by name": (models(Sort("name"), slice=from_(PAGE, LAST)), 300),
    "list models after the last": (models(slice=from_(PAGE, data.MODELS)), 20),
    "search a rare name": (models(search="el-04711"), 20),
    "search what no model has": (models(search="zq"), 20),
    "list versions of a model": (versions(BIG), 200),
    "list versions of a model by name": (versions(BIG, Sort("name")), 200),
    "list versions of a model of a status": (versions(BIG, status="READY"), 200),
    "list versions of a model by cursor": (versions(BIG, slice=CURSOR), 200),
    "list the last versions of a model": (versions(BIG, slice=from_(PAGE, data.VERSIONS_OF_BIG_MODEL - 100)), 200),
    "list all versions": (versions(None), 200),
    "list all versions of a status": (versions(None, status="READY"), 200),
    "list all versions by cursor": (versions(None, slice=CURSOR), 200),
    "list the last of all versions": (versions(None, slice=from_(PAGE, data.ALL_VERSIONS - 100)), 200),
    "get a version": (lambda loaded: loaded.versions.get(data.PROJECT, data.version_id(0, 7)), 20),
    "find a version by name": (find_version(name="v3"), 20),
    "find a version by name in its model": (find_version(name="v3", registered_model_id=BIG), 20),
    "find a version by id": (find_version(id=data.version_id(0, 7)), 20),
    "find a version that is not there": (find_version(name=str(uuid4())), 20),
}


@pytest.mark.parametrize("mode", ["force_custom_plan", "force_generic_plan"])
@pytest.mark.parametrize("case", CASES)
async def test_rows_are_read_for_the_page_only(loaded: Loaded, case: str, mode: str) -> None:
    call, bound = CASES[case]
    plans = await loaded.plans_of(call, mode)
    assert plans
    for plan in plans:
        for node in _nodes(plan):
            assert _rows(node) <= bound, orjson.dumps(node, option=orjson.OPT_INDENT_2).decode()


@pytest.mark.parametrize("mode", ["force_custom_plan", "force_generic_plan"])
async def test_a_search_reads_its_matches_once(loaded: Loaded, mode: str) -> None:
    page = await loaded.models.list(data.PROJECT, RegisteredModelFilter(search="99"), Sort(), PAGE)
    assert page.total is not None
    (plan,) = await loaded.plans_of(models(search="99"), mode)
    scans = [node for node in _nodes(plan) if node.get("Relation Name") == "registered_model"]
    assert [node["Node Type"] for node in scans if _rows(node) > 100] == ["Bitmap Heap Scan"]
    # Those of the other projects have other pairs of letters.
    assert max(map(_rows, scans)) == page.total < data.MODELS / 20


@pytest.mark.parametrize("mode", ["force_custom_plan", "force_generic_plan"])
async def test_the_middle_of_a_list_is_found_in_the_index_alone(loaded: Loaded, mode: str) -> None:
    for call in (models(slice=from_(PAGE, MIDDLE)), models(slice=from_(PAGE, MIDDLE), state="LIVE")):
        _, plan = await loaded.plans_of(call, mode)
        walked = [node for node in _nodes(plan) if _rows(node) > 200]
        assert [node["Node Type"] for node in walked] == ["Index Only Scan"]
        assert _rows(walked[0]) <= MIDDLE + 100
