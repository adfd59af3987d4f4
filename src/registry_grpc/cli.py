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
from collections.abc import Callable, Sequence
from pathlib import Path

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
        parsed.run(settings, parsed)
    except ConfigurationError as error:
        sys.exit(str(error))


def _variable(location: tuple[int | str, ...]) -> str:
    """The environment variable of a setting. The location of a setting with an alias is the alias."""
    return f"REGISTRY_{str(location[0]).removeprefix('REGISTRY_').upper()}"


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="registry-grpc", description="A model registry that deploys.")
    version = importlib.metadata.version("registry-grpc")
    parser.add_argument("--version", action="version", version=f"registry-grpc {version}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    def command(name: str, run: Callable[[Settings, argparse.Namespace], None], about: str) -> argparse.ArgumentParser:
        """A command that prints its result, so that its log goes to stderr."""
        added = commands.add_parser(name, help=about)
        added.set_defaults(run=run, logs_to=sys.stderr)
        return added

    command("serve", _serve, "run the workers").set_defaults(logs_to=sys.stdout)
    worker = command("worker", _worker, "run one worker (`serve` starts all of them)")
    worker.add_argument("--listen", required=True, help="host:port or unix:/path")
    worker.set_defaults(logs_to=sys.stdout)
    command("controller", _controller, "apply deployments to the cluster and keep it to them").set_defaults(
        logs_to=sys.stdout
    )

    migrate = command("migrate", _migrate, "change the database's schema")
    migrate.add_argument("action", choices=("up", "down", "status", "adopt", "encrypt-secrets", "decrypt-secrets"))
    migrate.add_argument("--steps", type=_at_least_one, default=1, help="how many migrations `down` reverts")
    migrate.add_argument("--yes", action="store_true", help="confirm `down` or `decrypt-secrets`")

    healthcheck = command("healthcheck", _healthcheck, "check whether the workers, or one address, serve requests")
    healthcheck.add_argument(
        "--address", help="host:port or unix:/path of a worker or the gateway; default: all workers"
    )
    healthcheck.set_defaults(logs_to=None)

    command("config", _config, "print all settings")
    gateway = command("gateway", _gateway, "write the files that Envoy needs")
    gateway.add_argument(
        "folder", type=Path, help="the folder to write to; name it `gateway` and start Envoy in its parent folder"
    )
    command("doctor", _doctor, "check everything that the service needs")
    command("orphans", _orphans, "list what only the cluster knows, of all projects")
    command("dev", _dev, "run everything on this machine, for development").set_defaults(logs_to=sys.stdout)
    return parser


def _at_least_one(text: str) -> int:
    if (number := int(text)) < 1:
        raise argparse.ArgumentTypeError("must be at least 1")
    return number


def _serve(settings: Settings, _parsed: argparse.Namespace) -> None:
    from registry_grpc.supervisor import serve  # noqa: PLC0415

    asyncio.run(serve(settings))


def _worker(settings: Settings, parsed: argparse.Namespace) -> None:
    from registry_grpc.server import run_worker  # noqa: PLC0415

    run_worker(settings, parsed.listen)


def _controller(settings: Settings, _parsed: argparse.Namespace) -> None:
    from registry_grpc.server import run_controller  # noqa: PLC0415

    run_controller(settings)


def _migrate(settings: Settings, parsed: argparse.Namespace) -> None:
    from registry_grpc.operations import migrate  # noqa: PLC0415

    migrate(settings, parsed)


def _healthcheck(settings: Settings, parsed: argparse.Namespace) -> None:
    from registry_grpc.healthcheck import healthcheck  # noqa: PLC0415

    healthcheck(settings, parsed.address)


def _config(settings: Settings, _parsed: argparse.Namespace) -> None:
    from registry_grpc.operations import print_config  # noqa: PLC0415

    print_config(settings)


def _gateway(_settings: Settings, parsed: argparse.Namespace) -> None:
    from registry_grpc.operations import write_gateway  # noqa: PLC0415

    write_gateway(parsed.folder)


def _doctor(settings: Settings, _parsed: argparse.Namespace) -> None:
    from registry_grpc.operations import doctor  # noqa: PLC0415

    doctor(settings)


def _orphans(settings: Settings, _parsed: argparse.Namespace) -> None:
    from registry_grpc.operations import orphans  # noqa: PLC0415

    orphans(settings)


def _dev(settings: Settings, _parsed: argparse.Namespace) -> None:
    try:
        from registry_grpc.devtools.dev import run_dev  # noqa: PLC0415
    except ModuleNotFoundError as error:
        sys.exit(f"`registry-grpc dev` needs the extra `dev-stack`: {error}")
    run_dev(settings)
