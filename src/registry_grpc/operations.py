"""The one-off commands of an operator."""

from __future__ import annotations

import argparse
import asyncio
import json
import re
import shlex
import shutil
import sys
import time
from collections.abc import AsyncIterator, Callable, Collection, Coroutine, Iterator, Mapping, Sequence
from contextlib import aclosing, asynccontextmanager, contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import asyncpg
from pydantic import SecretStr

from registry_grpc.adapters.postgres import migrate as migrations
from registry_grpc.adapters.postgres.access import PostgresAccessRepository
from registry_grpc.adapters.postgres.adoption import adopt
from registry_grpc.adapters.postgres.audit import PostgresAuditLog, entry_line
from registry_grpc.adapters.postgres.audit_check import check_chains, kept_hashes
from registry_grpc.adapters.postgres.database import Database
from registry_grpc.adapters.postgres.errors import CONNECTION_LOST
from registry_grpc.adapters.postgres.stored_keys import (
    Rewritten,
    count_stored_secrets,
    decrypt_stored_secrets,
    encrypt_stored_secrets,
)
from registry_grpc.adapters.postgres.webhooks import encrypt_webhook_secrets
from registry_grpc.configuration import source_of, variable_of
from registry_grpc.domain.access import Caller, MemberKind, NewApiToken, NewMember, Role
from registry_grpc.domain.errors import RegistryError
from registry_grpc.pages import ui_config, with_pages, without_pages
from registry_grpc.ports.encryption import SecretCipher
from registry_grpc.progress import Progress
from registry_grpc.services.access import issue_token
from registry_grpc.services.audit import Audit
from registry_grpc.settings import Settings
from registry_grpc.shipped import GATEWAY, gateway_config

_ORPHANS = """
SELECT to_char(seen_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"'), namespace || '/' || name, 'uid ' || uid,
    'deployment ' || coalesce(nullif(deployment_id, ''), 'unknown')
FROM orphan ORDER BY seen_at, uid
"""
_DONE_OF = re.compile(r"(\w+) (\d+) of (\d+)")
"""What a migration says while it fills in rows."""
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
    except RegistryError as error:
        sys.exit(error.full_message)
    except BrokenPipeError:  # of the output
        raise
    except CONNECTION_LOST as error:
        sys.exit(f"the database does not answer: {error}")
    except asyncpg.PostgresError as error:
        sys.exit(f"the database refuses the command: {error}")


async def _migrate(settings: Settings, arguments: argparse.Namespace) -> None:
    known = migrations.load_migrations(settings.migrations_dir)
    if arguments.action == "status":
        await _print_status(settings, known, as_json=arguments.json)
        return
    async with migrations.migration_connection(settings.dsn) as connection:
        match arguments.action:
            case "up":
                with _progress_of(connection) as report:
                    applied = await migrations.up(connection, known, report=report)
                _tell("applied", applied)
            case "down":
                _tell("reverted", await migrations.down(connection, known, steps=arguments.steps))
            case "adopt":
                with _progress_of(connection) as report:
                    adoption = await adopt(connection, known, report=report)
                print("\n".join(adoption.changes) or "the database has already been adopted")  # noqa: T201
                _tell("applied", list(adoption.applied))
            case "encrypt-secrets":
                count, unreadable = await _rewrite_secrets(connection, encrypt_stored_secrets, settings)
                print(f"encrypted the secrets of {count} versions with the current key")  # noqa: T201
                count, more = await _rewrite_secrets(connection, encrypt_webhook_secrets, settings)
                if count:
                    print(f"encrypted the secrets of {count} webhooks with the current key")  # noqa: T201
                _refuse(unreadable + more)
            case "decrypt-secrets":
                count, unreadable = await _rewrite_secrets(connection, decrypt_stored_secrets, settings)
                print(f"decrypted the secrets of {count} versions")  # noqa: T201
                _refuse(unreadable)


@contextmanager
def _progress_of(connection: asyncpg.Connection) -> Iterator[Callable[[migrations.Migration, int, int], None]]:
    """Tells the progress of migrations, to which the block reports each that begins."""
    name = ""

    def report(migration: migrations.Migration, place: int, count: int) -> None:
        nonlocal name
        name = f"{migration.version}_{migration.name}"
        progress.tell("migrations", place, count)

    def heard(_connection: object, message: Any) -> None:
        if found := _DONE_OF.fullmatch(message.message):
            progress.tell(f"{name}: {found[1]}", int(found[2]), int(found[3]))

    connection.add_log_listener(heard)
    try:
        with Progress() as progress:
            yield report
    finally:
        connection.remove_log_listener(heard)


