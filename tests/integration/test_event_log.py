"""The event log that triggers keep: it has every change of every writer, once, in the order of each resource."""

from __future__ import annotations

import asyncio
import random
import uuid
from collections import defaultdict
from collections.abc import AsyncIterator

import asyncpg
import pytest

pytestmark = pytest.mark.slow

PROJECT = uuid.UUID(int=1)
MODEL = uuid.UUID(int=2)
EVENTS = "SELECT * FROM event WHERE type <> 'log.started' ORDER BY position"
INSERT_MODEL = "INSERT INTO registered_model (id, project_id, name) VALUES ($1, $2, $3)"
RENAME = "UPDATE registered_model SET name = id || '/' || split_part(name, '/', 2)::int + 1 WHERE id = $1"
# These never change, change with another column, or say when and in which order rows were written.
NOT_RECORDED = {
    "id", "project_id", "created_at", "updated_at", "access_key_rest", "secret_key_rest", "keys_uri", "sequence",
    "number", "was_aliased", "model_id",
}  # fmt: skip
RECORDED = ("registered_model", "model_version", "artifact", "serving_environment", "inference_service", "serve_model")


@pytest.fixture
async def connection(fresh_database_url: str) -> AsyncIterator[asyncpg.Connection]:
    connection = await asyncpg.connect(fresh_database_url)
    yield connection
    await connection.close()


@pytest.fixture
async def another(fresh_database_url: str) -> AsyncIterator[asyncpg.Connection]:
    another = await asyncpg.connect(fresh_database_url)
    yield another
    await another.close()


async def sequence(connection: asyncpg.Connection) -> int:
    moved: int = await connection.fetchval("SELECT sequence_events(1000)")
    return moved


async def logged(connection: asyncpg.Connection) -> list[tuple[str, str, list[str]]]:
    """The type, the name and the changed fields of all events."""
    await sequence(connection)
    return [(row["type"], row["name"], row["changed"]) for row in await connection.fetch(EVENTS)]


async def a_version(connection: asyncpg.Connection) -> None:
    await connection.execute(INSERT_MODEL, MODEL, PROJECT, "iris")
    await connection.execute("INSERT INTO model_version (id, registered_model_id, name) VALUES ($1, $1, 'v1')", MODEL)


async def test_changes_of_models_and_versions_are_events(connection: asyncpg.Connection) -> None:
    await a_version(connection)
    await connection.execute("UPDATE registered_model SET name = 'lily', labels = '{\"a\": \"b\"}'")
    await connection.execute("UPDATE model_version SET access_key = 'AKIA', access_key_rest = 's3cr3t', uri = 's3://b'")
    await connection.execute("DELETE FROM registered_model")
    assert await logged(connection) == [
        ("model.created", "iris", []),
        ("version.created", "v1", []),
        ("model.updated", "lily", ["name", "labels"]),
        ("version.updated", "v1", ["uri", "access_key"]),
        ("model.deleted", "lily", []),
        ("version.deleted", "v1", []),
    ]
    assert await connection.fetchval("SELECT count(*) FROM event WHERE event::text ~ 'AKIA|s3cr3t|s3://b'") == 0
    assert (
        await connection.fetchval("SELECT count(*) FROM event WHERE model_id = $1 AND project_id = $2", MODEL, PROJECT)
        == 6
    )


async def test_changes_of_environments_and_services_are_events(connection: asyncpg.Connection) -> None:
    await a_version(connection)
    await connection.execute(
        "INSERT INTO serving_environment (id, project_id, name) VALUES ($1, $2, 'prod')", MODEL, PROJECT
    )
    await connection.execute(
        "INSERT INTO inference_service (id, project_id, name, serving_environment_id, registered_model_id)"
        " VALUES ($1, $2, 'iris-prod', $1, $1)",
        MODEL,
        PROJECT,
    )
    await connection.execute("UPDATE inference_service SET current_state = 'DEPLOYED', url = 'http://x'")
    await connection.execute("DELETE FROM inference_service")
    await connection.execute("UPDATE serving_environment SET drift_policy = 'enforce'")
    await connection.execute("DELETE FROM serving_environment")
    assert (await logged(connection))[2:] == [
        ("environment.created", "prod", []),
        ("service.created", "iris-prod", []),
        ("service.updated", "iris-prod", ["current_state", "url"]),
        ("service.deleted", "iris-prod", []),
        ("environment.updated", "prod", ["drift_policy"]),
        ("environment.deleted", "prod", []),
    ]


