"""Runs the schema's migrations: plain SQL files, with the file names, the version table and the lock of golang-migrate.

A file and its version are written in one transaction, so that a failed file leaves no trace. A file that cannot run in
a transaction (CREATE INDEX CONCURRENTLY, batches that commit) has `-- migrate:no-transaction` as its first line: its
statements run one by one and can be repeated, and the version is dirty meanwhile. An interrupted file is resumed by
running it again. golang-migrate cannot run these files.

A statement that waits for a lock makes all later statements on the table wait. Therefore a migration waits for 50 ms at
most, and then tries again.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import re
import zlib
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import asyncpg

from registry_grpc.adapters.postgres import sessions
from registry_grpc.shipped import MIGRATIONS

LOWEST_VERSION = 20261201000300
"""The lowest schema version on which this program works. Raise it with a migration that the program needs. Workers do
not wait for later migrations, which only make it faster."""

LOCK_PATIENCE = 120.0
"""For how many seconds a statement tries to get its locks."""
_LOCK_PAUSE = (0.1, 0.5)
# Without parallel workers, so that the service keeps the processors.
_SETTINGS = "SET lock_timeout = '50ms'; SET statement_timeout = '15min'; SET max_parallel_maintenance_workers = 0"
# For statements that wait for others without making others wait.
_UNHURRIED_SETTINGS = "SET lock_timeout = 0; SET statement_timeout = 0"

_FILE_NAME = re.compile(r"(?P<version>\d+)_(?P<name>.+)\.(?P<direction>up|down)\.sql")
_NO_TRANSACTION = "-- migrate:no-transaction"
_LOCK_SALT = 1486364155  # golang-migrate's
_LOCK_POLL_SECONDS = 0.2
_CONNECT_SECONDS = 60.0
_TOKEN = re.compile(r"--[^\n]*|'[^']*'|\$(\w*)\$.*?\$\1\$|.", re.DOTALL)
_COMMENTS = re.compile(r"\A(?:\s+|--[^\n]*)+")
_BUILD = re.compile(r"CREATE (?:UNIQUE )?INDEX CONCURRENTLY IF NOT EXISTS (\w+)")
_UNHURRIED = re.compile(r"DO\b|\w+ (?:UNIQUE )?INDEX CONCURRENTLY\b")
_INVALID = "SELECT true FROM pg_index WHERE indexrelid = to_regclass($1) AND NOT indisvalid"

_CREATE_TABLE = """
CREATE TABLE IF NOT EXISTS schema_migrations (version bigint NOT NULL PRIMARY KEY, dirty boolean NOT NULL)
"""


class MigrationError(Exception):
    """The schema cannot be migrated. The text says why, and what to do."""


@dataclass(frozen=True, slots=True)
class Migration:
    """One step of the schema, with the SQL for both directions."""

    version: int
    name: str
    up: str
    down: str

    @property
    def resumable(self) -> bool:
        """Whether its statements run one by one and can be repeated."""
        return self.up.startswith(_NO_TRANSACTION)


Report = Callable[[Migration, int, int], None]


@dataclass(frozen=True, slots=True)
class SchemaVersion:
    """The database's version; dirty when a migration without a transaction stopped half-way."""

    version: int
    dirty: bool


@dataclass(frozen=True, slots=True)
class Status:
    """The database's version, and which migrations are applied and pending."""

    current: SchemaVersion | None
    applied: tuple[Migration, ...]
    pending: tuple[Migration, ...]


def load_migrations(folder: Path = MIGRATIONS) -> tuple[Migration, ...]:
    """The migrations in the folder, oldest first. Raises MigrationError unless each has one up and one down file."""
    found: dict[tuple[int, str], dict[str, str]] = {}
    for path in sorted(folder.glob("*.sql")):
        match = _FILE_NAME.fullmatch(path.name)
        if match is None:
            raise MigrationError(f"{path} is not named <version>_<name>.up.sql or .down.sql")
        directions = found.setdefault((int(match["version"]), match["name"]), {})
        directions[match["direction"]] = path.read_text(encoding="utf-8")
    if not found:
        raise MigrationError(f"{folder} has no migrations")
    if len({version for version, _ in found}) < len(found):
        raise MigrationError(f"{folder} has two migrations of one version")
    for (version, name), directions in found.items():
        if len(directions) != 2:
            raise MigrationError(f"{folder} lacks the up or the down file of {version}_{name}")
    return tuple(Migration(version, name, **found[version, name]) for version, name in sorted(found))


