"""The migrations and their runner, on a real PostgreSQL."""

from __future__ import annotations

import asyncio
import re
import subprocess
from collections.abc import AsyncIterator
from pathlib import Path
from uuid import uuid4

import asyncpg
import pytest
import pytest_asyncio
from tests.contract.conftest import repositories_on
from tests.fakes.seeding import stored_model
from tests.integration.commands import command
from tests.integration.test_actors import change_everything
from tests.integration.test_audit import change_access
from tests.postgres import PATIENT

from registry_grpc.adapters.encryption.aes_gcm import AesGcmCipher
from registry_grpc.adapters.postgres import migrate
from registry_grpc.adapters.postgres.access import PostgresAccessRepository
from registry_grpc.adapters.postgres.audit import PostgresAuditLog
from registry_grpc.adapters.postgres.database import Database
from registry_grpc.adapters.postgres.migrate import Migration, MigrationError, SchemaVersion
from registry_grpc.adapters.postgres.webhooks import PostgresWebhookRepository
from registry_grpc.devtools.embedded_postgres import binary
from registry_grpc.domain.access import MemberKind, NewMember, Role
from registry_grpc.domain.actor import Origin
from registry_grpc.domain.audit import NO_PROJECT, Refused
from registry_grpc.domain.paging import Slice
from registry_grpc.domain.webhook import NewWebhook, Webhook, new_secret

pytestmark = pytest.mark.slow

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
    return re.sub(r"^\\(un)?restrict .*$", "", dump, flags=re.MULTILINE)  # each dump has a random key


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


AUDIT = next(at for at, migration in enumerate(MIGRATIONS) if migration.name == "audit")
EVENTS = next(at for at, migration in enumerate(MIGRATIONS) if migration.name == "events")


@pytest_asyncio.fixture(loop_scope="session")
async def filled(fresh_database_url: str) -> AsyncIterator[Database]:
    """A database with some of everything, also entries that are not sealed yet."""
    database = Database(fresh_database_url, PATIENT)
    r, log = repositories_on(database), PostgresAuditLog(database)
    for _ in range(2):
        await log.end()  # seals
        await change_everything(r, database, uuid4())
        await change_access(database)
        webhook = Webhook.create(NewWebhook(url="https://h.example/x"), id=uuid4(), project_id=uuid4())
        await PostgresWebhookRepository(database, AesGcmCipher({"k": bytes(32)})).create(webhook, new_secret())
        await log.note(Refused(project_id=NO_PROJECT, actor="eve", origin=Origin("", "", "", "")))
    yield database
    await database.close()


async def test_the_audit_of_access_is_taken_back_and_made_again_on_a_filled_database(
    filled: Database, fresh_database_url: str
) -> None:
    """The entries stay, and the chains go on. What is changed between is in no entry."""
    before, waiting = await rows_of(filled, "audit_entry"), await rows_of(filled, "event_inbox")
    assert min(before, waiting) > 10
    async with migrate.migration_connection(fresh_database_url) as connection:
        await migrate.down(connection, MIGRATIONS, steps=len(MIGRATIONS) - AUDIT)
    project_id, log = uuid4(), PostgresAuditLog(filled)
    member = NewMember(kind=MemberKind.USER, name="bob", role=Role.VIEWER)
    await PostgresAccessRepository(filled).set_member(project_id, member)
    await stored_model(repositories_on(filled), project_id, name="between")
    await log.end()
    assert await rows_of(filled, "event_inbox") == 0
    async with migrate.migration_connection(fresh_database_url) as connection:
        assert await migrate.up(connection, MIGRATIONS) == list(MIGRATIONS[AUDIT:])
    await PostgresAccessRepository(filled).remove_member(project_id, MemberKind.USER, "bob")
    found = (await log.list(project_id, None, Slice(by_cursor=True))).items
    assert [(entry.type, entry.name) for entry in found] == [("member.deleted", "bob"), ("model.created", "between")]
    assert await rows_of(filled, "audit_entry") > before
    verified = await command("audit", "verify", database_url=fresh_database_url)
    assert (verified.status, "BROKEN" in verified.out) == (0, False)


