"""`registry-grpc`: serve, worker, controller, migrate, healthcheck, config, doctor and dev."""

from __future__ import annotations

import argparse
import asyncio
import sys
from collections.abc import Sequence

import asyncpg
from pydantic import ValidationError

from registry_grpc import operations
from registry_grpc.adapters.postgres.migrate import MigrationError
from registry_grpc.observability import configure_logging
from registry_grpc.settings import Settings


def main(arguments: Sequence[str] | None = None) -> None:
    parsed = _parser().parse_args(arguments)
    try:
        settings = Settings()
    except ValidationError as error:
        sys.exit("\n".join(f"REGISTRY_{'_'.join(map(str, e['loc'])).upper()}: {e['msg']}" for e in error.errors()))
    configure_logging(settings.log_level, settings.log_format)
    try:
        parsed.run(settings, parsed)
    except (MigrationError, ValueError) as error:
        sys.exit(str(error))
    except (OSError, asyncpg.PostgresError) as error:
        sys.exit(f"the database does not answer: {error}")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="registry-grpc", description="A model registry that deploys.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    commands.add_parser("serve", help="run the workers").set_defaults(run=_serve)

    worker = commands.add_parser("worker", help="run one worker (serve does that)")
    worker.add_argument("--listen", required=True, help="host:port or unix:/path")
    worker.set_defaults(run=_worker)

    commands.add_parser("controller", help="bring deployments about").set_defaults(run=_controller)

    migrate = commands.add_parser("migrate", help="change the database's schema")
    migrate.add_argument("action", choices=("up", "down", "status", "adopt", "encrypt-secrets"))
    migrate.add_argument("--steps", type=int, default=1, help="how many migrations `down` takes back")
    migrate.add_argument("--yes", action="store_true", help="`down` loses data: say that you know")
    migrate.set_defaults(run=operations.migrate)

    healthcheck = commands.add_parser("healthcheck", help="ask a worker or the gateway whether it serves")
    healthcheck.add_argument("--address", help="host:port or unix:/path; default is the first worker")
    healthcheck.set_defaults(run=lambda settings, parsed: operations.healthcheck(settings, parsed.address))

    commands.add_parser("config", help="print all settings").set_defaults(
        run=lambda settings, _parsed: operations.print_config(settings)
    )
    commands.add_parser("doctor", help="check everything the service needs").set_defaults(
        run=lambda settings, _parsed: operations.doctor(settings)
    )
    commands.add_parser("dev", help="run all of it on this machine").set_defaults(run=_dev)
    return parser


def _serve(settings: Settings, _parsed: argparse.Namespace) -> None:
    from registry_grpc.supervisor import serve  # noqa: PLC0415 - the supervisor needs no gRPC

    asyncio.run(serve(settings))


def _worker(settings: Settings, parsed: argparse.Namespace) -> None:
    from registry_grpc.server import run_worker  # noqa: PLC0415

    run_worker(settings, parsed.listen)


def _controller(settings: Settings, _parsed: argparse.Namespace) -> None:
    from registry_grpc.server import run_controller  # noqa: PLC0415

    run_controller(settings)


def _dev(settings: Settings, _parsed: argparse.Namespace) -> None:
    try:
        from registry_grpc.devtools.dev import run_dev  # noqa: PLC0415
    except ModuleNotFoundError as error:
        sys.exit(f"`registry-grpc dev` needs the extra `dev-stack`: {error}")
    run_dev(settings)
