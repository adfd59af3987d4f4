"""The counters that triggers keep are exact for all writers, also for concurrent ones."""

from __future__ import annotations

import asyncio
import contextlib
import random
import uuid
from collections.abc import AsyncIterator

import asyncpg
import pytest

from registry_grpc.adapters.postgres import migrate

pytestmark = pytest.mark.slow

PROJECTS = [uuid.UUID(int=1), uuid.UUID(int=2)]
STATUSES = ["PENDING", "READY", "FAILED", "ARCHIVED"]

MODELS_COUNTED = """
SELECT project_id, state, model_type, sum(models)::bigint FROM registered_model_count
GROUP BY 1, 2, 3 HAVING sum(models) <> 0 ORDER BY 1, 2, 3
"""
MODELS = "SELECT project_id, state, model_type, count(*) FROM registered_model GROUP BY 1, 2, 3 ORDER BY 1, 2, 3"
PROJECT_VERSIONS_COUNTED = """
SELECT project_id, state, status, sum(versions)::bigint FROM project_version_count
GROUP BY 1, 2, 3 HAVING sum(versions) <> 0 ORDER BY 1, 2, 3
"""
PROJECT_VERSIONS = """
SELECT m.project_id, v.state, v.status, count(*)
FROM model_version v JOIN registered_model m ON m.id = v.registered_model_id GROUP BY 1, 2, 3 ORDER BY 1, 2, 3
"""
MODEL_VERSIONS_COUNTED = """
SELECT registered_model_id, project_id, sum(versions)::bigint FROM model_version_count
GROUP BY 1, 2 HAVING sum(versions) <> 0 ORDER BY 1
"""
MODEL_VERSIONS = """
SELECT m.id, m.project_id, count(*)
FROM model_version v JOIN registered_model m ON m.id = v.registered_model_id GROUP BY m.id ORDER BY m.id
"""
LEFT_BEHIND = """
SELECT registered_model_id FROM model_version_count c
WHERE NOT EXISTS (SELECT FROM registered_model m WHERE m.id = c.registered_model_id)
"""

STRAYED = """
SELECT v.id FROM model_version v JOIN registered_model m ON m.id = v.registered_model_id
WHERE v.project_id <> m.project_id
"""

INSERT_MODEL = "INSERT INTO registered_model (id, project_id, name, state) VALUES ($1, $2, $1::uuid::text, $3)"
INSERT_VERSION = """
INSERT INTO model_version (id, registered_model_id, name, status) SELECT gen_random_uuid(), $1, gen_random_uuid(), $2
"""
INSERT_VERSIONS = """
INSERT INTO model_version (id, registered_model_id, name, status)
SELECT gen_random_uuid(), $1, gen_random_uuid(), status FROM unnest($2::text[]) AS status
"""

MOVE_ALL = "UPDATE model_version SET registered_model_id = '00000000-0000-0000-0000-000000000002'"
ARCHIVE_BY_UPSERT = """
INSERT INTO registered_model (id, project_id, name) SELECT id, project_id, name FROM registered_model
ON CONFLICT (id) DO UPDATE SET state = 'ARCHIVED'
"""


@pytest.fixture
async def connection(fresh_database_url: str) -> AsyncIterator[asyncpg.Connection]:
    connection = await asyncpg.connect(fresh_database_url)
    yield connection
    await connection.close()


async def assert_exact(connection: asyncpg.Connection) -> None:
    async with connection.transaction(isolation="repeatable_read"):  # one snapshot for all six
        assert await connection.fetch(MODELS_COUNTED) == await connection.fetch(MODELS)
        assert await connection.fetch(PROJECT_VERSIONS_COUNTED) == await connection.fetch(PROJECT_VERSIONS)
        assert await connection.fetch(MODEL_VERSIONS_COUNTED) == await connection.fetch(MODEL_VERSIONS)
        assert await connection.fetch(LEFT_BEHIND) == []
        assert await connection.fetch(STRAYED) == []


async def set_shard(connection: asyncpg.Connection, expression: str) -> None:
    """Let all writers use the shard of `expression`. It is volatile, so that it is called once per counter row."""
    await connection.execute(
        "CREATE OR REPLACE FUNCTION counter_shard() RETURNS SMALLINT LANGUAGE sql VOLATILE"
        f" AS $$SELECT ({expression})::SMALLINT$$"
    )