async def test_a_filled_database_is_taken_back_to_before_the_events_and_up_again(
    filled: Database, fresh_database_url: str
) -> None:
    kept = ("registered_model", "model_version", "artifact", "deployment", "inference_service")
    before = {table: await rows_of(filled, table) for table in kept}
    assert min(before.values()) > 0
    steps = len(MIGRATIONS) - EVENTS
    async with migrate.migration_connection(fresh_database_url) as connection:
        assert await migrate.down(connection, MIGRATIONS, steps=steps) == list(reversed(MIGRATIONS[EVENTS:]))
        assert await migrate.up(connection, MIGRATIONS) == list(MIGRATIONS[EVENTS:])
    assert {table: await rows_of(filled, table) for table in kept} == before
    assert await rows_of(filled, "audit_entry") == 0
    project_id, _ = await change_access(filled)
    found = (await PostgresAuditLog(filled).list(project_id, None, Slice(by_cursor=True))).items
    assert {entry.type for entry in found} >= {"member.created", "api_token.created", "project.created"}
    assert (await command("audit", "verify", database_url=fresh_database_url)).status == 0


async def rows_of(database: Database, table: str) -> int:
    row = await database.fetchrow(f"SELECT count(*) AS n FROM {table}")
    assert row is not None
    return int(row["n"])


async def test_up_ends_at_the_newest_version_and_is_repeatable(connection: asyncpg.Connection) -> None:
    assert await migrate.current_version(connection) is None
    assert await migrate.up(connection, MIGRATIONS) == list(MIGRATIONS)
    assert await migrate.current_version(connection) == SchemaVersion(NEWEST, dirty=False)
    assert migrate.LOWEST_VERSION in {migration.version for migration in MIGRATIONS}
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


RESUMABLE = """-- migrate:no-transaction
-- A semicolon; in a comment, in a text and in a body ends nothing.
CREATE TABLE IF NOT EXISTS log (entry TEXT);
INSERT INTO log VALUES ('one;two');
DO $$
BEGIN
    INSERT INTO log VALUES ('committed');
    COMMIT;
END $$;

CREATE UNIQUE INDEX CONCURRENTLY IF NOT EXISTS pair ON pairs (column1);
INSERT INTO log VALUES ('done'); -- the end
"""
DROP = "-- migrate:no-transaction\nDROP INDEX CONCURRENTLY IF EXISTS pair; DROP TABLE IF EXISTS log"
STEPS = (
    Migration(1, "table", "CREATE TABLE pairs AS VALUES (1), (1)", "DROP TABLE pairs"),
    Migration(2, "index", RESUMABLE, DROP),
)
INVALID = "SELECT count(*) FROM pg_index WHERE NOT indisvalid"


async def test_statements_without_a_transaction_are_resumed(connection: asyncpg.Connection) -> None:
    with pytest.raises(MigrationError, match="2_index: could not create unique index"):
        await migrate.up(connection, STEPS)
    status = await migrate.status(connection, STEPS)
    assert (status.current, status.applied, status.pending) == (SchemaVersion(2, dirty=True), STEPS[:1], STEPS[1:])
    assert await connection.fetchval(INVALID) == 1

    await connection.execute("TRUNCATE log; DELETE FROM pairs")
    assert await migrate.up(connection, STEPS) == [STEPS[1]]
    assert await connection.fetchval(INVALID) == 0
    assert await connection.fetchval("SELECT array_agg(entry) FROM log") == ["one;two", "committed", "done"]
    assert await migrate.down(connection, STEPS) == [STEPS[1]]
    assert await migrate.current_version(connection) == SchemaVersion(1, dirty=False)