async def test_changes_of_artifacts_and_links_are_events(connection: asyncpg.Connection) -> None:
    """They can be found by their model, also when their version is deleted with them."""
    await a_version(connection)
    new = (
        "INSERT INTO artifact (id, project_id, model_version_id, model_id, kind, name)"
        " VALUES ($1, $2, $3, $3, 'METRIC', $4)"
    )
    for number, version in ((1, MODEL), (2, None)):
        await connection.execute(new, uuid.UUID(int=number), PROJECT, version, f"a{number}")
    await connection.execute("UPDATE artifact SET value = '{}', updated_at = now()")
    await connection.execute(
        "INSERT INTO serving_environment (id, project_id, name) VALUES ($1, $2, 'prod')", MODEL, PROJECT
    )
    await connection.execute(
        "INSERT INTO inference_service (id, project_id, name, serving_environment_id, registered_model_id)"
        " VALUES ($1, $2, 'iris-prod', $1, $1)",
        MODEL,
        PROJECT,
    )
    link = "INSERT INTO serve_model (id, project_id, inference_service_id, model_version_id) VALUES ($1, $2, $1, $1)"
    await connection.execute(link, MODEL, PROJECT)
    await connection.execute("UPDATE serve_model SET last_known_state = 'RUNNING'")
    await connection.execute("DELETE FROM inference_service")
    await connection.execute("DELETE FROM registered_model")
    await sequence(connection)
    kinds = ("artifact", "serve_model")
    rows = [row for row in await connection.fetch(EVENTS) if row["type"].partition(".")[0] in kinds]
    of_version = f'{{"kind": "METRIC", "model_version_id": "{MODEL}"}}'
    of_link = f'{{"model_version_id": "{MODEL}", "inference_service_id": "{MODEL}"}}'
    assert [(row["type"], row["name"], row["model_id"], row["changed"], row["details"]) for row in rows] == [
        ("artifact.created", "a1", MODEL, [], of_version),
        ("artifact.created", "a2", None, [], '{"kind": "METRIC"}'),
        ("artifact.updated", "a1", MODEL, ["value"], of_version),
        ("artifact.updated", "a2", None, ["value"], '{"kind": "METRIC"}'),
        ("serve_model.created", "v1", MODEL, [], of_link),
        ("serve_model.updated", "v1", MODEL, ["last_known_state"], of_link),
        ("serve_model.deleted", "v1", MODEL, [], of_link),
        ("artifact.deleted", "a1", MODEL, [], of_version),
    ]


async def test_a_restored_row_is_no_new_one(connection: asyncpg.Connection) -> None:
    await a_version(connection)
    row = await connection.fetchval("SELECT to_jsonb(v) FROM model_version v")
    await connection.execute("DELETE FROM model_version")
    await connection.execute("SELECT restore_row('model_version', $1)", row)
    await connection.execute(
        "INSERT INTO model_version (id, registered_model_id, name) VALUES ($1, $2, 'v2')", PROJECT, MODEL
    )
    await sequence(connection)
    rows = (await connection.fetch(EVENTS))[1:]
    assert [(row["type"], row["name"], row["details"]) for row in rows] == [
        ("version.created", "v1", '{"version_number": "1"}'),
        ("version.deleted", "v1", '{"version_number": "1"}'),
        ("version.restored", "v1", '{"version_number": "1"}'),
        ("version.created", "v2", '{"version_number": "2"}'),
    ]


async def test_the_history_of_a_deployment_is_in_the_log(connection: asyncpg.Connection) -> None:
    await connection.execute(
        "INSERT INTO deployment"
        " (id, project_id, serving_environment_id, registered_model_id, namespace, name, want, spec)"
        " VALUES ($1, $2, $1, $1, 'ns', 'iris', 'PRESENT', '{}')",
        MODEL,
        PROJECT,
    )
    await connection.execute(
        "INSERT INTO deployment_revision (deployment_id, generation, created_by, cause, spec)"
        " VALUES ($1, 1, 'ann', 'DEPLOY', '{\"model_version_id\": \"v\"}')",
        MODEL,
    )
    await connection.execute(
        "INSERT INTO deployment_event (deployment_id, generation, phase, message) VALUES ($1, 1, 'PENDING', 'long')",
        MODEL,
    )
    await connection.execute("UPDATE deployment SET attempts = 7")
    await sequence(connection)
    rows = await connection.fetch(EVENTS)
    assert [(row["type"], row["name"], row["actor"], row["model_id"], row["details"]) for row in rows] == [
        (
            "deployment.revision_made", "iris", "external", MODEL,
            '{"cause": "DEPLOY", "revision": "1", "model_version_id": "v"}',
        ),
        ("deployment.status_changed", "iris", "external", MODEL, '{"phase": "PENDING", "revision": "1"}'),
    ]  # fmt: skip


