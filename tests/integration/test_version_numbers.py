"""Versions of other programs have numbers, and so have those that existed before."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator

import asyncpg
import pytest

from registry_grpc.adapters.postgres import migrate
from registry_grpc.operations import _DONE_OF

pytestmark = pytest.mark.slow

MIGRATIONS = migrate.load_migrations()
NUMBERING = 20261130000300
COLUMNS = 20261127000100
INSERT_MODEL = "INSERT INTO registered_model (id, project_id, name) VALUES ($1, $1, $1::uuid::text)"
INSERT_VERSION = "INSERT INTO model_version (id, registered_model_id, name) VALUES (gen_random_uuid(), $1, $2)"
INDEX = "CREATE UNIQUE INDEX uq_model_version_number ON model_version (registered_model_id, number)"
NUMBERS = "SELECT name, number FROM model_version WHERE registered_model_id = $1"


@pytest.fixture
async def connection(empty_database_url: str) -> AsyncIterator[asyncpg.Connection]:
    """A database before versions had numbers."""
    async with migrate.migration_connection(empty_database_url) as connection:
        await migrate.up(connection, [m for m in MIGRATIONS if m.version < NUMBERING])
        yield connection


async def a_model(connection: asyncpg.Connection, versions: int = 0) -> uuid.UUID:
    """A model with versions named v1 to vN, stored in the opposite order, the oldest two at the same time."""
    model = uuid.uuid4()
    await connection.execute(INSERT_MODEL, model)
    await connection.execute(
        "INSERT INTO model_version (id, registered_model_id, name, created_at)"
        " SELECT gen_random_uuid(), $1, 'v' || n, now() - interval '1 day' + greatest(n, 2) * interval '1 s'"
        " FROM generate_series(1, $2::int) n ORDER BY n <= 2 DESC, CASE WHEN n <= 2 THEN n ELSE -n END",
        model,
        versions,
    )
    return model


async def numbers_of(connection: asyncpg.Connection, model: uuid.UUID) -> dict[str, int]:
    return {row["name"]: row["number"] for row in await connection.fetch(NUMBERS, model)}


async def test_existing_versions_are_numbered_by_age(connection: asyncpg.Connection) -> None:
    small, large, none = await a_model(connection, 3), await a_model(connection, 1201), await a_model(connection)
    await migrate.up(connection, MIGRATIONS, steps=1)
    for model, name in ((small, "new"), (small, "newer"), (none, "first")):  # by another writer, meanwhile
        await connection.execute(INSERT_VERSION, model, name)
    await migrate.up(connection, MIGRATIONS)

    assert await numbers_of(connection, small) == {"v1": 1, "v2": 2, "v3": 3, "new": 4, "newer": 5}
    assert await numbers_of(connection, large) == {f"v{n}": n for n in range(1, 1202)}
    assert await numbers_of(connection, none) == {"first": 1}
    await connection.execute(INSERT_VERSION, large, "newest")
    assert (await numbers_of(connection, large))["newest"] == 1202


async def test_numbering_goes_on_after_an_interruption(connection: asyncpg.Connection) -> None:
    model = await a_model(connection, 5)
    await migrate.up(connection, MIGRATIONS, steps=1)
    await connection.execute("INSERT INTO version_number VALUES ($1, 6, 5)", model)
    await connection.execute("UPDATE model_version SET number = 1 WHERE name = 'v1'")
    await connection.execute("UPDATE model_version SET number = 2 WHERE name = 'v2'")
    await connection.execute(INSERT_VERSION, model, "new")
    await migrate.up(connection, MIGRATIONS)
    assert await numbers_of(connection, model) == {**{f"v{n}": n for n in range(1, 6)}, "new": 6}


async def test_the_backfills_tell_how_far_they_are(empty_database_url: str) -> None:
    """As `migrate up` and `migrate adopt` read it."""
    heard = list[str]()
    async with migrate.migration_connection(empty_database_url) as connection:
        await migrate.up(connection, [m for m in MIGRATIONS if m.version < COLUMNS])
        model = await a_model(connection, 3)
        connection.add_log_listener(lambda _connection, message: heard.append(message.message))
        reported = list[tuple[int, int]]()
        await migrate.up(
            connection, MIGRATIONS, report=lambda _migration, place, count: reported.append((place, count))
        )
        assert len(await numbers_of(connection, model)) == 3
    assert [text for text in heard if _DONE_OF.fullmatch(text)] == ["blocks 0 of 1", "versions 3 of 3"]
    assert reported == [(place, len(reported)) for place in range(len(reported))]


async def test_numbering_waits_for_locked_versions_without_holding_others(
    connection: asyncpg.Connection, empty_database_url: str
) -> None:
    model, other = await a_model(connection, 3), await a_model(connection, 3)
    await migrate.up(connection, MIGRATIONS, steps=1)
    await connection.execute(INDEX)  # would wait for the writer
    writer = await asyncpg.connect(empty_database_url)
    async with writer.transaction():
        await writer.execute(
            "UPDATE model_version SET name = 'x' WHERE registered_model_id = $1 AND name = 'v1'", model
        )
        numbering = asyncio.create_task(migrate.up(connection, MIGRATIONS))
        while None in (await numbers_of(writer, other)).values():  # noqa: ASYNC110
            await asyncio.sleep(0.01)
        await writer.execute("UPDATE model_version SET description = 'x' WHERE registered_model_id = $1", model)
        assert not numbering.done()
    await numbering
    assert await numbers_of(connection, model) == {"x": 1, "v2": 2, "v3": 3}
    await writer.close()


async def test_a_version_that_moves_to_another_model_gets_a_number_there(connection: asyncpg.Connection) -> None:
    model, other = await a_model(connection, 2), await a_model(connection, 2)
    await migrate.up(connection, MIGRATIONS)
    await connection.execute(
        "UPDATE model_version SET registered_model_id = $2, name = 'moved'"
        " WHERE registered_model_id = $1 AND name = 'v1'",
        model,
        other,
    )
    assert await numbers_of(connection, other) == {"v1": 1, "v2": 2, "moved": 3}


async def test_deleting_a_model_does_not_deadlock_with_new_versions(
    connection: asyncpg.Connection, empty_database_url: str
) -> None:
    model = await a_model(connection, 1)
    await migrate.up(connection, MIGRATIONS)
    writer = await asyncpg.connect(empty_database_url)
    async with writer.transaction():
        await writer.execute(INSERT_VERSION, model, "new")
        deleting = asyncio.create_task(
            connection.execute(
                "SET lock_timeout = 0; DELETE FROM registered_model WHERE id = $1".replace("$1", f"'{model}'")
            )
        )
        while not await writer.fetch("SELECT FROM pg_locks WHERE NOT granted"):  # noqa: ASYNC110
            await asyncio.sleep(0.01)
        await writer.execute(INSERT_VERSION, model, "newer")
    await deleting
    assert await connection.fetchval("SELECT count(*) FROM version_number") == 0
    await writer.close()
