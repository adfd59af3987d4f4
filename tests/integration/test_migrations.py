"""The migrations and their runner, on a real PostgreSQL."""

from __future__ import annotations

import asyncio
import re
import subprocess
from collections.abc import AsyncIterator
from pathlib import Path

import asyncpg
import pytest

from registry_grpc.adapters.postgres import migrate
from registry_grpc.adapters.postgres.migrate import Migration, MigrationError, SchemaVersion
from registry_grpc.devtools.embedded_postgres import binary

MIGRATIONS = migrate.load_migrations()
NEWEST = MIGRATIONS[-1].version


@pytest.fixture
async def connection(empty_database_url: str) -> AsyncIterator[asyncpg.Connection]:
    async with migrate.migration_connection(empty_database_url) as connection:
        yield connection


def schema_of(url: str) -> str:
    dump = subprocess.run(
        [binary("pg_dump"), "--schema-only", "--no-owner", url], check=True, capture_output=True, text=True
    ).stdout
    return re.sub(r"^\\(un)?restrict .*$", "", dump, flags=re.MULTILINE)  # a random key in each dump


async def tables_of(connection: asyncpg.Connection) -> set[str]:
    rows = await connection.fetch("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
    return {row["tablename"] for row in rows}


async def test_every_migration_can_be_taken_back_and_applied_again(
    connection: asyncpg.Connection, empty_database_url: str
) -> None:
    await migrate.up(connection, ())  # the empty schema, with schema_migrations
    before = [schema_of(empty_database_url)]
    for migration in MIGRATIONS:
        assert await migrate.up(connection, MIGRATIONS, steps=1) == [migration]
        before.append(schema_of(empty_database_url))
    assert len(set(before)) == len(before), "a migration changed nothing"

    for migration in reversed(MIGRATIONS):
        after = before.pop()
        assert await migrate.down(connection, MIGRATIONS) == [migration]
        assert schema_of(empty_database_url) == before[-1]
        await migrate.up(connection, MIGRATIONS, steps=1)
        assert schema_of(empty_database_url) == after
        await migrate.down(connection, MIGRATIONS)
    assert await tables_of(connection) == {"schema_migrations"}


async def test_up_ends_at_the_newest_version_and_is_repeatable(connection: asyncpg.Connection) -> None:
    assert await migrate.current_version(connection) is None
    assert await migrate.up(connection, MIGRATIONS) == list(MIGRATIONS)
    assert await migrate.current_version(connection) == SchemaVersion(NEWEST, dirty=False)
    assert migrate.minimum_schema_version() == NEWEST
    assert await migrate.up(connection, MIGRATIONS) == []


async def test_status_tells_applied_from_pending(connection: asyncpg.Connection) -> None:
    assert (await migrate.status(connection, MIGRATIONS)).pending == MIGRATIONS
    await migrate.up(connection, MIGRATIONS, steps=2)
    status = await migrate.status(connection, MIGRATIONS)
    assert status.current == SchemaVersion(MIGRATIONS[1].version, dirty=False)
    assert (status.applied, status.pending) == (MIGRATIONS[:2], MIGRATIONS[2:])


async def test_down_by_all_steps_leaves_no_version(connection: asyncpg.Connection) -> None:
    await migrate.up(connection, MIGRATIONS)
    undone = await migrate.down(connection, MIGRATIONS, steps=len(MIGRATIONS))
    assert undone == list(reversed(MIGRATIONS))
    assert await migrate.current_version(connection) is None
    assert await migrate.down(connection, MIGRATIONS) == []


async def test_replicas_that_start_at_once_migrate_once(empty_database_url: str) -> None:
    async def replica() -> list[Migration]:
        async with migrate.migration_connection(empty_database_url) as connection:
            return await migrate.up(connection, MIGRATIONS)

    applied = await asyncio.gather(*(replica() for _ in range(4)))
    assert sorted(map(len, applied)) == [0, 0, 0, len(MIGRATIONS)]


async def test_a_failing_migration_leaves_nothing_behind(connection: asyncpg.Connection) -> None:
    steps = (
        Migration(1, "one", "CREATE TABLE one ()", "DROP TABLE one"),
        Migration(2, "two", "CREATE TABLE two (); SELECT nonsense", "DROP TABLE two"),
    )
    with pytest.raises(MigrationError, match='2_two: column "nonsense" does not exist'):
        await migrate.up(connection, steps)
    assert await migrate.current_version(connection) == SchemaVersion(1, dirty=False)
    assert await tables_of(connection) == {"schema_migrations", "one"}


async def test_a_failing_migration_without_a_transaction_leaves_the_database_dirty(
    connection: asyncpg.Connection,
) -> None:
    table = Migration(1, "table", "CREATE TABLE pairs AS VALUES (1), (1)", "DROP TABLE pairs")
    index = "-- migrate:no-transaction\nCREATE {unique} INDEX CONCURRENTLY pair ON pairs (column1)"
    drop = "-- migrate:no-transaction\nDROP INDEX CONCURRENTLY pair"
    with pytest.raises(MigrationError, match="2_index: could not create unique index"):
        await migrate.up(connection, (table, Migration(2, "index", index.format(unique="UNIQUE"), drop)))
    assert await migrate.current_version(connection) == SchemaVersion(2, dirty=True)

    repaired = (table, Migration(2, "index", index.format(unique=""), drop))
    for refused in (migrate.up, migrate.down):
        with pytest.raises(MigrationError, match="marked dirty at version 2"):
            await refused(connection, repaired)

    await connection.execute("DROP INDEX pair; UPDATE schema_migrations SET version = 1, dirty = false")
    assert await migrate.up(connection, repaired) == [repaired[1]]
    assert await migrate.down(connection, repaired) == [repaired[1]]
    assert await migrate.current_version(connection) == SchemaVersion(1, dirty=False)


async def test_a_lock_held_by_others_ends_the_migration_with_a_clear_text(empty_database_url: str) -> None:
    async with migrate.migration_connection(empty_database_url) as connection:
        await migrate.up(connection, MIGRATIONS, steps=4)
    other = await asyncpg.connect(empty_database_url)
    async with other.transaction():
        await other.execute("LOCK TABLE model_version IN ROW EXCLUSIVE MODE")
        async with migrate.migration_connection(empty_database_url, lock_timeout="100ms") as connection:
            with pytest.raises(MigrationError, match="20261122000100_counters: a table is in use"):
                await migrate.up(connection, MIGRATIONS)
            assert await migrate.current_version(connection) == SchemaVersion(MIGRATIONS[3].version, dirty=False)
    await other.close()


async def test_a_newer_schema_is_left_alone(connection: asyncpg.Connection) -> None:
    await migrate.up(connection, MIGRATIONS)
    await migrate.set_version(connection, NEWEST + 1, dirty=False)
    assert await migrate.up(connection, MIGRATIONS) == []
    assert await migrate.current_version(connection) == SchemaVersion(NEWEST + 1, dirty=False)


async def test_an_unknown_version_is_refused(connection: asyncpg.Connection) -> None:
    await migrate.up(connection, ())
    await migrate.set_version(connection, 5, dirty=False)
    with pytest.raises(MigrationError, match="version 5, which is none of the migrations here"):
        await migrate.up(connection, MIGRATIONS)


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ([], "has no migrations"),
        (["1_one.sql"], "is not named"),
        (["1_one.up.sql"], "lacks the up or the down file of 1_one"),
        (["1_one.up.sql", "1_one.down.sql", "01_two.up.sql", "01_two.down.sql"], "two migrations of one version"),
    ],
)
def test_a_folder_that_is_not_in_order_is_refused(tmp_path: Path, files: list[str], message: str) -> None:
    for name in files:
        (tmp_path / name).touch()
    with pytest.raises(MigrationError, match=message):
        migrate.load_migrations(tmp_path)