async def test_moves_of_aliases_are_in_the_log(connection: asyncpg.Connection) -> None:
    await a_version(connection)
    for version, moved_by in ((MODEL, "ann"), (None, "")):
        await connection.execute(
            "INSERT INTO model_alias_move (registered_model_id, name, model_version_id, version_number, moved_by)"
            " VALUES ($1, 'champion', $2, CASE WHEN $2::uuid IS NOT NULL THEN 1 END, $3)",
            MODEL,
            version,
            moved_by,
        )
    await sequence(connection)
    rows = (await connection.fetch(EVENTS))[2:]
    assert [(row["type"], row["name"], row["actor"], row["resource_id"], row["details"]) for row in rows] == [
        ("alias.set", "champion", "external", MODEL, f'{{"version_number": "1", "model_version_id": "{MODEL}"}}'),
        ("alias.deleted", "champion", "external", MODEL, "{}"),
    ]


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE registered_model SET updated_at = now(), name = name",
        "UPDATE model_version SET updated_at = now()",
        "UPDATE model_version SET status = 'READY' WHERE false",
        "DELETE FROM serving_environment",
    ],
)
async def test_a_statement_that_changes_nothing_is_no_event(connection: asyncpg.Connection, statement: str) -> None:
    await a_version(connection)
    await sequence(connection)
    await connection.execute(statement)
    assert await sequence(connection) == 0


async def test_a_statement_on_many_rows_has_an_event_for_each_changed_row(connection: asyncpg.Connection) -> None:
    await connection.execute(
        "INSERT INTO registered_model (id, project_id, name, state)"
        " SELECT gen_random_uuid(), $1, n, CASE WHEN n % 2 = 0 THEN 'LIVE' ELSE 'ARCHIVED' END"
        " FROM generate_series(1, 100) AS n",
        PROJECT,
    )
    assert await sequence(connection) == 100
    await connection.execute("UPDATE registered_model SET state = 'ARCHIVED'")
    assert await sequence(connection) == 50
    updated = await connection.fetch("SELECT name FROM event WHERE type = 'model.updated'")
    assert {int(row["name"]) % 2 for row in updated} == {0}
    assert await connection.fetchval("SELECT count(DISTINCT resource_id) FROM event WHERE type = 'model.updated'") == 50


async def test_a_change_that_is_rolled_back_is_no_event(connection: asyncpg.Connection) -> None:
    transaction = connection.transaction()
    await transaction.start()
    await a_version(connection)
    await transaction.rollback()
    assert await logged(connection) == []


async def test_every_column_is_recorded(connection: asyncpg.Connection) -> None:
    """A migration that adds a column has to call make_recorder again."""
    for table in RECORDED:
        source = await connection.fetchval("SELECT prosrc FROM pg_proc WHERE proname = $1", f"record_{table}")
        columns = await connection.fetch(
            "SELECT attname FROM pg_attribute WHERE attrelid = $1::text::regclass AND attnum > 0 AND NOT attisdropped",
            table,
        )
        assert [name for (name,) in columns if name not in NOT_RECORDED and f"THEN '{name}' END" not in source] == []


async def test_a_writer_needs_no_grants_on_the_log(connection: asyncpg.Connection) -> None:
    role = f"writer_{uuid.uuid4().hex}"
    await connection.execute(f"CREATE ROLE {role}; GRANT SELECT, INSERT, UPDATE, DELETE ON registered_model TO {role}")
    await connection.execute(f"SET ROLE {role}")
    await connection.execute(INSERT_MODEL, MODEL, PROJECT, "iris")
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await connection.execute("DELETE FROM event_inbox")
    await connection.execute(f"RESET ROLE; DROP OWNED BY {role}; DROP ROLE {role}")
    assert [kind for kind, *_ in await logged(connection)] == ["model.created"]


