"""The one-off commands of an operator."""

from __future__ import annotations

import argparse
import asyncio
import sys

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc

from registry_grpc.adapters.postgres import migrate as migrations
from registry_grpc.adapters.postgres.adoption import adopt
from registry_grpc.adapters.postgres.secrets import encrypt_stored_secrets
from registry_grpc.bootstrap import cipher_of
from registry_grpc.settings import Settings

_HEALTHCHECK_SECONDS = 3.0


def migrate(settings: Settings, arguments: argparse.Namespace) -> None:
    """Raises MigrationError."""
    if arguments.action == "down" and not arguments.yes:
        sys.exit("`migrate down` drops tables and columns with what is in them; add --yes if you mean it")
    asyncio.run(_migrate(settings, arguments))


async def _migrate(settings: Settings, arguments: argparse.Namespace) -> None:
    known = migrations.load_migrations(settings.migrations_dir)
    async with migrations.migration_connection(settings.dsn) as connection:
        match arguments.action:
            case "up":
                _tell("applied", await migrations.up(connection, known))
            case "down":
                _tell("took back", await migrations.down(connection, known, steps=arguments.steps))
            case "adopt":
                adoption = await adopt(connection, known)
                print("\n".join(adoption.changes) or "nothing to take over")  # noqa: T201
                _tell("applied", list(adoption.applied))
            case "encrypt-secrets":
                count = await encrypt_stored_secrets(connection, cipher_of(settings))
                print(f"encrypted the secrets of {count} versions with the current key")  # noqa: T201
            case _:
                status = await migrations.status(connection, known)
                for migration in status.applied:
                    print(f"applied  {migration.version} {migration.name}")  # noqa: T201
                for migration in status.pending:
                    print(f"pending  {migration.version} {migration.name}")  # noqa: T201


def _tell(done: str, what: list[migrations.Migration]) -> None:
    for migration in what:
        print(f"{done} {migration.version} {migration.name}")  # noqa: T201
    if not what:
        print("nothing to do")  # noqa: T201


def healthcheck(settings: Settings, address: str | None) -> None:
    """Exit status 0 when it serves, 1 otherwise; for container probes."""
    target = address or f"{settings.worker_host}:{settings.worker_port}"
    try:
        with grpc.insecure_channel(target) as channel:
            answer = health_pb2_grpc.HealthStub(channel).Check(  # type: ignore[attr-defined]
                health_pb2.HealthCheckRequest(), timeout=_HEALTHCHECK_SECONDS
            )
    except grpc.RpcError as error:
        sys.exit(f"{target} does not serve: {error.code().name}")
    status = health_pb2.HealthCheckResponse.ServingStatus.Name(answer.status)
    print(status)  # noqa: T201
    if answer.status != health_pb2.HealthCheckResponse.SERVING:
        sys.exit(1)


def print_config(settings: Settings) -> None:
    """All settings with their values; secrets are masked."""
    for name in type(settings).model_fields:
        print(f"REGISTRY_{name.upper()}={getattr(settings, name)}")  # noqa: T201


def doctor(settings: Settings) -> None:
    """Check database, schema, cluster, permissions and gateway; exit status 1 when something is missing."""
    from registry_grpc.doctor import examine  # noqa: PLC0415 - it loads the Kubernetes client

    if not asyncio.run(examine(settings)):
        sys.exit(1)