def statements_of(sql: str) -> list[str]:
    """The statements of an SQL text, without the comments before them."""
    parts = [""]
    for token in _TOKEN.finditer(sql):
        if token[0] == ";":
            parts.append("")
        else:
            parts[-1] += token[0]
    return [statement for part in parts if (statement := _COMMENTS.sub("", part))]


@contextlib.asynccontextmanager
async def migration_connection(dsn: str) -> AsyncIterator[asyncpg.Connection]:
    """Connect and hold the migration lock, so that only one of several replicas migrates and the others wait."""
    async with connected(dsn) as connection:
        key = await _lock_key(connection)
        # The snapshot of a waiting pg_advisory_lock() would block the holder's CREATE INDEX CONCURRENTLY.
        while not await connection.fetchval("SELECT pg_try_advisory_lock($1)", key):  # noqa: ASYNC110
            await asyncio.sleep(_LOCK_POLL_SECONDS)
        await connection.execute(_SETTINGS)
        yield connection


@contextlib.asynccontextmanager
async def connected(dsn: str) -> AsyncIterator[asyncpg.Connection]:
    """A connection without the lock. Raises MigrationError behind a pooler that would lose the lock."""
    if not await sessions.keeps_sessions(dsn, timeout=_CONNECT_SECONDS):
        raise MigrationError(f"{sessions.NOT_A_SESSION}: {sessions.ADVICE}")
    connection = await sessions.connect(dsn, {}, application_name="registry-grpc migrate")
    try:
        yield connection
    finally:
        await connection.close()


async def current_version(connection: asyncpg.Connection) -> SchemaVersion | None:
    """The database's version; None if no migration was ever applied."""
    if await connection.fetchval("SELECT to_regclass('schema_migrations')") is None:
        return None
    row = await connection.fetchrow("SELECT version, dirty FROM schema_migrations")
    return SchemaVersion(row["version"], row["dirty"]) if row else None


async def status(connection: asyncpg.Connection, migrations: Sequence[Migration]) -> Status:
    """The applied and the pending migrations. One that stopped half-way is pending. Needs no lock."""
    current = await current_version(connection)
    complete = current.version - current.dirty if current else -1
    return Status(
        current,
        applied=tuple(migration for migration in migrations if migration.version <= complete),
        pending=tuple(migration for migration in migrations if migration.version > complete),
    )


async def up(
    connection: asyncpg.Connection,
    migrations: Sequence[Migration],
    *,
    steps: int | None = None,
    report: Report = lambda _migration, _place, _count: None,
) -> list[Migration]:
    """Apply the pending migrations, or the next `steps` of them, and return them. Does nothing to a newer schema.
    `report` is called before each, with its place from 0 and their number."""
    await create_version_table(connection)
    pending = (await _known_status(connection, migrations)).pending[:steps]
    for place, migration in enumerate(pending):
        report(migration, place, len(pending))
        await _run(connection, migration, migration.up, migration.version)
    return list(pending)


async def down(connection: asyncpg.Connection, migrations: Sequence[Migration], *, steps: int = 1) -> list[Migration]:
    """Revert the newest `steps` applied migrations, newest first, and return them. Their data is lost."""
    current = (await _known_status(connection, migrations)).current
    if current and current.version > migrations[-1].version:
        raise MigrationError(
            f"the database is at version {current.version}, which is newer than this program: revert it with the "
            "release that made it"
        )
    begun = [migration for migration in migrations if current and migration.version <= current.version]
    undone = list(reversed(begun))[:steps]
    for migration in undone:
        earlier = [other.version for other in begun if other.version < migration.version]
        await _run(connection, migration, migration.down, max(earlier, default=None))
    return undone


