"""`registry-grpc dev`: database, migrations, workers, controller, simulated cluster and gateway on one machine."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import json
import os
import shutil
import ssl
import sys
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from urllib.parse import quote

import aiohttp
import asyncpg
import structlog

from registry_grpc.adapters.postgres import migrate
from registry_grpc.adapters.postgres.errors import CONNECTION_LOST
from registry_grpc.devtools.demo_issuer import PROJECT, DemoIssuer, add_demo_members
from registry_grpc.devtools.embedded_postgres import EmbeddedPostgres, EmbeddedPostgresError, embedded_postgres
from registry_grpc.devtools.envoy import LOCAL_ORIGINS, Envoy, EnvoyConfig, EnvoyError
from registry_grpc.devtools.free_port import free_port
from registry_grpc.folder_lock import FolderInUseError, locked
from registry_grpc.local_run import announced
from registry_grpc.monitoring import MetricsServer, of_supervisor
from registry_grpc.pages import ui_config
from registry_grpc.settings import AuthKind, ClusterKind, Settings
from registry_grpc.stopping import stop_event
from registry_grpc.supervisor import ProcessSpec, Supervisor, worker_specs

_log = structlog.get_logger("dev")
_DATABASE_CHECK_SECONDS = 0.2
_READY_WITHIN_SECONDS = 120.0
_TRIES = 3
_PAUSE_SECONDS = 1.0
_ROOM_BYTES = 64 * 2**20
"""The free disk space that PostgreSQL and the gateway need to start."""


class _DevError(Exception):
    """The stack cannot run. The text says why, and where to look."""


@dataclass(frozen=True, slots=True)
class _Run:
    """What is known of a run before its processes start."""

    settings: Settings
    folder: Path
    url: str
    """Of the database, for the processes."""
    issuer: DemoIssuer | None
    metrics_ports: tuple[int, int]
    """Of the workers and of the controller."""


def run_dev(settings: Settings) -> None:
    """Run until SIGINT or SIGTERM, then stop the gateway, then workers, controller and cluster, then the database.

    Raises SystemExit with a line for the operator if it cannot run.
    """
    # By default the cluster is simulated, so that the first deployment works without a cluster.
    if "cluster" not in settings.model_fields_set:
        settings = settings.model_copy(update={"cluster": ClusterKind.SIMULATED})
    folder = settings.data_dir.resolve()
    while True:
        try:
            asyncio.run(_until_there_is_room(folder))
            return _run_in(folder, settings)
        except FolderInUseError as error:
            sys.exit(f"{error}: stop that, or choose another folder with REGISTRY_DATA_DIR")
        except OSError as error:
            if error.errno != errno.ENOSPC or _free_bytes(folder) >= _ROOM_BYTES:
                sys.exit(f"cannot run in {folder} (REGISTRY_DATA_DIR): {error}")
        except (EmbeddedPostgresError, EnvoyError, migrate.MigrationError, _DevError) as error:
            if _free_bytes(folder) >= _ROOM_BYTES:
                sys.exit(str(error))


def _run_in(folder: Path, settings: Settings) -> None:
    with contextlib.ExitStack() as stack:
        folder.mkdir(parents=True, exist_ok=True)
        stack.enter_context(locked(folder))
        sockets = stack.enter_context(_socket_folder(folder))
        server = None
        if settings.database_url is None:
            is_new = not (folder / "postgres" / "data").exists()
            _tell("makes a database and starts PostgreSQL" if is_new else "starts PostgreSQL")
            server = stack.enter_context(embedded_postgres(folder / "postgres"))
        asyncio.run(_run(settings, folder, sockets, server))


async def _run(settings: Settings, folder: Path, sockets: Path, server: EmbeddedPostgres | None) -> None:
    stop = stop_event()
    url = server.socket_url if server else settings.dsn
    _tell("applies the migrations of the database")
    await _migrate(settings, url)

    addresses = [f"unix:{sockets}/worker-{i}.sock" for i in range(settings.workers)]
    async with _issuer(settings, url) as issuer:
        run = _Run(settings, folder, url, issuer, _metrics_ports(settings))
        envoy = Envoy(_gateway(run, addresses))
        specs = _specs(run, addresses)
        _tell(f"starts the gateway and {', '.join(spec.name for spec in specs)}")
        supervisor = Supervisor(specs, grace_seconds=settings.shutdown_grace + settings.drain_delay)
        metrics = MetricsServer(
            settings.metrics_host, run.metrics_ports[0], of_supervisor(settings, folder / "metrics", supervisor.pids)
        )
        await supervisor.start()
        try:
            await envoy.start()
            gateway = f"{'https' if settings.gateway_tls else 'http'}://127.0.0.1:{envoy.port}"
            greeting = _greeting(run, gateway, server.url if server else url, metrics.url)
            parts = [_keep_gateway(envoy), _greet_when_ready(envoy, greeting)]
            if server:
                parts.append(_keep_database(server, folder / "postgres"))
            # The last process, a worker or a controller, has all settings.
            found_by = {**specs[-1].environment, "REGISTRY_PORT": str(envoy.port)}
            if settings.gateway_tls and settings.gateway_ca is None:
                found_by["REGISTRY_GATEWAY_CA"] = str((settings.gateway_tls / "ca.crt").resolve())
            with announced(folder, addresses, found_by):
                await _until_stopped(stop, parts)
            _log.info("process.stopping", reason=stop.reason)
        finally:
            await envoy.stop()
            await supervisor.stop()


@contextlib.asynccontextmanager
async def _issuer(settings: Settings, url: str) -> AsyncIterator[DemoIssuer | None]:
    """The issuer of the demo, with members in the database; None if no demo is wanted."""
    if settings.auth is not AuthKind.DEMO:
        yield None
        return
    issuer = DemoIssuer()
    async with issuer.running():
        await add_demo_members(url)
        yield issuer


def _gateway(run: _Run, addresses: Sequence[str]) -> EnvoyConfig:
    settings = run.settings
    ui = replace(ui_config(settings), project=str(PROJECT))
    return EnvoyConfig(
        folder=run.folder / "gateway",
        endpoints=addresses,
        host=settings.host,
        port=settings.port,
        cors_origins=settings.cors_origins or LOCAL_ORIGINS,
        switches=_switches(settings),
        certificates=settings.gateway_tls and settings.gateway_tls.resolve(),
        ui=replace(ui, oidc=run.issuer.login) if run.issuer else ui,
    )


def _switches(settings: Settings) -> list[str]:
    """Those of the gateway. Raises _DevError if its certificates cannot be used."""
    folder = settings.gateway_tls
    if folder is None:
        return []
    try:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(folder / "tls.crt", folder / "tls.key")
        if settings.gateway_mtls:
            context.load_verify_locations(folder / "ca.crt")
    except OSError as error:  # also ssl.SSLError
        names = "tls.crt, tls.key and ca.crt" if settings.gateway_mtls else "tls.crt and tls.key"
        raise _DevError(f"REGISTRY_GATEWAY_TLS: {folder} needs {names} that fit together: {error}") from error
    return ["tls", "mtls"] if settings.gateway_mtls else ["tls"]


async def _migrate(settings: Settings, url: str) -> None:
    """Raises MigrationError and _DevError."""
    known = migrate.load_migrations(settings.migrations_dir)
    try:
        async with migrate.migration_connection(url) as connection:
            await migrate.up(connection, known)
    except CONNECTION_LOST as error:
        raise _DevError(f"the database does not answer: {str(error) or 'timed out'}") from error
    except asyncpg.PostgresError as error:
        raise _DevError(f"the database refuses the migration: {error}") from error


async def _until_stopped(stop: asyncio.Event, parts: Sequence[Coroutine[Any, Any, object]]) -> None:
    """Run all parts until `stop` is set or one of them fails, whose error is raised."""
    running = {asyncio.create_task(part) for part in (stop.wait(), *parts)}
    try:
        while not stop.is_set():
            ended, running = await asyncio.wait(running, return_when=asyncio.FIRST_COMPLETED)
            for part in ended:
                part.result()
    finally:
        for part in running:
            part.cancel()
        await asyncio.gather(*running, return_exceptions=True)


async def _keep_gateway(envoy: Envoy) -> None:
    """Restart the gateway on the same port whenever it ends. Raises EnvoyError if it does not start."""
    while True:
        await envoy.wait()
        await _start_again("gateway", envoy.config.folder, envoy.start)


async def _keep_database(server: EmbeddedPostgres, folder: Path) -> None:
    """Restart PostgreSQL whenever it ends. Raises EmbeddedPostgresError if it does not start."""

    async def restart() -> None:
        # This blocks the event loop, but it must run in this thread: the server ends with the thread that started it.
        server.restart()

    while True:
        await asyncio.sleep(_DATABASE_CHECK_SECONDS)
        if not server.runs:
            await _start_again("postgres", folder, restart)


async def _start_again(name: str, folder: Path, start: Callable[[], Awaitable[None]]) -> None:
    """Start a part that ended, several times if need be. Nothing starts on a full disk, so wait for free space first.
    Raises the error of the last try."""
    tries = 0
    while True:
        await _until_there_is_room(folder)
        _log.warning("process.ended", name=name)
        try:
            return await start()
        except (EmbeddedPostgresError, EnvoyError, OSError):
            tries += _free_bytes(folder) >= _ROOM_BYTES
            if tries == _TRIES:
                raise
            await asyncio.sleep(_PAUSE_SECONDS)


async def _until_there_is_room(folder: Path) -> None:
    told = False
    while (free := _free_bytes(folder)) < _ROOM_BYTES:
        if not told:
            _log.error("disk.full", folder=folder, free_mib=free >> 20, awaited_mib=_ROOM_BYTES >> 20)
        told = True
        await asyncio.sleep(_PAUSE_SECONDS)


def _free_bytes(folder: Path) -> int:
    there = next(place for place in (folder, *folder.parents) if place.exists())
    space = shutil.disk_usage(there)
    return space.free if space.total else _ROOM_BYTES  # without a size, as /proc is, it is never full


def _tell(step: str) -> None:
    """A step of the start, before the greeting."""
    print(step, flush=True)


def _metrics_ports(settings: Settings) -> tuple[int, int]:
    """REGISTRY_METRICS_PORT and the one after it, or free ones."""
    first = settings.metrics_port or free_port()
    return first, first + 1 if settings.metrics_port else free_port()


def _specs(run: _Run, addresses: Sequence[str]) -> list[ProcessSpec]:
    cluster = run.settings.cluster
    environment = {"REGISTRY_DATABASE_URL": run.url, "REGISTRY_CLUSTER": cluster}
    if run.issuer is not None:
        environment |= {"REGISTRY_AUTH": AuthKind.REQUIRED, "REGISTRY_ISSUERS": json.dumps(run.issuer.settings)}
    specs = []
    if cluster is ClusterKind.SIMULATED:
        kubeconfig = run.folder / "cluster" / "registry-access.yaml"
        kubeconfig.parent.mkdir(exist_ok=True)
        # That of an earlier run names another port. A process that reads it would keep to that port until it ends;
        # without the file, it is started again until the cluster has written the new one.
        kubeconfig.unlink(missing_ok=True)
        environment |= {"REGISTRY_CLUSTER": ClusterKind.KUBECONFIG, "REGISTRY_KUBECONFIG": str(kubeconfig)}
        # The limit that spares a real API server would only slow down the simulated one.
        environment["REGISTRY_KUBERNETES_REQUESTS_PER_SECOND"] = "1000"
        specs.append(
            ProcessSpec(
                name="cluster",
                module="registry_grpc.devtools.simulated_cluster",
                # The port stays the same after a restart, because clients read the kubeconfig only once.
                arguments=("--port", str(free_port()), "--folder", str(kubeconfig.parent)),
            )
        )
    (metrics := run.folder / "metrics").mkdir(exist_ok=True)
    for old in metrics.iterdir():
        old.unlink()
    specs += worker_specs(addresses, environment, metrics)
    if cluster is not ClusterKind.NONE:
        own = environment | {"REGISTRY_METRICS_PORT": str(run.metrics_ports[1])}
        specs.append(ProcessSpec(name="controller", arguments=("controller",), environment=own))
    return specs


@contextlib.contextmanager
def _socket_folder(folder: Path) -> Iterator[Path]:
    """A folder for the workers' sockets, which are faster than TCP.

    Each run has its own, because workers of a killed run may still be ending, and remove their sockets by name. A path
    of a socket may only have 107 bytes, and gRPC reads it as a URL; if the folder does not fit, it is in /tmp.
    """
    place, prefix = folder / "sockets", "run-"
    shutil.rmtree(place, ignore_errors=True)
    if len(os.fsencode(place / "run-12345678" / "worker-999.sock")) <= 107 and quote(str(place)) == str(place):
        place.mkdir()
    else:
        place, prefix = Path("/tmp"), "registry-grpc-"  # noqa: S108 - paths in it are short
    with tempfile.TemporaryDirectory(prefix=prefix, dir=place) as sockets:
        yield Path(sockets)


async def _greet_when_ready(envoy: Envoy, greeting: str) -> None:
    """Raises _DevError if the stack does not become ready."""
    try:
        async with asyncio.timeout(_READY_WITHIN_SECONDS):
            await _becomes_ready(envoy)
    except TimeoutError:
        raise _DevError(f"the service is not ready after {_READY_WITHIN_SECONDS:.0f} s: see the lines above") from None
    print(greeting, flush=True)


async def _becomes_ready(envoy: Envoy) -> None:
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=2)) as session:
        while True:
            with contextlib.suppress(aiohttp.ClientError, TimeoutError):
                async with session.get(f"{envoy.probe_url}/ready") as answer:
                    if answer.status == 200:
                        return
            await asyncio.sleep(0.05)


def _greeting(run: _Run, gateway: str, database_url: str, metrics: str) -> str:
    settings, folder, cluster = run.settings, run.folder, run.settings.cluster
    access, samples, first, header, tls = "", "", "", "", settings.gateway_tls
    curl = "curl -s"
    if tls:
        curl += f" --cacert {tls}/ca.crt"
        if settings.gateway_mtls:
            curl += f" --cert {tls}/tls.crt --key {tls}/tls.key"
    if run.issuer is not None:
        tokens = {role.name.lower(): token for role, token in run.issuer.tokens.items()}
        access = f"project {PROJECT}\n" + "".join(f"token {role} {token}\n" for role, token in tokens.items())
        header = f"""-H 'Authorization: Bearer {tokens["editor"]}' \\
    """
    elif settings.auth is AuthKind.OFF:
        if not tls and cluster is ClusterKind.SIMULATED:
            command = Path(sys.executable).with_name("registry")
            samples = f"samples  {command} demo --url {gateway} --project {PROJECT}\n"
        access = "access   OPEN to everybody who reaches the port; REGISTRY_AUTH=demo switches tokens on\n"
    else:
        command = Path(sys.executable).with_name("registry-grpc")
        first = f"""TOKEN=$(REGISTRY_DATABASE_URL={database_url} \\
    {command} api-token create --project {PROJECT} --name first --role admin --days 1)
  """
        header = """-H "Authorization: Bearer $TOKEN" \\
    """
    return f"""database {database_url}
cluster  {cluster}{f" (kubectl --kubeconfig {folder}/cluster/kubeconfig)" if cluster is ClusterKind.SIMULATED else ""}
logs     on stderr; {folder}/postgres/server.log, {folder}/gateway/envoy.log
metrics  {metrics}{f" (controller: port {run.metrics_ports[1]})" if cluster is not ClusterKind.NONE else ""}
ui       {gateway}/ui/
docs     {gateway}/docs/ (the reference of the REST API)
{samples}{access}ready {gateway} (REST, gRPC and gRPC-Web)

Try:
  {first}{curl} {gateway}/api/v1/model-registry/models \\
    {header}-H 'Project-ID: {PROJECT}' -d '{{"name": "my-model"}}'"""
