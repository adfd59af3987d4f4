"""Reads and writes every 20 ms while a database is migrated, and reports the longest waits.

`python -m tests.bench.probe [versions]` migrates a database from the Go service's three files to the newest, and adopts
one, on an embedded server that writes to disk as in production.
"""

from __future__ import annotations

import asyncio
import sys
import tempfile
import time
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import asyncpg
from tests.postgres import url_of

from registry_grpc.adapters.postgres import migrate
from registry_grpc.adapters.postgres.adoption import adopt
from registry_grpc.devtools.embedded_postgres import embedded_postgres

Change = Callable[[asyncpg.Connection], Awaitable[object]]
PAUSE = 0.02
GO_FILES = 3
"""The number of migrations that create the Go service's schema."""
_PER_MODEL = 50
_PROJECT = uuid.UUID(int=1)
_FILL = f"""
INSERT INTO registered_model (id, project_id, name)
SELECT gen_random_uuid(), '{_PROJECT}', 'model ' || n FROM generate_series(1, $1 / {_PER_MODEL}) AS n;
"""
_FILL_VERSIONS = f"""
INSERT INTO model_version (id, created_at, registered_model_id, name, status, model_framework, uri, access_key)
SELECT gen_random_uuid(), now() - random() * interval '300 days', m.id, 'v' || n,
    (ARRAY['READY', 'PENDING', 'FAILED'])[1 + n % 3], 'sklearn', 's3://bucket/' || m.id || '/' || n, 'plain'
FROM registered_model AS m, generate_series(1, {_PER_MODEL}) AS n
"""
# Statements of the Go service: by id, a page of a model's versions, of a project's versions, and of its models.
_COLUMNS = "id, created_at, updated_at, registered_model_id, name, state, status, uri, access_key, secret_key, labels"
_MODEL_OF = "(SELECT registered_model_id FROM model_version WHERE id = $1)"
_JOIN = "model_version v JOIN registered_model m ON m.id = v.registered_model_id"
_READS = (
    f"SELECT {_COLUMNS} FROM model_version WHERE id = $1",
    f"SELECT {_COLUMNS} FROM model_version WHERE registered_model_id = {_MODEL_OF} ORDER BY created_at DESC LIMIT 20",
    f"SELECT v.id FROM {_JOIN} WHERE m.project_id = '{_PROJECT}' AND v.id <> $1 ORDER BY v.created_at DESC LIMIT 20",
    f"SELECT id FROM registered_model WHERE project_id = '{_PROJECT}' AND id <> $1 ORDER BY created_at DESC LIMIT 9",
)
_WRITES = (
    "UPDATE model_version SET status = 'READY', updated_at = now() WHERE id = $1",
    f"INSERT INTO model_version (id, name, registered_model_id) SELECT u, u, {_MODEL_OF} FROM gen_random_uuid() AS u",
    f"UPDATE registered_model SET updated_at = now() WHERE id = {_MODEL_OF}",
)


@dataclass
class Waits:
    """How many seconds each statement took. Those in `idle` use no table, so their time is due to the machine."""

    reads: list[float] = field(default_factory=list)
    writes: list[float] = field(default_factory=list)
    idle: list[float] = field(default_factory=list)

    def __str__(self) -> str:
        return ", ".join(
            f"{len(took)} {kind}: longest {max(took) * 1000:.0f} ms, 99.9 % below {_share(took) * 1000:.0f} ms"
            for kind, took in (("reads", self.reads), ("writes", self.writes), ("SELECT 1", self.idle))
        )


def _share(took: list[float]) -> float:
    return sorted(took)[int(len(took) * 0.999)]


@asynccontextmanager
async def probing(url: str) -> AsyncIterator[Waits]:
    """Read and write meanwhile, each on its own connection. If a statement fails, the block fails. One that answers a
    column that became longer may fail once, and is prepared again."""
    waits, stop = Waits(), asyncio.Event()

    async def ask(statements: tuple[str, ...], took: list[float]) -> None:
        connection = await asyncpg.connect(url)
        ids = [row["id"] for row in await connection.fetch("SELECT id FROM model_version ORDER BY random() LIMIT 1000")]
        prepared = [await connection.prepare(statement) for statement in statements]
        again: set[int] = set()
        n = 0
        while not stop.is_set():
            begun, place, id_ = time.perf_counter(), n % len(prepared), ids[n % len(ids)]
            try:
                await prepared[place].fetch(id_)
            except asyncpg.InvalidCachedStatementError:
                prepared[place] = await connection.prepare(statements[place])
                await prepared[place].fetch(id_)
                assert place not in again, statements[place]
                again.add(place)
            took.append(time.perf_counter() - begun)
            if took[-1] > 0.1:
                print(f"    {time.strftime('%H:%M:%S')} {took[-1] * 1000:.0f} ms: {statements[place][:60]}")  # noqa: T201
            n += 1
            await asyncio.sleep(max(0.0, PAUSE - took[-1]))
        await connection.close()

    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(ask(_READS, waits.reads))
        tasks.create_task(ask(_WRITES, waits.writes))
        tasks.create_task(ask(("SELECT $1::uuid",), waits.idle))
        try:
            yield waits
        finally:
            stop.set()


async def go_database(url: str, versions: int) -> None:
    """Create the Go service's tables with rows and statistics."""
    async with migrate.migration_connection(url) as connection:
        await migrate.up(connection, migrate.load_migrations(), steps=GO_FILES)
    connection = await asyncpg.connect(url)
    await connection.execute(_FILL.replace("$1", str(versions)))
    await connection.execute(_FILL_VERSIONS)
    await connection.execute("VACUUM ANALYZE")
    await connection.close()


async def waits_while(url: str, change: Change) -> tuple[Waits, Waits]:
    """How long statements took in two seconds before the change, and during it."""
    async with probing(url) as before:
        await asyncio.sleep(2)
    async with migrate.migration_connection(url) as connection, probing(url) as during:
        await change(connection)
    return before, during


async def adopt_all(connection: asyncpg.Connection) -> None:
    await connection.execute("DROP TABLE virtual_model_backend, virtual_model")
    await migrate.set_version(connection, 4, dirty=True)
    await adopt(connection, migrate.load_migrations())


async def migrate_all(connection: asyncpg.Connection) -> None:
    known = migrate.load_migrations()
    while True:
        begun = time.perf_counter()
        applied = await migrate.up(connection, known, steps=1)
        if not applied:
            return
        print(f"  {time.perf_counter() - begun:7.1f} s  {applied[0].name}", flush=True)  # noqa: T201


async def main(versions: int) -> None:
    with (
        tempfile.TemporaryDirectory(prefix="registry-probe-") as folder,
        embedded_postgres(Path(folder) / "postgres") as server,
    ):
        for name, change in (("up", migrate_all), ("adopt", adopt_all)):
            connection = await asyncpg.connect(server.url)
            await connection.execute(f"CREATE DATABASE {name}")
            await connection.close()
            url = url_of(server.url, name)
            await go_database(url, versions)
            before, during = await waits_while(url, change)
            print(f"{name}, {versions} versions\n  before: {before}\n  during: {during}", flush=True)  # noqa: T201


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]) if len(sys.argv) > 1 else 500_000))