async def some_models(connection: asyncpg.Connection, count: int = 4) -> list[uuid.UUID]:
    """Insert models in both projects, each with versions in every status."""
    models = [uuid.UUID(int=number) for number in range(1, count + 1)]
    for number, model in enumerate(models):
        await connection.execute(INSERT_MODEL, model, PROJECTS[number % 2], "LIVE")
        await connection.execute(INSERT_VERSIONS, model, STATUSES * 2)
    return models


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE registered_model SET state = 'ARCHIVED'",
        "UPDATE registered_model SET model_type = 'CUSTOM', state = 'ARCHIVED' WHERE project_id::text LIKE '%1'",
        "UPDATE registered_model SET description = 'nothing counted'",
        "UPDATE model_version SET status = 'READY'",
        "UPDATE model_version SET state = 'ARCHIVED' WHERE status = 'PENDING'",
        "UPDATE model_version SET status = CASE status WHEN 'READY' THEN 'PENDING' ELSE 'READY' END",
        "UPDATE model_version SET is_default = true",
        MOVE_ALL,
        "DELETE FROM model_version WHERE status = 'READY'",
        "DELETE FROM model_version",
        "DELETE FROM registered_model WHERE id = '00000000-0000-0000-0000-000000000001'",
        "DELETE FROM registered_model",
        "DELETE FROM model_version; DELETE FROM registered_model",
        MOVE_ALL + "; DELETE FROM registered_model WHERE id <> '00000000-0000-0000-0000-000000000002'",
        "WITH m AS (DELETE FROM registered_model) DELETE FROM model_version",
        "WITH v AS (DELETE FROM model_version) DELETE FROM registered_model",
        "TRUNCATE model_version CASCADE",
        "TRUNCATE registered_model CASCADE",
        ARCHIVE_BY_UPSERT,
    ],
)
async def test_counters_follow_every_kind_of_statement(connection: asyncpg.Connection, statement: str) -> None:
    await some_models(connection)
    await assert_exact(connection)
    await connection.execute(statement)
    await assert_exact(connection)


async def test_a_rolled_back_change_is_not_counted(connection: asyncpg.Connection) -> None:
    await some_models(connection)
    transaction = connection.transaction()
    await transaction.start()
    await connection.execute("DELETE FROM registered_model")
    await transaction.rollback()
    await assert_exact(connection)


async def test_shards_may_be_negative_and_still_sum_up(connection: asyncpg.Connection, fresh_database_url: str) -> None:
    models = await some_models(connection)
    await set_shard(connection, f"{await connection.fetchval('SELECT pg_backend_pid()') + 1} % 8")
    other = await asyncpg.connect(fresh_database_url)
    await other.execute("DELETE FROM model_version")
    await other.close()
    assert await connection.fetchval("SELECT min(versions) FROM model_version_count") < 0
    await assert_exact(connection)
    await connection.execute("DELETE FROM registered_model WHERE id = $1", models[0])
    await assert_exact(connection)


@pytest.fixture
async def writer(connection: asyncpg.Connection, fresh_database_url: str) -> AsyncIterator[asyncpg.Connection]:
    """A connection of a role that may write the tables and nothing else."""
    role = f"writer_{uuid.uuid4().hex}"
    await connection.execute(f"CREATE ROLE {role}")
    tables = "registered_model, model_version"
    await connection.execute(f"GRANT SELECT, INSERT, UPDATE, DELETE ON {tables} TO {role}")
    writer = await asyncpg.connect(fresh_database_url)
    await writer.execute(f"SET ROLE {role}")
    yield writer
    await writer.close()
    await connection.execute(f"DROP OWNED BY {role}; DROP ROLE {role}")


async def test_a_writer_needs_no_grants_on_the_counters(
    connection: asyncpg.Connection, writer: asyncpg.Connection
) -> None:
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await writer.execute("UPDATE project_version_count SET versions = 0")
    models = await some_models(writer)
    await writer.execute("UPDATE model_version SET status = 'READY'")
    await writer.execute("DELETE FROM registered_model WHERE id = $1", models[0])
    await assert_exact(connection)


async def test_a_temporary_table_cannot_stand_in_for_a_counter(connection: asyncpg.Connection) -> None:
    await connection.execute("CREATE TEMP TABLE model_version_count (LIKE public.model_version_count INCLUDING ALL)")
    await some_models(connection)
    assert await connection.fetchval("SELECT count(*) FROM pg_temp.model_version_count") == 0
    await connection.execute("DROP TABLE pg_temp.model_version_count")
    await assert_exact(connection)


async def test_a_model_stays_in_its_project(connection: asyncpg.Connection) -> None:
    models = await some_models(connection)
    with pytest.raises(asyncpg.RestrictViolationError, match="cannot move to another project"):
        await connection.execute("UPDATE registered_model SET project_id = $1 WHERE id = $2", PROJECTS[1], models[0])
    # A writer may send back the whole row.
    await connection.execute("UPDATE registered_model SET project_id = project_id, state = 'ARCHIVED'")
    await assert_exact(connection)


