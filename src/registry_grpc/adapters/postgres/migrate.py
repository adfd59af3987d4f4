"""The schema's migrations: plain SQL files in the format, the table and the lock of golang-migrate.

`migrate -path migrations -database ... up` and this module are interchangeable, and never run at the same time. What
differs: a file and its version are one transaction here, so a failed file leaves nothing behind. A file that cannot
run in a transaction (CREATE INDEX CONCURRENTLY) says so in its first line, `-- migrate:no-transaction`.
"""

from __future__ import annotations

import asyncio
import contextlib
import re
import zlib
from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import asyncpg

from registry_grpc.adapters.postgres import sessions
from registry_grpc.shipped import MIGRATIONS

LOCK_TIMEOUT = "4s"  # a migration that waits for a lock holds up every statement behind it
STATEMENT_TIMEOUT = "15min"

_FILE_NAME = re.compile(r"(?P<version>\d+)_(?P<name>.+)\.(?P<direction>up|down)\.sql")
_NO_TRANSACTION = "-- migrate:no-transaction"
_LOCK_SALT = 1486364155  # golang-migrate's
_LOCK_POLL_SECONDS = 0.2
_CONNECT_SECONDS = 60.0

_CREATE_TABLE = """
CREATE TABLE IF NOT EXISTS schema_migrations (version bigint NOT NULL PRIMARY KEY, dirty boolean NOT NULL)
"""


class MigrationError(Exception):
    """The schema cannot be brought to the version asked for; the text says why and what to do."""


@dataclass(frozen=True, slots=True)
class Migration:
    """One step of the schema, with the SQL for both directions."""

    version: int
    name: str
    up: str
    down: str


@dataclass(frozen=True, slots=True)
class SchemaVersion:
    """The database's version; dirty when a migration without a transaction stopped half-way."""

    version: int
    dirty: bool


@dataclass(frozen=True, slots=True)
class Status:
    """Where the database stands among the migrations."""

    current: SchemaVersion | None
    applied: tuple[Migration, ...]
    pending: tuple[Migration, ...]


def load_migrations(folder: Path = MIGRATIONS) -> tuple[Migration, ...]:
    """Read the folder, oldest version first. Every version has one up and one down file, else MigrationError."""
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


def minimum_schema_version(folder: Path = MIGRATIONS) -> int:
    """Return the version this program needs: that of the newest migration. A newer schema is fine."""
    return load_migrations(folder)[-1].version


@contextlib.asynccontextmanager
async def migration_connection(
    dsn: str, *, lock_timeout: str = LOCK_TIMEOUT, statement_timeout: str = STATEMENT_TIMEOUT
) -> AsyncIterator[asyncpg.Connection]:
    """Connect and hold the migration lock: of several replicas that start at once one migrates, the others wait."""
    async with connected(dsn) as connection:
        key = await _lock_key(connection)
        # Not the blocking pg_advisory_lock(): its waiting snapshot would hold up the holder's CREATE INDEX
        # CONCURRENTLY.
        while not await connection.fetchval("SELECT pg_try_advisory_lock($1)", key):  # noqa: ASYNC110
            await asyncio.sleep(_LOCK_POLL_SECONDS)
        await connection.execute("SELECT set_config('lock_timeout', $1, false)", lock_timeout)
        await connection.execute("SELECT set_config('statement_timeout', $1, false)", statement_timeout)
        yield connection


@contextlib.asynccontextmanager
async def connected(dsn: str) -> AsyncIterator[asyncpg.Connection]:
    """A connection without the lock. Raises MigrationError when a pooler in between would not keep the lock."""
    if not await sessions.keeps_sessions(dsn, timeout=_CONNECT_SECONDS):
        raise MigrationError(f"{sessions.NOT_A_SESSION}: {sessions.ADVICE}")
    connection = await sessions.connect(dsn, {}, application_name="registry-grpc migrate")
    try:
        yield connection
    finally:
        await connection.close()


async def current_version(connection: asyncpg.Connection) -> SchemaVersion | None:
    """Return the database's version, None when no migration was ever applied."""
    if await connection.fetchval("SELECT to_regclass('schema_migrations')") is None:
        return None
    row = await connection.fetchrow("SELECT version, dirty FROM schema_migrations")
    return SchemaVersion(row["version"], row["dirty"]) if row else None