async def _print_status(settings: Settings, known: tuple[migrations.Migration, ...], *, as_json: bool) -> None:
    """Needs no lock, so that it also works while a long migration runs."""
    async with migrations.connected(settings.dsn) as connection:
        status = await migrations.status(connection, known)
    if as_json:
        lists = {"applied": status.applied, "pending": status.pending}
        shown: dict[str, Any] = {
            name: [{"version": each.version, "name": each.name} for each in migrations_]
            for name, migrations_ in lists.items()
        }
        current = status.current
        shown |= {"version": current and current.version, "dirty": bool(current and current.dirty)}
        print(json.dumps(shown, indent=2))  # noqa: T201
        return
    for migration in status.applied:
        print(f"applied  {migration.version} {migration.name}")  # noqa: T201
    for migration in status.pending:
        print(f"pending  {migration.version} {migration.name}")  # noqa: T201
    if status.current and status.current.dirty:
        print(f"dirty at {status.current.version}: a migration is running or stopped half-way")  # noqa: T201


async def _rewrite_secrets(
    connection: asyncpg.Connection,
    rewrite: Callable[[asyncpg.Connection, SecretCipher], AsyncIterator[Rewritten]],
    settings: Settings,
) -> tuple[int, tuple[str, ...]]:
    """How many rows were changed, and what could not be read. Raises MigrationError if the schema is too old for
    encrypted secrets."""
    from registry_grpc.bootstrap import cipher_of  # noqa: PLC0415 - it loads the whole service

    await connection.execute("SET lock_timeout = '4s'")  # long, because locks of rows hold up others far less
    try:
        with Progress() as progress:
            total, seen, changed, unreadable = await count_stored_secrets(connection), 0, 0, list[str]()
            async for row in rewrite(connection, cipher_of(settings)):
                seen, changed = seen + 1, changed + row.changed
                unreadable += row.unreadable
                progress.tell("secrets of rows", seen, max(seen, total))
        return changed, tuple(unreadable)
    except (asyncpg.UndefinedTableError, asyncpg.UndefinedColumnError):
        raise migrations.MigrationError("migrations are pending: run `registry-grpc migrate up` first") from None


def _refuse(unreadable: Sequence[str]) -> None:
    """Raises MigrationError if there are any."""
    if unreadable:
        lines = "\n".join(unreadable)
        raise migrations.MigrationError(
            f"{lines}\nsecrets that cannot be read, and stay as they are: {len(unreadable)}"
        )


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


def audit(settings: Settings, arguments: argparse.Namespace) -> None:
    """Check the audit log, or write its entries. Raises what `migrate` raises, and SystemExit if the log was changed or
    the file with the kept hashes cannot be read."""
    if arguments.action == "export":
        _run(_export_audit(settings, arguments))
        return
    try:
        kept = kept_hashes(arguments.kept.read_text()) if arguments.kept else {}
    except (OSError, ValueError) as error:
        sys.exit(f"--kept: {error}")
    _run(_verify_audit(settings, kept))


async def _verify_audit(settings: Settings, kept: Mapping[UUID, bytes]) -> None:
    started, is_broken, projects, entries = time.perf_counter(), False, 0, 0
    async with migrations.connected(settings.dsn) as connection:
        await connection.execute("SET statement_timeout = 0")
        async with connection.transaction(isolation="repeatable_read", readonly=True):
            async for chain in check_chains(connection, kept):
                is_broken = is_broken or bool(chain.broken)
                projects, entries = projects + 1, entries + chain.entries
                print(chain.line)  # noqa: T201
    took = time.perf_counter() - started
    print(f"computed the hashes of {entries} entries of {projects} projects in {took:.1f} s", file=sys.stderr)  # noqa: T201
    if is_broken:
        sys.exit("the audit log was changed")


async def _export_audit(settings: Settings, arguments: argparse.Namespace) -> None:
    async with _database(settings) as database:
        watch = Audit(log=PostgresAuditLog(database)).watch(None, None, arguments.after, follow=arguments.follow)
        async with aclosing(watch) as entries:
            async for entry in entries:
                sys.stdout.buffer.write(entry_line(entry))
                sys.stdout.buffer.flush()