async def test_the_first_fill_misses_nothing_of_writers_that_run_on(empty_database_url: str) -> None:
    async with migrate.migration_connection(empty_database_url) as connection:
        migrations = migrate.load_migrations()
        await migrate.up(connection, migrations, steps=3)
        models = await some_models(connection)
        stop = asyncio.Event()

        async def write() -> int:
            written = 0
            writer = await asyncpg.connect(empty_database_url)
            while not stop.is_set():
                await writer.execute(INSERT_VERSION, random.choice(models), "PENDING")
                written += 1
            await writer.close()
            return written

        async with asyncio.TaskGroup() as tasks:
            writers = [tasks.create_task(write()) for _ in range(4)]
            await asyncio.sleep(0.2)
            await migrate.up(connection, migrations)
            await asyncio.sleep(0.2)
            stop.set()
        assert all(writer.result() > 0 for writer in writers)
        await assert_exact(connection)


async def test_a_version_never_gets_the_project_of_a_model_that_was_replaced(
    connection: asyncpg.Connection, fresh_database_url: str
) -> None:
    """The trigger that reads the project must see the same model as the foreign key."""
    (model,) = await some_models(connection, 1)
    writer = await asyncpg.connect(fresh_database_url)
    transaction = connection.transaction()
    await transaction.start()
    await connection.execute("DELETE FROM registered_model")
    await connection.execute(INSERT_MODEL, model, PROJECTS[1], "LIVE")
    inserting = asyncio.create_task(writer.execute(INSERT_VERSION, model, "READY"))
    await asyncio.sleep(0.2)
    assert not inserting.done()
    await transaction.commit()
    with contextlib.suppress(asyncpg.ForeignKeyViolationError):
        await inserting
    await writer.close()
    assert await connection.fetch(STRAYED) == []
    await connection.execute(INSERT_VERSION, model, "READY")
    await assert_exact(connection)


def random_write(dice: random.Random, own: uuid.UUID, shared: list[uuid.UUID]) -> tuple[str, list[object]]:
    """Choose a statement with its arguments. Statements on many rows use a model that only this writer uses."""
    project, model, other = dice.choice(PROJECTS), dice.choice(shared), dice.choice(shared)
    statuses = dice.choices(STATUSES, k=6)
    version = "(SELECT id FROM model_version WHERE registered_model_id = $1 ORDER BY random() LIMIT 1)"
    writes: list[tuple[str, list[object]]] = [
        (INSERT_MODEL, [own, project, statuses[0]]),
        ("DELETE FROM registered_model WHERE id = $1", [own]),
        (INSERT_VERSIONS, [own, statuses]),
        ("UPDATE model_version SET status = $2 WHERE registered_model_id = $1", [own, statuses[0]]),
        ("UPDATE registered_model SET state = $2 WHERE id = $1", [model, statuses[0]]),
        (INSERT_VERSIONS, [model, statuses]),
        (f"DELETE FROM model_version WHERE id = {version}", [model]),
        (f"UPDATE model_version SET status = $2 WHERE id = {version}", [model, statuses[0]]),
        (f"UPDATE model_version SET registered_model_id = $2 WHERE id = {version}", [model, other]),
        ("DELETE FROM registered_model WHERE id = $1", [shared[0]]),
        (INSERT_MODEL, [shared[0], project, "LIVE"]),
    ]
    return dice.choice(writes)


@pytest.mark.parametrize(
    ("shard", "writes"),
    [
        ("pg_backend_pid() % 8", 100),
        # Every writer needs the rows of every other one, and pauses between rows.
        ("length(pg_sleep(random() * 0.002)::text)", 30),
    ],
    ids=["shards", "one shard"],
)
async def test_counters_are_exact_and_free_of_deadlocks_under_concurrent_writers(
    connection: asyncpg.Connection, fresh_database_url: str, shard: str, writes: int
) -> None:
    await set_shard(connection, shard)
    shared = await some_models(connection)

    async def write(seed: int) -> None:
        dice = random.Random(seed)
        writer = await asyncpg.connect(fresh_database_url)
        for _ in range(writes):
            statement, arguments = random_write(dice, uuid.UUID(int=1000 + seed), shared)
            # Concurrent writers may find that a model exists already or was deleted. A deadlock is a failure.
            with contextlib.suppress(asyncpg.UniqueViolationError, asyncpg.ForeignKeyViolationError):
                await writer.execute(statement, *arguments)
        await writer.close()

    async with asyncio.TaskGroup() as tasks:
        for seed in range(10):
            tasks.create_task(write(seed))
    await assert_exact(connection)