async def test_a_migration_that_stopped_half_way_can_be_reverted(connection: asyncpg.Connection) -> None:
    with pytest.raises(MigrationError, match="2_index"):
        await migrate.up(connection, STEPS)
    assert await migrate.down(connection, STEPS) == [STEPS[1]]
    assert await migrate.current_version(connection) == SchemaVersion(1, dirty=False)
    assert await tables_of(connection) == {"schema_migrations", "pairs"}


async def test_only_repeatable_migrations_are_resumed(connection: asyncpg.Connection) -> None:
    await migrate.up(connection, STEPS, steps=1)
    await migrate.set_version(connection, 1, dirty=True)  # as another tool leaves it
    for refused in (migrate.up, migrate.down):
        with pytest.raises(MigrationError, match="marked dirty at version 1"):
            await refused(connection, STEPS)


async def test_every_statement_without_a_transaction_can_be_repeated(empty_database_url: str) -> None:
    async with migrate.migration_connection(empty_database_url) as connection:
        for migration in MIGRATIONS:
            if migration.resumable:
                await migrate.set_version(connection, migration.version, dirty=True)
                for statement in migrate.statements_of(migration.up):
                    await connection.execute(statement)
            await migrate.up(connection, MIGRATIONS, steps=1)
        resumed = schema_of(empty_database_url)
        await migrate.down(connection, MIGRATIONS, steps=len(MIGRATIONS))
        await migrate.up(connection, MIGRATIONS)
        assert schema_of(empty_database_url) == resumed


async def test_a_runner_that_lost_its_database_is_resumed(empty_database_url: str) -> None:
    """It is interrupted while it builds an index, which stays behind and is invalid."""
    other, older = await asyncpg.connect(empty_database_url), await asyncpg.connect(empty_database_url)
    before = next(at for at, migration in enumerate(MIGRATIONS) if migration.name == "indexes")
    async with migrate.migration_connection(empty_database_url) as connection:
        await migrate.up(connection, MIGRATIONS, steps=before)
    transaction = older.transaction()
    await transaction.start()
    await older.execute("LOCK TABLE model_version IN ROW EXCLUSIVE MODE")  # blocks CREATE INDEX CONCURRENTLY
    migrating = asyncio.create_task(command("migrate", "up", database_url=empty_database_url))
    building = (
        "pid IN (SELECT pid FROM pg_stat_activity WHERE query LIKE 'CREATE INDEX CONCURRENTLY%model_version_list%')"
    )
    async with asyncio.timeout(30):
        while not await other.fetchval(f"SELECT count(*) FROM pg_locks WHERE NOT granted AND {building}"):  # noqa: ASYNC110
            await asyncio.sleep(0.05)
    await other.fetchval(f"SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE {building}")
    failed = await migrating
    assert failed.status == 1
    assert "Traceback" not in failed.err
    assert await other.fetchval(INVALID) == 1
    await transaction.rollback()

    resumed = await command("migrate", "up", database_url=empty_database_url)
    assert resumed.out == "".join(f"applied {step.version} {step.name}\n" for step in MIGRATIONS[before:]), resumed.err
    assert await other.fetchval(INVALID) == 0
    await other.close()
    await older.close()


async def test_a_broken_index_of_this_service_is_built_again(connection: asyncpg.Connection) -> None:
    indexes = next(migration for migration in MIGRATIONS if migration.name == "indexes")
    await migrate.up(connection, MIGRATIONS, steps=MIGRATIONS.index(indexes))
    await connection.execute("CREATE INDEX idx_model_version_list ON model_version (id)")
    await connection.execute(
        "UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'idx_model_version_list'::regclass"
    )
    await migrate.set_version(connection, indexes.version, dirty=True)
    await migrate.up(connection, MIGRATIONS)
    assert await connection.fetchval(INVALID) == 0
    definition = await connection.fetchval("SELECT pg_get_indexdef('idx_model_version_list'::regclass)")
    assert "created_at DESC" in definition