async def status(connection: asyncpg.Connection, migrations: Sequence[Migration]) -> Status:
    """Return which migrations are applied and which are not; needs no lock."""
    current = await current_version(connection)
    version = current.version if current else -1
    return Status(
        current,
        applied=tuple(migration for migration in migrations if migration.version <= version),
        pending=tuple(migration for migration in migrations if migration.version > version),
    )


async def up(
    connection: asyncpg.Connection, migrations: Sequence[Migration], *, steps: int | None = None
) -> list[Migration]:
    """Apply what is pending, or the next `steps` of it, and return it. Nothing happens to a newer schema."""
    await create_version_table(connection)
    pending = (await _clean_status(connection, migrations)).pending[:steps]
    for migration in pending:
        await _run(connection, migration, migration.up, migration.version)
    return list(pending)


async def down(connection: asyncpg.Connection, migrations: Sequence[Migration], *, steps: int = 1) -> list[Migration]:
    """Take back the newest `steps` applied migrations, the newest first, and return them. Data in them is lost."""
    applied = (await _clean_status(connection, migrations)).applied
    undone = list(reversed(applied))[:steps]
    for migration in undone:
        earlier = [other.version for other in applied if other.version < migration.version]
        await _run(connection, migration, migration.down, max(earlier, default=None))
    return undone


async def _clean_status(connection: asyncpg.Connection, migrations: Sequence[Migration]) -> Status:
    found = await status(connection, migrations)
    if found.current is None:
        return found
    version = found.current.version
    if found.current.dirty:
        raise MigrationError(
            f"the database is marked dirty at version {version}: a migration stopped half-way. Repair the schema by "
            "hand, then set schema_migrations to the last complete version with dirty = false. A database of the "
            "Go service is taken over with adopt"
        )
    if version < migrations[-1].version and all(version != migration.version for migration in migrations):
        raise MigrationError(
            f"the database is at version {version}, which is none of the migrations here. A database of the Go "
            "service is taken over with adopt"
        )
    return found


async def _run(connection: asyncpg.Connection, migration: Migration, sql: str, version_after: int | None) -> None:
    with clear_errors(f"{migration.version}_{migration.name}"):
        if sql.startswith(_NO_TRANSACTION):
            await set_version(connection, version_after, dirty=True)
            await connection.execute(sql)
            await set_version(connection, version_after, dirty=False)
        else:
            async with connection.transaction():
                await connection.execute(sql)
                await set_version(connection, version_after, dirty=False)


@contextlib.contextmanager
def clear_errors(step: str) -> Iterator[None]:
    """Turn what PostgreSQL refuses in the block into a MigrationError that names the step."""
    try:
        yield
    except asyncpg.LockNotAvailableError:
        raise MigrationError(f"{step}: a table is in use by a long transaction; try again") from None
    except asyncpg.PostgresError as error:
        raise MigrationError(f"{step}: {error}") from error


async def create_version_table(connection: asyncpg.Connection) -> None:
    """Make schema_migrations unless it is there."""
    await connection.execute(_CREATE_TABLE)


async def set_version(connection: asyncpg.Connection, version: int | None, *, dirty: bool) -> None:
    """Write the one row of schema_migrations; no version is no row, or -1 while dirty, as golang-migrate has it."""
    async with connection.transaction():
        await connection.execute("TRUNCATE schema_migrations")
        if version is not None or dirty:
            stored = -1 if version is None else version
            await connection.execute("INSERT INTO schema_migrations (version, dirty) VALUES ($1, $2)", stored, dirty)


async def _lock_key(connection: asyncpg.Connection) -> int:
    """Return golang-migrate's key, so that the two tools exclude each other (its database name is the URL's path)."""
    schema = await connection.fetchval("SELECT current_schema()")
    if schema is None:
        raise MigrationError("the search path names no schema that exists")
    database = await connection.fetchval("SELECT current_database()")
    name = f"{schema}\0schema_migrations\0/{database}"
    return zlib.crc32(name.encode()) * _LOCK_SALT % 2**32