async def test_a_temporary_table_cannot_stand_in_for_the_inbox(connection: asyncpg.Connection) -> None:
    await connection.execute("CREATE TEMP TABLE event_inbox (LIKE public.event_inbox INCLUDING ALL)")
    await connection.execute(INSERT_MODEL, MODEL, PROJECT, "iris")
    assert await connection.fetchval("SELECT count(*) FROM pg_temp.event_inbox") == 0
    assert await connection.fetchval("SELECT count(*) FROM public.event_inbox") == 1


async def test_a_change_that_commits_late_gets_a_later_position(
    connection: asyncpg.Connection, another: asyncpg.Connection
) -> None:
    """It has a lower sequence, and would appear behind a reader's back."""
    transaction = connection.transaction()
    await transaction.start()
    await connection.execute(INSERT_MODEL, MODEL, PROJECT, "late")
    await another.execute(INSERT_MODEL, uuid.uuid4(), PROJECT, "early")
    assert await logged(another) == [("model.created", "early", [])]
    await transaction.commit()
    assert await logged(another) == [("model.created", "early", []), ("model.created", "late", [])]


async def test_one_moves_events_at_a_time(connection: asyncpg.Connection, another: asyncpg.Connection) -> None:
    """Otherwise the events of the one that commits last could have lower positions."""
    await connection.execute(INSERT_MODEL, MODEL, PROJECT, "one")
    transaction = connection.transaction()
    await transaction.start()
    assert await sequence(connection) == 1
    await connection.execute("UPDATE registered_model SET name = 'two'")
    waiting = asyncio.create_task(sequence(another))
    while not await connection.fetchval("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"):
        assert not waiting.done()
    await transaction.commit()
    assert await waiting == 1
    assert [name for _, name, _ in await logged(another)] == ["one", "two"]


async def test_events_that_are_moved_together_keep_their_order(connection: asyncpg.Connection) -> None:
    await connection.execute(INSERT_MODEL, MODEL, PROJECT, "iris/0")
    for _ in range(20):
        await connection.execute(RENAME, MODEL)
    assert [await connection.fetchval("SELECT sequence_events(15)") for _ in range(3)] == [15, 6, 0]
    assert [int(name.partition("/")[2]) for _, name, _ in await logged(connection)] == list(range(21))


async def test_events_are_not_moved_with_an_old_snapshot(connection: asyncpg.Connection) -> None:
    await connection.execute(INSERT_MODEL, MODEL, PROJECT, "iris")
    with pytest.raises(asyncpg.InvalidTransactionStateError, match="READ COMMITTED"):
        async with connection.transaction(isolation="repeatable_read"):
            await sequence(connection)


async def test_a_reader_misses_nothing_of_concurrent_writers(
    connection: asyncpg.Connection, fresh_database_url: str
) -> None:
    """Several readers move events and continue after the last position that each has seen."""
    models = [uuid.UUID(int=number) for number in range(100, 104)]
    for model in models:
        await connection.execute(INSERT_MODEL, model, PROJECT, f"{model}/0")
    running = 6

    async def write(seed: int) -> None:
        nonlocal running
        dice = random.Random(seed)
        writer = await asyncpg.connect(fresh_database_url)
        for _ in range(40):
            async with writer.transaction():
                for model in sorted(dice.sample(models, 2)):
                    await writer.execute(RENAME, model)
                await writer.execute("SELECT pg_sleep($1)", dice.random() * 0.003)
        await writer.close()
        running -= 1

    async def read() -> list[asyncpg.Record]:
        reader, seen, position = await asyncpg.connect(fresh_database_url), [], 1
        is_last = False
        while not is_last:
            is_last = running == 0
            await reader.fetchval("SELECT sequence_events(7)")
            rows = await reader.fetch("SELECT * FROM event WHERE position > $1 ORDER BY position", position)
            seen += rows
            position = rows[-1]["position"] if rows else position
            is_last = is_last and not await reader.fetchval("SELECT count(*) FROM event_inbox")
        await reader.close()
        return seen

    async with asyncio.TaskGroup() as tasks:
        readers = [tasks.create_task(read()) for _ in range(3)]
        for seed in range(6):
            tasks.create_task(write(seed))
    stored = await connection.fetch(EVENTS)
    assert len(stored) == len(models) + 6 * 40 * 2
    numbers = defaultdict(list)
    for row in stored:
        numbers[row["resource_id"]].append(int(row["name"].partition("/")[2]))
    assert all(found == list(range(len(found))) for found in numbers.values())
    for reader in readers:
        assert reader.result() == stored