async def test_a_lock_held_by_others_ends_the_migration_with_a_clear_text(
    empty_database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(migrate, "LOCK_PATIENCE", 0.5)
    async with migrate.migration_connection(empty_database_url) as connection:
        await migrate.up(connection, MIGRATIONS, steps=3)
    other = await asyncpg.connect(empty_database_url)
    async with other.transaction():
        await other.execute("LOCK TABLE model_version IN ROW EXCLUSIVE MODE")
        async with migrate.migration_connection(empty_database_url) as connection:
            with pytest.raises(MigrationError, match="20261127000100_version_columns: a table is in use"):
                await migrate.up(connection, MIGRATIONS)
            assert await migrate.current_version(connection) == SchemaVersion(MIGRATIONS[2].version, dirty=False)
    await other.close()


async def test_a_lock_that_is_given_back_is_waited_for(empty_database_url: str) -> None:
    async with migrate.migration_connection(empty_database_url) as connection:
        await migrate.up(connection, MIGRATIONS, steps=3)
        other = await asyncpg.connect(empty_database_url)
        transaction = other.transaction()
        await transaction.start()
        await other.execute("LOCK TABLE model_version IN ROW EXCLUSIVE MODE")
        migrating = asyncio.create_task(migrate.up(connection, MIGRATIONS))
        await asyncio.sleep(0.5)
        assert not migrating.done()
        await transaction.rollback()
        await migrating
        await other.close()


async def test_versions_whose_rows_are_locked_get_their_project_later(empty_database_url: str) -> None:
    async with migrate.migration_connection(empty_database_url) as connection:
        await migrate.up(connection, MIGRATIONS, steps=3)
        await connection.execute(
            "INSERT INTO registered_model (id, project_id, name) SELECT gen_random_uuid(), gen_random_uuid(), 'm'"
        )
        await connection.execute(
            "INSERT INTO model_version (id, registered_model_id, name)"
            " SELECT gen_random_uuid(), m.id, n::text FROM registered_model m, generate_series(1, 1200) n"
        )
        await migrate.up(connection, MIGRATIONS, steps=1)
        other = await asyncpg.connect(empty_database_url)
        transaction = other.transaction()
        await transaction.start()
        await other.execute("SELECT FROM model_version WHERE name IN ('7', '1100') FOR UPDATE")
        migrating = asyncio.create_task(migrate.up(connection, MIGRATIONS))
        await asyncio.sleep(0.7)
        assert await other.fetchval("SELECT count(*) FROM model_version WHERE project_id IS NULL") == 2
        await transaction.rollback()
        await migrating
        assert await other.fetchval("SELECT count(*) FROM model_version WHERE project_id IS NULL") == 0
        assert await other.fetchval("SELECT sum(versions)::bigint FROM project_version_count") == 1200
        await other.close()


async def test_a_development_schema_of_before_is_refused(connection: asyncpg.Connection) -> None:
    await migrate.up(connection, ())
    await migrate.set_version(connection, 20261126000500, dirty=False)
    with pytest.raises(MigrationError, match="development version"):
        await migrate.up(connection, MIGRATIONS)


async def test_a_newer_schema_is_left_alone(connection: asyncpg.Connection) -> None:
    await migrate.up(connection, MIGRATIONS)
    await migrate.set_version(connection, NEWEST + 1, dirty=False)
    assert await migrate.up(connection, MIGRATIONS) == []
    with pytest.raises(MigrationError, match="newer than this program"):
        await migrate.down(connection, MIGRATIONS)
    assert await migrate.current_version(connection) == SchemaVersion(NEWEST + 1, dirty=False)


async def test_an_unknown_version_is_refused(connection: asyncpg.Connection) -> None:
    await migrate.up(connection, ())
    await migrate.set_version(connection, 5, dirty=False)
    with pytest.raises(MigrationError, match="version 5, which this program does not know"):
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
