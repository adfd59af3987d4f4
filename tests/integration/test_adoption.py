"""Databases of the Go service in every possible state are adopted with all rows."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import asyncpg
import pytest

from registry_grpc.adapters.postgres import migrate
from registry_grpc.adapters.postgres.adoption import adopt
from registry_grpc.adapters.postgres.migrate import MigrationError, SchemaVersion

pytestmark = pytest.mark.slow

GO_SCHEMA = {path.name: path.read_text() for path in (Path(__file__).parent / "go_service_schema").glob("*.sql")}
REGISTRY = GO_SCHEMA["000001_registry.up.sql"]
REGION = GO_SCHEMA["000001_registry.region.sql"]
SERVING = GO_SCHEMA["000002_serving.up.sql"]
TRAFFIC = GO_SCHEMA["000003_traffic.up.sql"]
VIRTUAL = GO_SCHEMA["000004_virtual_models.up.sql"]
WITHOUT_VERSION = GO_SCHEMA["000005_serve_models.up.sql"]
INVALID_KEY = "(virtual_model_id, ai_service_backend_name, COALESCE(model_name_override, ''))"
VIRTUAL_REPAIRED = (
    VIRTUAL.replace(f",\n    CONSTRAINT uq_virtual_model_backend UNIQUE {INVALID_KEY}", "")
    + f"CREATE UNIQUE INDEX uq_backend ON virtual_model_backend {INVALID_KEY};"
)

MIGRATIONS = migrate.load_migrations()
NEWEST = SchemaVersion(MIGRATIONS[-1].version, dirty=False)

PROJECT = uuid.UUID(int=1)
MODEL = uuid.UUID(int=2)
OLDER, NEWER = uuid.UUID(int=3), uuid.UUID(int=4)
ENVIRONMENT = uuid.UUID(int=5)
WITH_VERSION, WITHOUT, HEAD_MADE = uuid.UUID(int=6), uuid.UUID(int=7), uuid.UUID(int=8)

# Statements of the Go service, with every column of its own and none of this project's.
GO_INSERT_MODEL = """
INSERT INTO registered_model (id, created_at, updated_at, project_id, owner_id, owner_email, name, slug, description,
    model_type, model_size, state, deployment_status, tags, labels, parent_model_id)
VALUES ($1, now(), now(), $2, NULL, 'a@example.org', $3::varchar, $3::varchar, '', 'CUSTOMTRAIN', 0, 'LIVE',
    'UNDEPLOYED', '{}', '{}', NULL)
"""
GO_INSERT_VERSION = """
INSERT INTO model_version (id, created_at, updated_at, registered_model_id, name, description, is_default, state,
    status, created_by_id, created_by_email, updated_by_id, updated_by_email, artifact_type, model_framework,
    model_framework_version, container_image, model_catalog_name, uri, access_key, secret_key, labels,
    prebuilt_container_id)
VALUES ($1, now(), now(), $2, $3, '', false, 'LIVE', 'READY', NULL, '', NULL, '', 'model-artifact', 'sklearn', '1', '',
    '', 's3://bucket/model', 'plain key', 'plain secret', '{}', NULL)
"""
GO_INSERT_ENVIRONMENT = """
INSERT INTO serving_environment (id, created_at, updated_at, project_id, name, description, external_id)
VALUES ($1, now(), now(), $2, $3, '', '')
"""
GO_INSERT_SERVICE = """
INSERT INTO inference_service (id, created_at, updated_at, project_id, name, external_id, serving_environment_id,
    registered_model_id, desired_state, current_state, runtime, url, last_error, labels)
VALUES ($1, now(), now(), $2, $3, '', $4, $5, 'DEPLOYED', 'DEPLOYED', 'kserve', '', '', '{}')
"""
GO_INSERT_SERVE_MODEL = """
INSERT INTO serve_model (id, created_at, updated_at, project_id, inference_service_id, model_version_id,
    last_known_state)
VALUES (gen_random_uuid(), now() + $4 * interval '1 minute', now(), $1, $2, $3, 'RUNNING')
"""
GO_INSERT_TRAFFIC = """
INSERT INTO traffic_config (id, created_at, updated_at, project_id, inference_service_id, strategy,
    ai_gateway_route_name, status)