def create_api_token(settings: Settings, arguments: argparse.Namespace) -> None:
    """Print a new API token: the first one, before anybody may call the service. Raises SystemExit if it cannot be
    made, and ConfigurationError without a database URL."""
    _run(_create_api_token(settings, arguments))


async def _create_api_token(settings: Settings, arguments: argparse.Namespace) -> None:
    role, lifetime = Role[arguments.role.upper()], timedelta(days=min(arguments.days, timedelta.max.days))
    new = NewApiToken(name=arguments.name, role=role, lifetime=lifetime)
    creator = Caller(name="registry-grpc api-token", method="none", role=Role.OPERATOR)
    async with _database(settings) as database:
        token = await issue_token(PostgresAccessRepository(database), arguments.project, new, creator)
    print(token.text)  # noqa: T201


def set_member(settings: Settings, arguments: argparse.Namespace) -> None:
    """Give a user or a group a role. Raises what `create_api_token` raises."""
    _run(_set_member(settings, arguments))


async def _set_member(settings: Settings, arguments: argparse.Namespace) -> None:
    kind, role = MemberKind[arguments.kind.upper()], Role[arguments.role.upper()]
    new = NewMember(kind=kind, name=arguments.name, role=role)
    async with _database(settings) as database:
        await PostgresAccessRepository(database).set_member(arguments.project, new)
    print(f"{arguments.kind} {arguments.name} is {role.name} in project {arguments.project}")  # noqa: T201


@asynccontextmanager
async def _database(settings: Settings) -> AsyncIterator[Database]:
    database = Database(settings.dsn)
    try:
        yield database
    finally:
        await database.close()


def print_config(settings: Settings, *, as_json: bool) -> None:
    """Print all settings with their sources, as a shell reads variables, or as JSON. Of a secret, only whether it is
    set."""
    values, lines = settings.model_dump(mode="json"), []
    for name, field in type(settings).model_fields.items():
        value, source, variable = values[name], source_of(settings, name), variable_of(name)
        if is_secret := field.annotation == SecretStr | None:
            value = "unset" if value is None else "set"
        lines.append({"name": variable, "value": value, "source": source})
        if not as_json:
            text = f"# {variable} is {value}" if is_secret else f"{variable}={shlex.quote(_written(value))}"
            print(f"{text}  # {source}")  # noqa: T201
    if as_json:
        print(json.dumps(lines, indent=2))  # noqa: T201


def _written(value: Any) -> str:
    """A value as a variable has it."""
    match value:
        case None | []:
            return ""
        case [str(), *_]:
            return ",".join(value)
        case str():
            return value
        case _:
            return json.dumps(value)


def write_gateway(folder: Path, switches: Collection[str], settings: Settings, *, pages: bool = True) -> None:
    """Write everything that Envoy needs for this release: its configuration with these `switches` and the workers of
    the settings, the Lua filters, the descriptor set and the pages."""
    from registry_grpc.adapters.rest.descriptor import gateway_descriptor_set  # noqa: PLC0415 - loads all protos

    of_ui = ui_config(settings)
    if folder.resolve() != GATEWAY:  # otherwise it is that of this checkout
        # Browsers remember it, so `make run` does not do it to the names of a developer's own machine.
        switches = {*switches, "hsts"} if "tls" in switches else switches
        config = gateway_config(switches, workers=settings.workers, first_port=settings.worker_port)
        _copy_gateway(folder, with_pages(config, of_ui) if pages else without_pages(config))
    of_ui.write(folder)
    (folder / "registry.pb").write_bytes(gateway_descriptor_set())


def _copy_gateway(folder: Path, config: str) -> None:
    """Keep an `envoy.yaml` that somebody has adapted, or that is of another release or with other switches."""
    own = folder / "envoy.yaml"
    is_kept = own.exists() and own.read_text() != config
    shutil.copytree(GATEWAY, folder, dirs_exist_ok=True, ignore=shutil.ignore_patterns("envoy.yaml"))
    (new := folder / ("envoy.yaml.new" if is_kept else "envoy.yaml")).write_text(config)
    if is_kept:
        print(f"{own} was changed and is kept; make the changes of this release in it, see {new}")  # noqa: T201


def doctor(settings: Settings, gateway: str | None, *, as_json: bool) -> None:
    """Check database, schema, cluster, permissions and gateway. Exits with status 1 if something is missing."""
    from registry_grpc.doctor import examine  # noqa: PLC0415 - other commands do not need it

    if not asyncio.run(examine(settings, gateway, as_json=as_json)):
        sys.exit(1)
