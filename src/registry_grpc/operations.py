"""The one-off commands of an operator."""

from __future__ import annotations

import argparse
import asyncio
import shutil
import sys
from collections.abc import Awaitable, Callable, Coroutine
from pathlib import Path
from typing import Any

import asyncpg

from registry_grpc.adapters.postgres import migrate as migrations
from registry_grpc.adapters.postgres.adoption import adopt
from registry_grpc.adapters.postgres.errors import CONNECTION_LOST
from registry_grpc.adapters.postgres.stored_keys import decrypt_stored_secrets, encrypt_stored_secrets
from registry_grpc.ports.encryption import SecretCipher, SecretUnreadable
from registry_grpc.settings import Settings
from registry_grpc.shipped import GATEWAY

_ORPHANS = """
SELECT to_char(seen_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"'), namespace || '/' || name, 'uid ' || uid,
    'deployment ' || coalesce(nullif(deployment_id, ''), 'unknown')
FROM orphan ORDER BY seen_at, uid
"""
_DANGERS = {
    "down": "drops tables and columns with their data",
    "decrypt-secrets": "stores keys in plain text, as the Go service needs them",
}


def migrate(settings: Settings, arguments: argparse.Namespace) -> None:
    """Raises ConfigurationError without a database URL, and SystemExit if the database cannot be migrated."""
    if arguments.action in _DANGERS and not arguments.yes:
        sys.exit(f"`migrate {arguments.action}` {_DANGERS[arguments.action]}; add --yes if you mean it")
    _run(_migrate(settings, arguments))


def _run(work: Coroutine[Any, Any, None]) -> None:
    try:
        asyncio.run(work)
    except migrations.MigrationError as error:
        sys.exit(str(error))
    except CONNECTION_LOST as error:
        sys.exit(f"the database does not answer: {error}")
    except asyncpg.PostgresError as error:
        sys.exit(f"the database refuses the command: {error}")


async def _migrate(settings: Settings, arguments: argparse.Namespace) -> None:
    known = migrations.load_migrations(settings.migrations_dir)
    if arguments.action == "status":
        await _print_status(settings, known)
        return
    async with migrations.migration_connection(settings.dsn) as connection:
        match arguments.action:
            case "up":
                _tell("applied", await migrations.up(connection, known))
            case "down":
                _tell("reverted", await migrations.down(connection, known, steps=arguments.steps))
            case "adopt":
                adoption = await adopt(connection, known)
                print("\n".join(adoption.changes) or "the database has already been adopted")  # noqa: T201
                _tell("applied", list(adoption.applied))
            case "encrypt-secrets":
                count = await _rewrite_secrets(connection, encrypt_stored_secrets, settings)
                print(f"encrypted the secrets of {count} versions with the current key")  # noqa: T201
            case "decrypt-secrets":
                count = await _rewrite_secrets(connection, decrypt_stored_secrets, settings)
                print(f"decrypted the secrets of {count} versions")  # noqa: T201


async def _print_status(settings: Settings, known: tuple[migrations.Migration, ...]) -> None:
    """Needs no lock, so that it also works while a long migration runs."""
    async with migrations.connected(settings.dsn) as connection:
        status = await migrations.status(connection, known)
    for migration in status.applied:
        print(f"applied  {migration.version} {migration.name}")  # noqa: T201
    for migration in status.pending:
        print(f"pending  {migration.version} {migration.name}")  # noqa: T201
    if status.current and status.current.dirty:
        print(f"dirty at {status.current.version}: a migration is running or stopped half-way")  # noqa: T201


async def _rewrite_secrets(
    connection: asyncpg.Connection,
    rewrite: Callable[[asyncpg.Connection, SecretCipher], Awaitable[int]],
    settings: Settings,
) -> int:
    """Raises MigrationError if the schema is too old for encrypted secrets, or if a key is not configured."""
    from registry_grpc.bootstrap import cipher_of  # noqa: PLC0415 - it loads the whole service

    await connection.execute("SET lock_timeout = '4s'")  # long, because locks of rows hold up others far less
    try:
        return await rewrite(connection, cipher_of(settings))
    except (asyncpg.UndefinedTableError, asyncpg.UndefinedColumnError):
        raise migrations.MigrationError("migrations are pending: run `registry-grpc migrate up` first") from None
    except SecretUnreadable as error:
        raise migrations.MigrationError(str(error)) from error


def _tell(done: str, what: list[migrations.Migration]) -> None:
    for migration in what:
        print(f"{done} {migration.version} {migration.name}")  # noqa: T201
    if not what:
        print("nothing to do")  # noqa: T201


def orphans(settings: Settings) -> None:
    """Print a line for each object in the cluster without a deployment, oldest first, even if no environment has its
    namespace any more. Raises what `migrate` raises."""
    _run(_print_orphans(settings))


async def _print_orphans(settings: Settings) -> None:
    async with migrations.connected(settings.dsn) as connection:
        for row in await connection.fetch(_ORPHANS):
            print("  ".join(row))  # noqa: T201


def print_config(settings: Settings) -> None:
    """Print all settings as environment variables, with masked secrets."""
    for name in type(settings).model_fields:
        value = getattr(settings, name)
        text = ",".join(value) if isinstance(value, tuple) else "" if value is None else value
        print(f"REGISTRY_{name.upper()}={text}")  # noqa: T201


def write_gateway(folder: Path) -> None:
    """Write everything that Envoy needs for this release: its configuration, the Lua filters and the descriptor set."""
    from registry_grpc.adapters.rest.descriptor import gateway_descriptor_set  # noqa: PLC0415 - loads all protos

    if folder.resolve() != GATEWAY:  # otherwise it is that of this checkout
        _copy_gateway(folder)
    (folder / "registry.pb").write_bytes(gateway_descriptor_set())


def _copy_gateway(folder: Path) -> None:
    """Keep an `envoy.yaml` that somebody has adapted, or that is of another release."""
    shipped, own = GATEWAY / "envoy.yaml", folder / "envoy.yaml"
    is_kept = own.exists() and own.read_bytes() != shipped.read_bytes()
    shutil.copytree(GATEWAY, folder, dirs_exist_ok=True, ignore=shutil.ignore_patterns(*["envoy.yaml"] * is_kept))
    if is_kept:
        shutil.copy(shipped, new := folder / "envoy.yaml.new")
        print(f"{own} was changed and is kept; make the changes of this release in it, see {new}")  # noqa: T201


def doctor(settings: Settings) -> None:
    """Check database, schema, cluster, permissions and gateway. Exits with status 1 if something is missing."""
    from registry_grpc.doctor import examine  # noqa: PLC0415 - other commands do not need it

    if not asyncio.run(examine(settings)):
        sys.exit(1)
