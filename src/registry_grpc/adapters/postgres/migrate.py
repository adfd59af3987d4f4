"""The schema's migrations: plain SQL files in the format, the table and the lock of golang-migrate.

A file and its version are one transaction, so that a failed file leaves nothing behind. A file that cannot run in a
transaction (CREATE INDEX CONCURRENTLY, batches that commit) says so in its first line, `-- migrate:no-transaction`: its
statements run one by one, the version is dirty meanwhile, and all of them are written so that they can be repeated. An
interrupted one is resumed by running it again. golang-migrate cannot run these files.

Nobody waits long for a migration: a statement that does not get its lock at once, and would hold up every other
statement behind it, gives up and tries again.
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

LOWEST_VERSION = 20261127000700
"""The lowest schema that the statements of this program work on: raise it with a migration that they need. Migrations
after it only make them faster, so that workers need not wait for them."""

LOCK_PATIENCE = 120.0
"""How many seconds a statement tries to get its locks."""
_LOCK_PAUSE = (0.1, 0.5)
# Whoever waits for a lock holds up every statement behind it. The processors are left to the service.
_SETTINGS = "SET lock_timeout = '50ms'; SET statement_timeout = '15min'; SET max_parallel_maintenance_workers = 0"
# For statements that wait for others, while nobody waits for them.
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
    """The schema cannot be brought to the version asked for; the text says why and what to do."""


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


def statements_of(sql: str) -> list[str]:
    """Split at the semicolons that end statements, and leave out the comments before each."""
    parts = [""]
    for token in _TOKEN.finditer(sql):
        if token[0] == ";":
            parts.append("")
        else:
            parts[-1] += token[0]
    return [statement for part in parts if (statement := _COMMENTS.sub("", part))]


@contextlib.asynccontextmanager
async def migration_connection(dsn: str) -> AsyncIterator[asyncpg.Connection]:
    """Connect and hold the migration lock: of several replicas that start at once one migrates, the others wait."""
    async with connected(dsn) as connection:
        key = await _lock_key(connection)
        # Not the blocking pg_advisory_lock(): its waiting snapshot would hold up the holder's CREATE INDEX
        # CONCURRENTLY.
        while not await connection.fetchval("SELECT pg_try_advisory_lock($1)", key):  # noqa: ASYNC110
            await asyncio.sleep(_LOCK_POLL_SECONDS)
        await connection.execute(_SETTINGS)
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
    """Return which migrations are applied and which are not, one that stopped half-way among these; needs no lock."""
    current = await current_version(connection)
    complete = current.version - current.dirty if current else -1
    return Status(
        current,
        applied=tuple(migration for migration in migrations if migration.version <= complete),
        pending=tuple(migration for migration in migrations if migration.version > complete),
    )


async def up(
    connection: asyncpg.Connection, migrations: Sequence[Migration], *, steps: int | None = None
) -> list[Migration]:
    """Apply what is pending, or the next `steps` of it, and return it. Nothing happens to a newer schema."""
    await create_version_table(connection)
    pending = (await _known_status(connection, migrations)).pending[:steps]
    for migration in pending:
        await _run(connection, migration, migration.up, migration.version)
    return list(pending)


async def down(connection: asyncpg.Connection, migrations: Sequence[Migration], *, steps: int = 1) -> list[Migration]:
    """Take back the newest `steps` applied migrations, the newest first, and return them. Data in them is lost."""
    current = (await _known_status(connection, migrations)).current
    if current and current.version > migrations[-1].version:
        raise MigrationError(f"version {current.version} is newer than this program, which cannot take it back")
    begun = [migration for migration in migrations if current and migration.version <= current.version]
    undone = list(reversed(begun))[:steps]
    for migration in undone:
        earlier = [other.version for other in begun if other.version < migration.version]
        await _run(connection, migration, migration.down, max(earlier, default=None))
    return undone


async def _known_status(connection: asyncpg.Connection, migrations: Sequence[Migration]) -> Status:
    """Raises MigrationError when the database is at a version from which there is no way on."""
    found = await status(connection, migrations)
    if found.current is None or found.current.version > migrations[-1].version:
        return found
    version = found.current.version
    migration = next((migration for migration in migrations if migration.version == version), None)
    if found.current.dirty and not (migration and migration.resumable):
        raise MigrationError(
            f"the database is marked dirty at version {version}: a migration stopped half-way. Repair the schema by "
            "hand, then set schema_migrations to the last complete version with dirty = false. A database of the "
            "Go service is taken over with adopt"
        )
    if migration is None:
        raise MigrationError(
            f"the database is at version {version}, which is none of the migrations here. A database of the Go "
            "service is taken over with adopt. One of an early development version of this service cannot be brought "
            "on: make it anew, the embedded one by removing REGISTRY_DATA_DIR/postgres"
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
    """Try until it gets its locks. Raises LockNotAvailableError when a table is in use all the time."""
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
        await connection.execute("DELETE FROM schema_migrations")  # TRUNCATE would wait for readers, and they for it
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
