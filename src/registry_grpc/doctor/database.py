"""Checks of the database: the server's version, the schema, the stored secrets and the orphans."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator
from typing import Any

import asyncpg

from registry_grpc.adapters.postgres import migrate, sessions
from registry_grpc.adapters.postgres.deployment_queue import LEADER_LOCK
from registry_grpc.adapters.postgres.errors import CONNECTION_LOST
from registry_grpc.adapters.postgres.stored_keys import KEYS, place_of_key, versions_with_keys
from registry_grpc.adapters.postgres.webhooks import place_of_secret
from registry_grpc.bootstrap import cipher_of
from registry_grpc.doctor.diagnosis import Diagnosis, missing, ok, skipped, warning
from registry_grpc.ports.encryption import KeyMissing, SecretUnreadable
from registry_grpc.settings import ConfigurationError, Settings

_CONNECT_SECONDS = 5.0
_OLDEST_SERVER = 15
_IS_READ_ONLY = "SELECT current_setting('transaction_read_only')::boolean"
_GO_SERVICE_TABLE = "SELECT to_regclass('registered_model') IS NOT NULL"
_RIGHTS = {  # as docs/operations.md grants them
    "SELECT, INSERT, UPDATE, DELETE": (
        *("registered_model", "serving_environment", "inference_service", "serve_model", "deployment"),
        *("deployment_revision", "deployment_serving", "request", "model_version", "model_alias", "artifact"),
        *("webhook", "member"),
    ),
    "SELECT, INSERT, DELETE": ("deployment_event", "orphan", "deleted_model_version"),
    "SELECT, INSERT, UPDATE": ("version_number", "webhook_delivery", "api_token", "project"),
    "SELECT, INSERT": ("model_alias_move", "deleted_artifact"),
    "SELECT, DELETE": ("event",),
    "SELECT": (
        *("registered_model_count", "project_version_count", "model_version_count", "registry_installation"),
        *("schema_migrations", "traffic_variant", "audit_entry"),
    ),
}
_MISSING_RIGHTS = """
SELECT string_agg(DISTINCT wanted.name, ', ') FROM unnest($1::text[], $2::text[]) AS wanted (name, rights)
CROSS JOIN LATERAL unnest(string_to_array(rights, ', ')) AS single (privilege)
WHERE to_regclass(wanted.name) IS NOT NULL AND NOT has_table_privilege(to_regclass(wanted.name), privilege)
"""
_HAS_LEADER = """
SELECT EXISTS (
    SELECT FROM pg_locks WHERE locktype = 'advisory' AND granted AND (classid::bigint << 32 | objid::bigint) = $1
        AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
)
"""
_APPEND_KEY = "append that key to REGISTRY_ENCRYPTION_KEYS"
_RIGHT_KEY = "set the right key of this id in REGISTRY_ENCRYPTION_KEYS, or set the secret again"
_MOVED = "it was changed by another program or moved there, or the key of this id is not the one that encrypted it"
_NAMESPACES = "SELECT DISTINCT coalesce(nullif(external_id, ''), name) AS name FROM serving_environment"
_DEPLOYED = "SELECT namespace FROM deployment WHERE next_at IS NOT NULL"
_OUT_OF_SIGHT = """
SELECT namespace, count(*), min(observed_at) AT TIME ZONE 'UTC' AS since FROM deployment
WHERE reason = 'NAMESPACE_NOT_VISIBLE' GROUP BY 1 ORDER BY 1
"""


async def check_database(settings: Settings) -> AsyncIterator[Diagnosis]:
    """All checks of the database. Checks that depend on a failed one are left out."""
    try:
        if not await sessions.keeps_sessions(settings.dsn, timeout=_CONNECT_SECONDS):
            yield missing("database", sessions.NOT_A_SESSION, sessions.ADVICE)
            return
        connection = await _connect(settings)
    except ConfigurationError as error:
        yield missing("database", str(error), "set it to postgresql://user:password@host:port/database")
        return
    except (*CONNECTION_LOST, asyncpg.PostgresError) as error:
        text = f"does not answer: {error or type(error).__name__}"
        yield missing("database", text, "check REGISTRY_DATABASE_URL, and that the server runs and accepts this host")
        return
    try:
        yield await _server(connection)
        yield (rights := await _rights(connection))
        if rights.verdict == "MISSING":
            return
        schema = await _schema(connection, migrate.load_migrations(settings.migrations_dir))
        yield schema
        if schema.verdict == "MISSING":
            yield skipped("stored secrets", "they cannot be checked before the schema is right")
        else:
            async for diagnosis in _stored_secrets(connection, settings):
                yield diagnosis
            yield await _orphans(connection)
            for row in await connection.fetch(_OUT_OF_SIGHT):
                last = f"last seen {row['since']:%Y-%m-%d %H:%M} UTC or later" if row["since"] else "never seen"
                text = f"{row['count']} cannot be seen any more, {last}"
                yield warning(f"deployments in namespace {row['namespace']}", text, "see the checks of the namespace")
    finally:
        await connection.close()


async def namespaces_in_use(settings: Settings) -> tuple[str, ...]:
    """The namespaces of all serving environments and unfinished deployments; empty if they cannot be read."""
    try:
        connection = await _connect(settings)
    except (ConfigurationError, *CONNECTION_LOST, asyncpg.PostgresError):
        return ()
    try:
        deployed = await connection.fetchval("SELECT to_regclass('deployment') IS NOT NULL")
        statement = f"{_NAMESPACES} UNION {_DEPLOYED}" if deployed else _NAMESPACES
        return tuple(sorted(row["name"] for row in await connection.fetch(statement)))
    except asyncpg.PostgresError:
        return ()
    finally:
        await connection.close()


async def _connect(settings: Settings) -> asyncpg.Connection[Any]:
    connection: asyncpg.Connection[Any] = await asyncpg.connect(settings.dsn, timeout=_CONNECT_SECONDS)
    return connection


async def _server(connection: asyncpg.Connection[Any]) -> Diagnosis:
    version = await connection.fetchval("SHOW server_version")
    if connection.get_server_version().major < _OLDEST_SERVER:
        text = f"PostgreSQL {version} is too old"
        return missing("database", text, f"use PostgreSQL {_OLDEST_SERVER} or later")
    if await connection.fetchval(_IS_READ_ONLY):
        text = f"PostgreSQL {version} is read-only: it is a standby, or set to read only"
        return missing("database", text, "promote it, or point REGISTRY_DATABASE_URL to the primary")
    return ok("database", f"PostgreSQL {version} answers")


async def _rights(connection: asyncpg.Connection[Any]) -> Diagnosis:
    about, wanted = "rights in the database", [(name, rights) for rights, names in _RIGHTS.items() for name in names]
    lacking = await connection.fetchval(_MISSING_RIGHTS, *map(list, zip(*wanted, strict=True)))
    if lacking:
        text = f"the role lacks rights on {lacking}"
        return missing(about, text, "make the grants of docs/operations.md as the owner")
    return ok(about, "the role has all that the service needs")


async def _schema(connection: asyncpg.Connection[Any], known: tuple[migrate.Migration, ...]) -> Diagnosis:
    about, newest = "schema", known[-1].version
    status = await migrate.status(connection, known)
    current = status.current
    if current is None and await connection.fetchval(_GO_SERVICE_TABLE):
        text = "it has no version, but the tables of the Go service"
        return missing(about, text, "run `registry-grpc migrate adopt`")
    if current is None:
        return missing(about, "no migration was applied", "run `registry-grpc migrate up`")
    if 0 <= current.version < known[0].version:
        text = f"version {current.version} of the Go service"
        return missing(about, text, "run `registry-grpc migrate adopt`")
    if current.dirty and current.version <= newest:
        resumable = any(migration.resumable for migration in known if migration.version == current.version)
        text = f"dirty at {current.version}: a migration is running or stopped half-way"
        advice = "run `registry-grpc migrate up`, which waits for a running migration and resumes a stopped one"
        repair = "repair the schema by hand, then set schema_migrations to the last complete version, dirty = false"
        say = missing if current.version <= migrate.LOWEST_VERSION else warning
        return say(about, text, advice if resumable else repair)
    if current.version < newest and current.version not in {migration.version for migration in known}:
        text = f"version {current.version} belongs to another program"
        return missing(about, text, "check REGISTRY_DATABASE_URL")
    if status.pending:
        names = ", ".join(f"{migration.version}_{migration.name}" for migration in status.pending)
        say = missing if current.version < migrate.LOWEST_VERSION else warning
        return say(about, f"pending: {names}", "run `registry-grpc migrate up`")
    if current.version > newest:
        text = f"version {current.version} is newer than this program, whose newest is {newest}; it works nevertheless"
        return ok(about, text)
    return ok(about, f"version {current.version}, no migration is pending")


async def _stored_secrets(connection: asyncpg.Connection[Any], settings: Settings) -> AsyncIterator[Diagnosis]:
    """Reads each of them. Unreadable ones are counted for each missing key, and in one line for all other faults."""
    about, cipher, total, outdated = "stored secrets", cipher_of(settings), 0, 0
    counts, examples = Counter[str](), dict[str, str]()
    async for place, secret in _secrets(connection):
        total += 1
        try:
            cipher.decrypt(secret, place)
        except SecretUnreadable as error:
            fault = f"{error}" if isinstance(error, KeyMissing) else _MOVED
            counts[fault] += 1
            examples.setdefault(fault, place)
        else:
            outdated += not cipher.is_current(secret)
    for fault, count in counts.items():
        text = f"{count} of {total} cannot be read, for example {examples[fault]}: {fault}"
        advice = _RIGHT_KEY if fault is _MOVED else _APPEND_KEY
        yield missing(about, text, advice)
    if outdated and not counts:
        text = f"{outdated} of {total} are not encrypted with the current key"
        yield warning(about, text, "run `registry-grpc migrate encrypt-secrets`")
    elif not counts:
        yield ok(about, f"all {total} are encrypted with the current key")


async def _secrets(connection: asyncpg.Connection[Any]) -> AsyncIterator[tuple[str, str]]:
    """Those of model versions and of webhooks, with their places."""
    async for version in versions_with_keys(connection):
        for column in filter(version.get, KEYS):
            yield place_of_key(version["id"], column, version["keys_uri"]), version[column]
    if await connection.fetchval("SELECT to_regclass('webhook') IS NOT NULL"):
        for webhook in await connection.fetch("SELECT id, secret FROM webhook"):
            yield place_of_secret(webhook["id"]), webhook["secret"]


async def _orphans(connection: asyncpg.Connection[Any]) -> Diagnosis:
    about, count = "orphans", await connection.fetchval("SELECT count(*) FROM orphan")
    if count:
        text = f"{count} objects in the cluster carry this registry's mark and belong to no deployment"
        return warning(about, text, "list them with `registry-grpc orphans`; docs/operations.md explains what to do")
    if not await connection.fetchval(_HAS_LEADER, LEADER_LOCK):
        return skipped(about, "none are known, but no controller runs that compares the cluster with the deployments")
    return ok(about, "none when a controller last compared the cluster with the deployments")
