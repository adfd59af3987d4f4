"""`registry-grpc`: serve, worker, controller, migrate, healthcheck, config, gateway, doctor, orphans and dev.

Each command imports its modules when it runs, because probes run `healthcheck` every few seconds and importing the
whole service takes a second of CPU time.
"""

from __future__ import annotations

import argparse
import asyncio
import importlib.metadata
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TextIO

from pydantic import ValidationError

from registry_grpc.settings import ConfigurationError, Settings, unknown_variables


def main(arguments: Sequence[str] | None = None) -> None:
    parsed = _parser().parse_args(arguments)
    try:
        settings = Settings()
    except ValidationError as error:
        sys.exit("\n".join(f"{_variable(problem['loc'])}: {problem['msg']}" for problem in error.errors()))
    if parsed.logs_to is not None:
        import structlog  # noqa: PLC0415

        from registry_grpc.observability import configure_logging  # noqa: PLC0415

        configure_logging(settings.log_level, settings.log_format, parsed.logs_to)
        for name, nearest in unknown_variables(os.environ).items():
            structlog.get_logger("settings").warning("unknown variable is ignored", name=name, nearest=nearest)
    try:
        _run(settings, parsed)
    except ConfigurationError as error:
        sys.exit(str(error))


def _variable(location: tuple[int | str, ...]) -> str:
    """The environment variable of a setting. The location of a setting with an alias is the alias."""
    return f"REGISTRY_{str(location[0]).removeprefix('REGISTRY_').upper()}"


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="registry-grpc", description="A model registry that deploys.")
    version = importlib.metadata.version("registry-grpc")
    parser.add_argument("--version", action="version", version=f"registry-grpc {version}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND", dest="command")

    def command(name: str, about: str, logs_to: TextIO | None) -> argparse.ArgumentParser:
        added = commands.add_parser(name, help=about)
        added.set_defaults(logs_to=logs_to)
        return added

    # Commands that print their result log to stderr.
    results = sys.stderr
    command("serve", "run the workers", sys.stdout)
    worker = command("worker", "run one worker (`serve` starts all of them)", sys.stdout)
    worker.add_argument("--listen", required=True, help="host:port or unix:/path")
    command("controller", "apply deployments to the cluster and keep it to them", sys.stdout)

    migrate = command("migrate", "change the database's schema", results)
    migrate.add_argument("action", choices=("up", "down", "status", "adopt", "encrypt-secrets", "decrypt-secrets"))
    migrate.add_argument("--steps", type=_at_least_one, default=1, help="how many migrations `down` reverts")
    migrate.add_argument("--yes", action="store_true", help="confirm `down` or `decrypt-secrets`")

    healthcheck = command("healthcheck", "check whether the workers, or one address, serve requests", None)
    healthcheck.add_argument(
        "--address", help="host:port or unix:/path of a worker or the gateway; default: all workers"
    )
    command("config", "print all settings", results)
    gateway = command("gateway", "write the files that Envoy needs", results)
    gateway.add_argument(
        "folder", type=Path, help="the folder to write to; name it `gateway` and start Envoy in its parent folder"
    )
    command("doctor", "check everything that the service needs", results)
    command("orphans", "list what only the cluster knows, of all projects", results)
    command("dev", "run everything on this machine, for development", sys.stdout)
    return parser


def _at_least_one(text: str) -> int:
    if (number := int(text)) < 1:
        raise argparse.ArgumentTypeError("must be at least 1")
    return number


def _run(settings: Settings, parsed: argparse.Namespace) -> None:
    match parsed.command:
        case "serve":
            from registry_grpc.supervisor import serve  # noqa: PLC0415

            asyncio.run(serve(settings))
        case "worker":
            from registry_grpc.server import run_worker  # noqa: PLC0415

            run_worker(settings, parsed.listen)
        case "controller":
            from registry_grpc.server import run_controller  # noqa: PLC0415

            run_controller(settings)
        case "healthcheck":
            from registry_grpc.healthcheck import healthcheck  # noqa: PLC0415

            healthcheck(settings, parsed.address)
        case "dev":
            try:
                from registry_grpc.devtools.dev import run_dev  # noqa: PLC0415
            except ModuleNotFoundError as error:
                sys.exit(f"`registry-grpc dev` needs the extra `dev-stack`: {error}")
            run_dev(settings)
        case _:
            _operate(settings, parsed)


def _operate(settings: Settings, parsed: argparse.Namespace) -> None:
    from registry_grpc import operations  # noqa: PLC0415

    match parsed.command:
        case "migrate":
            operations.migrate(settings, parsed)
        case "config":
            operations.print_config(settings)
        case "gateway":
            operations.write_gateway(parsed.folder)
        case "doctor":
            operations.doctor(settings)
        case "orphans":
            operations.orphans(settings)