VALUES (gen_random_uuid(), now(), now(), $1, $2, 'canary', '', 'active')
"""


@dataclass(frozen=True)
class GoDatabase:
    """A state in which the Go service's migrations leave a database. No version: the compose file's script made it."""

    version: int | None
    dirty: bool
    schema: tuple[str, ...]
    after_data: str = ""

    @property
    def has_serving(self) -> bool:
        return SERVING in self.schema


STATES = {
    "compose script": GoDatabase(None, False, (REGISTRY, REGION)),
    "1": GoDatabase(1, False, (REGISTRY,)),
    "1 with regions": GoDatabase(1, False, (REGISTRY, REGION)),
    "2": GoDatabase(2, False, (REGISTRY, SERVING)),
    "3": GoDatabase(3, False, (REGISTRY, SERVING, TRAFFIC)),
    "dirty at 4": GoDatabase(4, True, (REGISTRY, SERVING, TRAFFIC)),
    "dirty at 4 with regions": GoDatabase(4, True, (REGISTRY, REGION, SERVING, TRAFFIC)),
    "4 repaired": GoDatabase(4, False, (REGISTRY, SERVING, TRAFFIC, VIRTUAL_REPAIRED)),
    "5, 4 repaired": GoDatabase(5, False, (REGISTRY, SERVING, TRAFFIC, VIRTUAL_REPAIRED), WITHOUT_VERSION),
    "5, 4 skipped": GoDatabase(5, False, (REGISTRY, SERVING, TRAFFIC), WITHOUT_VERSION),
}


@pytest.fixture
async def connection(empty_database_url: str) -> AsyncIterator[asyncpg.Connection]:
    async with migrate.migration_connection(empty_database_url) as connection:
        yield connection


async def make(connection: asyncpg.Connection, state: GoDatabase) -> None:
    for sql in state.schema:
        await connection.execute(sql)
    if state.version is not None:
        await migrate.create_version_table(connection)
        await migrate.set_version(connection, state.version, dirty=state.dirty)
    await insert_registry(connection, with_region=REGION in state.schema)
    if state.has_serving:
        await insert_serving(connection)
    if state.after_data:
        await connection.execute(state.after_data)


async def insert_registry(connection: asyncpg.Connection, *, with_region: bool) -> None:
    insert = GO_INSERT_MODEL
    if with_region:
        insert = insert.replace("(id,", "(region_id, id,").replace("VALUES (", "VALUES (gen_random_uuid(), ")
    await connection.execute(insert, MODEL, PROJECT, "model")
    await connection.execute(GO_INSERT_VERSION, OLDER, MODEL, "v1")
    await connection.execute(GO_INSERT_VERSION, NEWER, MODEL, "v2")


async def insert_serving(connection: asyncpg.Connection) -> None:
    """Three services: one has its version in the column only, one has none, one has it in serve models only."""
    await connection.execute(GO_INSERT_ENVIRONMENT, ENVIRONMENT, PROJECT, "environment")
    for service, name in ((WITH_VERSION, "with"), (WITHOUT, "without"), (HEAD_MADE, "head")):
        await connection.execute(GO_INSERT_SERVICE, service, PROJECT, name, ENVIRONMENT, MODEL)
    await connection.execute("UPDATE inference_service SET model_version_id = $1 WHERE id = $2", NEWER, WITH_VERSION)
    await connection.execute(GO_INSERT_SERVE_MODEL, PROJECT, HEAD_MADE, NEWER, 2)
    await connection.execute(GO_INSERT_SERVE_MODEL, PROJECT, HEAD_MADE, OLDER, 1)


async def shape_of(connection: asyncpg.Connection) -> dict[str, list[asyncpg.Record]]:
    """The schema without the order of columns, and without the region columns that the Go service once had."""
    return {
        "columns": await connection.fetch(
            "SELECT table_name, column_name, data_type, character_maximum_length, is_nullable, column_default"
            " FROM information_schema.columns WHERE table_schema = 'public' AND column_name NOT LIKE 'region%'"
            " ORDER BY 1, 2"
        ),
        "constraints": await connection.fetch(
            "SELECT conrelid::regclass::text, conname, pg_get_constraintdef(oid) FROM pg_constraint"
            " WHERE connamespace = 'public'::regnamespace AND contype <> 'n' ORDER BY 1, 2"
        ),
        "indexes": await connection.fetch(
            "SELECT indexname, indexdef FROM pg_indexes WHERE schemaname = 'public' ORDER BY 1"
        ),
        "triggers": await connection.fetch(
            "SELECT tgrelid::regclass::text, tgname, pg_get_triggerdef(oid) FROM pg_trigger WHERE NOT tgisinternal"
            " ORDER BY 1, 2"
        ),
    }


@pytest.mark.parametrize("state", STATES.values(), ids=STATES)
async def test_an_adopted_database_has_the_schema_of_a_fresh_one(
    connection: asyncpg.Connection, fresh_database_url: str, state: GoDatabase
) -> None:
    await make(connection, state)
    adoption = await adopt(connection, MIGRATIONS)
    assert adoption.applied == tuple(migration for migration in MIGRATIONS if migration.version > 20260211153700)
    assert await migrate.current_version(connection) == NEWEST
    fresh = await asyncpg.connect(fresh_database_url)
    adopted_shape, fresh_shape = await shape_of(connection), await shape_of(fresh)
    await fresh.close()
    for kind, expected in fresh_shape.items():
        assert adopted_shape[kind] == expected


@pytest.mark.parametrize("state", STATES.values(), ids=STATES)
async def test_every_row_is_kept_and_counted(connection: asyncpg.Connection, state: GoDatabase) -> None:
    tables = ["registered_model", "model_version"]
    tables += ["serving_environment", "inference_service"] if state.has_serving else []
    await make(connection, state)
    before = {table: await connection.fetch(f"SELECT * FROM {table} ORDER BY id") for table in tables}
    await adopt(connection, MIGRATIONS)
    for table, rows in before.items():
        columns = ", ".join(name for name in rows[0].keys() if name != "model_version_id")  # noqa: SIM118 a Record
        kept = await connection.fetch(f"SELECT {columns} FROM {table} ORDER BY id")
        assert [dict(row) for row in kept] == [
            {name: value for name, value in row.items() if name != "model_version_id"} for row in rows
        ]
    assert await connection.fetchval("SELECT sum(models)::bigint FROM registered_model_count") == 1
    assert await connection.fetchval("SELECT sum(versions)::bigint FROM model_version_count") == 2
    keys = "SELECT count(*) FROM model_version WHERE keys_uri = uri AND access_key = 'plain key'"
    assert await connection.fetchval(keys) == 2


@pytest.mark.parametrize(
    "state", [s for s in STATES.values() if s.has_serving], ids=[n for n, s in STATES.items() if s.has_serving]
)
async def test_versions_of_services_stand_in_both_places(connection: asyncpg.Connection, state: GoDatabase) -> None:
    await make(connection, state)
    await adopt(connection, MIGRATIONS)
    services = await connection.fetch("SELECT id, model_version_id FROM inference_service")
    assert dict(map(tuple, services)) == {WITH_VERSION: NEWER, WITHOUT: None, HEAD_MADE: OLDER}
    served = await connection.fetch(
        "SELECT inference_service_id, model_version_id, project_id, last_known_state FROM serve_model ORDER BY 1, 2"
    )
    assert list(map(tuple, served)) == [
        (WITH_VERSION, NEWER, PROJECT, "RUNNING"),
        (HEAD_MADE, OLDER, PROJECT, "RUNNING"),
        (HEAD_MADE, NEWER, PROJECT, "RUNNING"),
    ]


async def test_the_changes_are_reported(connection: asyncpg.Connection) -> None:
    await make(connection, STATES["dirty at 4 with regions"])
    adoption = await adopt(connection, MIGRATIONS)
    assert adoption.found == SchemaVersion(4, dirty=True)
    assert [change for change in adoption.changes if not change.startswith("renamed")] == [
        "made registered_model.region_id nullable",
        "versions copied to serve_model: 1",
        "services whose model_version_id was set: 1",
        "created table virtual_model",
        "created table virtual_model_backend",
    ]


async def test_a_copied_version_that_is_not_deployed_is_pending(connection: asyncpg.Connection) -> None:
    await make(connection, STATES["3"])
    await connection.execute("UPDATE inference_service SET current_state = 'UNDEPLOYED'")
    await adopt(connection, MIGRATIONS)
    state = await connection.fetchval(
        "SELECT last_known_state FROM serve_model WHERE inference_service_id = $1", WITH_VERSION
    )
    assert state == "PENDING"


@pytest.mark.parametrize("state", STATES.values(), ids=STATES)
async def test_the_go_service_runs_on_beside_this_one(connection: asyncpg.Connection, state: GoDatabase) -> None:
    await make(connection, state)
    await adopt(connection, MIGRATIONS)
    model, version, environment, service = (uuid.uuid4() for _ in range(4))
    await connection.execute(GO_INSERT_MODEL, model, PROJECT, "side by side")
    await connection.execute(GO_INSERT_VERSION, version, model, "v1")
    await connection.execute(GO_INSERT_ENVIRONMENT, environment, PROJECT, "side by side")
    await connection.execute(GO_INSERT_SERVICE, service, PROJECT, "side by side", environment, model)
    await connection.execute(GO_INSERT_SERVE_MODEL, PROJECT, service, version, 0)
    await connection.execute(GO_INSERT_TRAFFIC, PROJECT, service)
    await connection.execute("UPDATE model_version SET status = 'FAILED', updated_at = now() WHERE id = $1", version)
    counted = await connection.fetchval(
        "SELECT sum(versions) FROM model_version_count WHERE registered_model_id = $1", model
    )
    assert counted == 1
    # PostgreSQL raises RestrictViolationError since 18, and ForeignKeyViolationError before.
    with pytest.raises(asyncpg.IntegrityConstraintViolationError) as refused:
        await connection.execute("DELETE FROM registered_model WHERE id = $1", model)
    assert refused.value.constraint_name == "fk_inference_service_registered_model"


@pytest.mark.parametrize("state", STATES.values(), ids=STATES)
async def test_a_second_adoption_changes_nothing(connection: asyncpg.Connection, state: GoDatabase) -> None:
    await make(connection, state)
    first = await adopt(connection, MIGRATIONS)
    shape = await shape_of(connection)
    again = await adopt(connection, MIGRATIONS)
    assert first.changes
    assert (again.found, again.changes, again.applied) == (NEWEST, (), ())
    assert await shape_of(connection) == shape


@pytest.mark.parametrize("state", STATES.values(), ids=STATES)
async def test_statements_that_the_go_service_has_prepared_stay_usable(
    connection: asyncpg.Connection, empty_database_url: str, state: GoDatabase
) -> None:
    """Those that answer a text which becomes longer fail until they are prepared again (docs/migration-from-go.md). A
    prepared `SELECT *`, which the Go service has none of, fails if its table gets a column."""
    await make(connection, state)
    tables = await connection.fetch(
        "SELECT table_name, string_agg(column_name, ', ') AS columns FROM information_schema.columns"
        " WHERE table_schema = 'public' AND table_name <> 'schema_migrations' GROUP BY 1"
    )
    go_service = await asyncpg.connect(empty_database_url)
    selects = {table: f"SELECT {columns} FROM {table}" for table, columns in tables}
    named = {table: await go_service.prepare(select) for table, select in selects.items()}
    starred = {table: await go_service.prepare(f"SELECT * FROM {table}") for table, _ in tables}
    insert = await go_service.prepare(GO_INSERT_VERSION)
    for statement in (*named.values(), *starred.values()):
        await statement.fetch()
    broken, prepared_again = set(), []

    async def ask() -> None:
        for table, statement in named.items():
            try:
                await statement.fetch()
            except asyncpg.InvalidCachedStatementError:
                named[table] = await go_service.prepare(selects[table])
                prepared_again.append(table)
        await insert.fetch(uuid.uuid4(), MODEL, str(uuid.uuid4()))
        for table, statement in starred.items():
            try:
                await statement.fetch()
            except asyncpg.InvalidCachedStatementError:
                broken.add(table)

    adopting = asyncio.create_task(adopt(connection, MIGRATIONS))
    while not adopting.done():
        await ask()
        await asyncio.sleep(0.01)
    await ask()
    await adopting
    await go_service.close()
    assert sorted(prepared_again) == ["model_version", "registered_model"]
    grown = {"registered_model", "model_version", "serving_environment", "inference_service"}
    assert broken == grown & starred.keys()


async def test_a_database_that_went_back_can_be_adopted_again(connection: asyncpg.Connection) -> None:
    await make(connection, STATES["dirty at 4"])
    first = await adopt(connection, MIGRATIONS)
    shape = await shape_of(connection)
    await migrate.down(connection, MIGRATIONS, steps=len(first.applied))
    await migrate.set_version(connection, 5, dirty=False)
    await connection.execute(GO_INSERT_MODEL, uuid.uuid4(), PROJECT, "made by the Go service alone")

    again = await adopt(connection, MIGRATIONS)
    assert again.applied == first.applied
    assert await shape_of(connection) == shape
    assert await connection.fetchval("SELECT sum(models)::bigint FROM registered_model_count") == 2


async def test_the_go_services_migration_4_fails_as_it_stands(connection: asyncpg.Connection) -> None:
    with pytest.raises(asyncpg.PostgresSyntaxError):
        await connection.execute(VIRTUAL)


async def test_adoption_is_one_transaction(connection: asyncpg.Connection) -> None:
    await make(connection, STATES["5, 4 skipped"])
    shape = await shape_of(connection)
    # The last change fails, because the name of a table to be created is taken.
    await connection.execute("CREATE VIEW virtual_model_backend AS SELECT 1 AS virtual_model_id")
    with pytest.raises(MigrationError, match="adoption: column"):
        await adopt(connection, MIGRATIONS)
    await connection.execute("DROP VIEW virtual_model_backend")
    assert await shape_of(connection) == shape
    assert await migrate.current_version(connection) == SchemaVersion(5, dirty=False)
    await adopt(connection, MIGRATIONS)


@pytest.mark.parametrize(
    ("state", "sql", "message"),
    [
        ("3", "DROP TABLE traffic_variant", "table traffic_variant is missing"),
        ("1", "ALTER TABLE model_version DROP COLUMN uri", "column model_version.uri is missing"),
        (
            "1",
            "ALTER TABLE model_version ALTER name TYPE text",
            r"model_version.name has type text not null instead of character varying\(100\)",
        ),
        (
            "1",
            "ALTER TABLE model_version ALTER labels DROP NOT NULL",
            "model_version.labels has type jsonb instead of jsonb not null",
        ),
        (
            "1",
            "ALTER TABLE model_version ADD tenant int NOT NULL; ",
            "column model_version.tenant is unknown, and required without a default",
        ),
        (
            "1",
            "ALTER TABLE model_version DROP CONSTRAINT uq_model_version_model_name",
            "uq_model_version_model_name of model_version is missing",
        ),
        (
            "2",
            "ALTER TABLE inference_service DROP CONSTRAINT fk_inference_service_model_version",
            "fk_inference_service_model_version of",
        ),
        ("3", "UPDATE schema_migrations SET version = 6", "at version 6; the Go service's versions are 1 to 5"),
    ],
)
async def test_an_unknown_schema_is_refused_and_left_as_it_is(
    connection: asyncpg.Connection, state: str, sql: str, message: str
) -> None:
    await make(connection, STATES[state])
    await connection.execute("TRUNCATE registered_model CASCADE")
    await connection.execute(sql)
    shape = await shape_of(connection)
    with pytest.raises(MigrationError, match=message):
        await adopt(connection, MIGRATIONS)
    assert await shape_of(connection) == shape


async def test_an_empty_database_is_refused(connection: asyncpg.Connection) -> None:
    with pytest.raises(MigrationError, match="no table of the Go service"):
        await adopt(connection, MIGRATIONS)


async def test_columns_unknown_but_not_required_stay(connection: asyncpg.Connection) -> None:
    await make(connection, STATES["1"])
    await connection.execute("ALTER TABLE registered_model ADD note TEXT, ADD rank INT NOT NULL DEFAULT 7")
    await adopt(connection, MIGRATIONS)
    assert await connection.fetchval("SELECT rank FROM registered_model") == 7
