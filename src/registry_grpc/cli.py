"""`registry-grpc` with all its commands. docs/operations.md lists them and the exit codes.

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
from typing import TYPE_CHECKING, Any, NoReturn
from uuid import UUID

if TYPE_CHECKING:
    from registry_grpc.settings import Settings

_INTERRUPTED = 130
_PIPE_BROKEN = 141
"""As a shell shows a program that ended by SIGINT or SIGPIPE."""

_REACHING = {
    "gateway_ca": "A file with the certificates that sign the gateway's.",
    "gateway_name": "The name in the gateway's certificate, if the address has another one.",
    "client_certificate": "A file with the certificate to show to it.",
    "client_key": "A file with the key of that certificate.",
    "token_file": "A file with the token to send. Or set REGISTRY_TOKEN.",
}
"""Options of commands that call the gateway or a worker. Each is also a setting, and a variable (REGISTRY_…)."""
_SERVICES = frozenset(("serve", "worker", "controller", "dev"))
"""They run until they are stopped, and write nothing but their log to stderr."""


def main(arguments: Sequence[str] | None = None) -> None:
    try:
        try:
            _main(_parser().parse_args(arguments))
        finally:
            sys.stdout.flush()
    except BrokenPipeError:  # whoever reads the output has had enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(_PIPE_BROKEN)
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)  # noqa: T201
        sys.exit(_INTERRUPTED)


def _main(parsed: argparse.Namespace) -> None:
    if parsed.command == "completion":
        import shtab  # noqa: PLC0415

        print(shtab.complete(_parser(), parsed.shell))  # noqa: T201
        return
    from registry_grpc.settings import ConfigurationError  # noqa: PLC0415

    settings = _settings_of(parsed)
    try:
        _run(settings, parsed)
    except ConfigurationError as error:
        _fail(parsed, str(error))
    except SystemExit as error:
        if not isinstance(error.code, str):
            raise
        _fail(parsed, error.code)
    except KeyboardInterrupt:
        _fail(parsed, "interrupted", _INTERRUPTED)


def _settings_of(parsed: argparse.Namespace) -> Settings:
    """The settings, with which the log is configured."""
    from registry_grpc.configuration import load_settings  # noqa: PLC0415
    from registry_grpc.settings import ConfigurationError  # noqa: PLC0415

    name = getattr(parsed, "process", parsed.command)
    options = {option: value for option in _REACHING if (value := getattr(parsed, option, None))}
    try:
        settings = load_settings(**options)
    except ConfigurationError as error:
        if parsed.command in _SERVICES:
            _configured_log("info", os.environ.get("REGISTRY_LOG_FORMAT", ""), name)
        _fail(parsed, str(error))
    if "address" in parsed:
        os.environ.setdefault("GRPC_VERBOSITY", "NONE")  # these commands say themselves why a handshake failed
    if parsed.command != "healthcheck":
        log, is_json = _configured_log(settings.log_level, settings.log_format, name)
        if parsed.command in _SERVICES:
            # On a terminal, the others would fill the screen.
            shown = settings.model_dump(include=None if is_json else settings.model_fields_set)
            version = importlib.metadata.version("registry-grpc")
            log.info("process.started", version=version, pid=os.getpid(), settings=shown)
    return settings


def _configured_log(level: str, format_: str, process: str) -> tuple[Any, bool]:
    """The log, and whether its lines are JSON."""
    import structlog  # noqa: PLC0415

    from registry_grpc.observability import configure_logging  # noqa: PLC0415

    is_json = configure_logging(level, format_ if format_ in {"json", "text"} else "auto", process)
    return structlog.get_logger(), is_json


def _fail(parsed: argparse.Namespace, text: str, status: int = 1) -> NoReturn:
    """End with a line for the operator, which for a service is a line of its log."""
    if parsed.command in _SERVICES:
        import structlog  # noqa: PLC0415

        log = structlog.get_logger()
        log.error("process.failed", text=text)
    else:
        print(text, file=sys.stderr)  # noqa: T201
    sys.exit(status)


class _Parser(argparse.ArgumentParser):
    """Has commands within commands, and describes `--help` in a sentence too."""

    def __init__(self, **options: Any) -> None:
        super().__init__(add_help=False, **options)
        self.add_argument("-h", "--help", action="help", help="Show this text and exit.")
        self._group: argparse._SubParsersAction[_Parser] | None = None

    def command(self, name: str, about: str) -> _Parser:
        if self._group is None:
            kind = "action" if " " in self.prog else "command"
            self._group = self.add_subparsers(required=True, metavar=kind.upper(), dest=kind)
        return self._group.add_parser(name, help=about, description=about)


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog="registry-grpc",
        description="A model registry that deploys. Settings are variables and a file: see docs/configuration.md.",
    )
    version = f"registry-grpc {importlib.metadata.version('registry-grpc')}"
    parser.add_argument("--version", action="version", version=version, help="Show the version and exit.")
    command = parser.command
    command("serve", "Run the workers until SIGTERM.")
    worker = command("worker", "Run one worker. `serve` starts all of them.")
    worker.add_argument("--listen", required=True, help="The address to listen on: host:port or unix:/path.")
    worker.add_argument("--name", dest="process", default="worker", help="Its name in the log. Default: worker.")
    command("controller", "Apply deployments to the cluster, watch them, and deliver webhooks.")
    _add_migrate(command("migrate", "Change or show the schema of the database."))

    healthcheck = command("healthcheck", "Check whether all workers, or one address, serve requests.")
    _add_reaching(healthcheck, "A worker or the gateway: host:port or unix:/path. Default: all workers.")
    config = command("config", "Print all settings, and where their values come from.")
    doctor = command("doctor", "Check everything that the service needs.")
    _add_reaching(doctor, "The gateway: host:port. Default: that of this machine.")
    for as_json in (config, doctor):
        as_json.add_argument("--json", action="store_true", help="Print JSON.")
    _add_gateway(command("gateway", "Write the files that Envoy needs."))
    _add_audit(command("audit", "Check or write the audit log."))
    command("orphans", "List what only the cluster knows, of all projects.")
    _add_members(command("api-token", "Manage API tokens."), command("members", "Manage the members of a project."))
    for name, about in (("export", "Write a project to stdout."), ("import", "Add the project in stdin to another.")):
        transfer = command(name, about)
        transfer.add_argument("--project", required=True, help="The UUID of the project.")
        _add_reaching(transfer, "The gateway or a worker: host:port. Default: the gateway of this machine.", token=True)
    completion = command("completion", "Print a script that completes this command in a shell.")
    completion.add_argument("shell", choices=("bash", "zsh", "fish"), help="The shell.")
    command("dev", "Run everything on this machine, for development.")
    return parser


def _add_reaching(parser: _Parser, address: str, *, token: bool = False) -> None:
    parser.add_argument("--address", help=f"{address} With https:// for TLS.")
    for name, about in _REACHING.items():
        if token or name != "token_file":
            parser.add_argument(f"--{name.replace('_', '-')}", help=about)


def _add_migrate(migrate: _Parser) -> None:
    migrate.command("up", "Apply all pending migrations. It may run at any time, and may be repeated.")
    down = migrate.command("down", "Revert the newest migrations, whose data is lost.")
    down.add_argument("--steps", type=_at_least_one, default=1, help="How many migrations to revert. Default: 1.")
    status = migrate.command("status", "List the applied and the pending migrations.")
    status.add_argument("--json", action="store_true", help="Print JSON.")
    migrate.command("adopt", "Bring a database of the Go service to the newest version.")
    migrate.command("encrypt-secrets", "Encrypt all stored secrets with the current key.")
    decrypt = migrate.command("decrypt-secrets", "Store all keys of versions in plain text.")
    for dangerous in (down, decrypt):
        dangerous.add_argument("--yes", action="store_true", help="Confirm that you mean it.")


def _add_gateway(gateway: _Parser) -> None:
    gateway.add_argument(
        "folder", type=Path, help="The folder to write to. Name it `gateway` and start Envoy in its parent folder."
    )
    gateway.set_defaults(switches=[])
    for switch, about in (
        ("--tls", "Serve TLS with the certificate in FOLDER/tls."),
        ("--mtls", "As --tls, and require certificates of clients, signed by FOLDER/tls/ca.crt."),
        ("--worker-tls", "Reach the workers by TLS, with the files in FOLDER/worker-tls."),
        ("--stats", "Serve Envoy's own metrics to Prometheus on port 9902."),
        ("--traces", "Send Envoy's own spans to an OpenTelemetry receiver on port 4318."),
    ):
        gateway.add_argument(
            switch, dest="switches", action="append_const", const=switch.removeprefix("--"), help=about
        )
    gateway.add_argument("--no-pages", dest="pages", action="store_false", help="Serve no web UI and no reference.")


def _add_audit(audit: _Parser) -> None:
    verified = audit.command("verify", "Check whether the log was changed.")
    verified.add_argument(
        "--kept", type=Path, metavar="FILE", help="An earlier output, whose last hashes the log must still have."
    )
    written = audit.command("export", "Write the entries to stdout as JSON lines.")
    written.add_argument("--after", type=int, default=0, metavar="POSITION", help="Begin after this entry.")
    written.add_argument("--follow", action="store_true", help="Go on with new entries until stopped.")


def _add_members(tokens: _Parser, members: _Parser) -> None:
    token = tokens.command("create", "Make an API token, and print it.")
    member = members.command("set", "Give a user or a group a role.")
    for needed, name_of in ((token, "token"), (member, "user or group")):
        needed.add_argument("--project", type=UUID, required=True, help="The UUID of the project.")
        needed.add_argument("--name", required=True, help=f"The name of the {name_of}.")
        needed.add_argument(
            "--role", required=True, choices=("viewer", "editor", "deployer", "admin"), help="The role in the project."
        )
    token.add_argument("--days", type=_at_least_one, default=90, help="How long it can be used. Default: 90.")
    member.add_argument("--kind", choices=("user", "group"), default="user", help="What the name is. Default: user.")


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
            from registry_grpc.local_run import beside_run  # noqa: PLC0415

            settings, targets = (settings, [parsed.address]) if parsed.address else beside_run(settings)
            healthcheck(settings, targets)
        case "export" | "import":
            from registry_grpc.project_files import export_project, import_project  # noqa: PLC0415

            transfer = export_project if parsed.command == "export" else import_project
            transfer(settings, parsed.address or settings.gateway_address, parsed.project)
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
            operations.print_config(settings, as_json=parsed.json)
        case "gateway":
            switches = {"tls", *parsed.switches} if "mtls" in parsed.switches else set(parsed.switches)
            if settings.production and not settings.mesh and "tls" not in switches:
                sys.exit(
                    "production needs TLS at the gateway: add --tls, or set REGISTRY_MESH=true if a service mesh or an "
                    "ingress encrypts all connections"
                )
            operations.write_gateway(parsed.folder, switches, settings, pages=parsed.pages)
        case "doctor":
            from registry_grpc.local_run import beside_run  # noqa: PLC0415

            settings = settings if parsed.address else beside_run(settings)[0]
            operations.doctor(settings, parsed.address, as_json=parsed.json)
        case "audit":
            operations.audit(settings, parsed)
        case "orphans":
            operations.orphans(settings)
        case "api-token":
            operations.create_api_token(settings, parsed)
        case "members":
            operations.set_member(settings, parsed)