async def _known_status(connection: asyncpg.Connection, migrations: Sequence[Migration]) -> Status:
    """Raises MigrationError if the database's version cannot be migrated further."""
    found = await status(connection, migrations)
    if found.current is None or found.current.version > migrations[-1].version:
        return found
    version = found.current.version
    migration = next((migration for migration in migrations if migration.version == version), None)
    if found.current.dirty and not (migration and migration.resumable):
        raise MigrationError(
            f"the database is marked dirty at version {version}: a migration stopped half-way. Repair the schema by "
            "hand, then set schema_migrations to the last complete version with dirty = false. If it is a database of "
            "the Go service, use adopt"
        )
    if migration is None:
        raise MigrationError(
            f"the database is at version {version}, which this program does not know. If it is a database of the Go "
            "service, use adopt. A database of an early development version of this service cannot be migrated: create "
            "a new one; for the embedded database, remove REGISTRY_DATA_DIR/postgres"
        )
    return found


async def _run(connection: asyncpg.Connection, migration: Migration, sql: str, version_after: int | None) -> None:
    async def in_transaction() -> None:
        async with connection.transaction():
            await connection.execute(sql)
            await set_version(connection, version_after, dirty=False)

    with clear_errors(f"{migration.version}_{migration.name}"):
        if not sql.startswith(_NO_TRANSACTION):
            await patiently(in_transaction)
            return
        await set_version(connection, migration.version, dirty=True)
        for statement in statements_of(sql):
            await _run_alone(connection, statement)
        await set_version(connection, version_after, dirty=False)


async def _run_alone(connection: asyncpg.Connection, statement: str) -> None:
    if (build := _BUILD.match(statement)) and await connection.fetchval(_INVALID, build[1]):
        await _run_alone(connection, f"DROP INDEX CONCURRENTLY {build[1]}")
    if not _UNHURRIED.match(statement):
        await patiently(lambda: connection.execute(statement))
        return
    await connection.execute(_UNHURRIED_SETTINGS)
    try:
        await connection.execute(statement)
    finally:
        await connection.execute(_SETTINGS)


async def patiently(change: Callable[[], Awaitable[object]]) -> None:
    """Try until the change gets its locks. Raises LockNotAvailableError if a table stays in use for LOCK_PATIENCE."""
    clock = asyncio.get_running_loop().time
    end = clock() + LOCK_PATIENCE
    while True:
        try:
            await change()
        except (asyncpg.LockNotAvailableError, asyncpg.DeadlockDetectedError):
            if clock() > end:
                raise
            await asyncio.sleep(random.uniform(*_LOCK_PAUSE))  # noqa: S311
        else:
            return


@contextlib.contextmanager
def clear_errors(step: str) -> Iterator[None]:
    """Turn errors of PostgreSQL in the block into a MigrationError that names the step."""
    try:
        yield
    except asyncpg.LockNotAvailableError:
        raise MigrationError(f"{step}: a table is in use by a long transaction; try again") from None
    except asyncpg.PostgresError as error:
        raise MigrationError(f"{step}: {error}") from error


async def create_version_table(connection: asyncpg.Connection) -> None:
    await connection.execute(_CREATE_TABLE)


async def set_version(connection: asyncpg.Connection, version: int | None, *, dirty: bool) -> None:
    """Write the only row of schema_migrations. Without a version there is no row, or -1 while dirty, as golang-migrate
    does it."""
    async with connection.transaction():
        await connection.execute("DELETE FROM schema_migrations")  # TRUNCATE and readers would wait for each other
        if version is not None or dirty:
            stored = -1 if version is None else version
            await connection.execute("INSERT INTO schema_migrations (version, dirty) VALUES ($1, $2)", stored, dirty)


async def _lock_key(connection: asyncpg.Connection) -> int:
    """golang-migrate's key, so that the two tools exclude each other. Its database name is the path of the URL."""
    schema = await connection.fetchval("SELECT current_schema()")
    if schema is None:
        raise MigrationError("no schema of the search path exists: create it, or set search_path in the database URL")
    database = await connection.fetchval("SELECT current_database()")
    name = f"{schema}\0schema_migrations\0/{database}"
    return zlib.crc32(name.encode()) * _LOCK_SALT % 2**32
