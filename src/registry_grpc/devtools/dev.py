"""`registry-grpc dev`: database, migrations, workers, controller, simulated cluster and gateway on one machine."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import os
import shutil
import sys
import tempfile
from collections.abc import Awaitable, Callable, Coroutine, Iterator, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

import aiohttp
import asyncpg

from registry_grpc.adapters.postgres import migrate
from registry_grpc.adapters.postgres.errors import CONNECTION_LOST
from registry_grpc.devtools.embedded_postgres import EmbeddedPostgres, EmbeddedPostgresError, embedded_postgres
from registry_grpc.devtools.envoy import LOCAL_ORIGINS, Envoy, EnvoyConfig, EnvoyError
from registry_grpc.devtools.folder_lock import FolderInUseError, locked
from registry_grpc.devtools.free_port import free_port
from registry_grpc.settings import ClusterKind, Settings
from registry_grpc.stopping import stop_event
from registry_grpc.supervisor import ProcessSpec, Supervisor, worker_specs

_DATABASE_CHECK_SECONDS = 0.2
_READY_WITHIN_SECONDS = 60.0
_TRIES = 3
_PAUSE_SECONDS = 1.0
_ROOM_BYTES = 64 * 2**20
"""The free disk space that PostgreSQL and the gateway need to start."""


class _DevError(Exception):
    """The stack cannot run. The text says why, and where to look."""


def run_dev(settings: Settings) -> None:
    """Run until SIGINT or SIGTERM, then stop the gateway, then workers, controller and cluster, then the database.

    Raises SystemExit with a line for the operator if it cannot run.
    """
    # By default the cluster is simulated, so that the first deployment works without a cluster.
    if not os.environ.get("REGISTRY_CLUSTER"):
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
        except KeyboardInterrupt:  # while the signal is not handled yet, or no longer
            sys.exit("interrupted")


def _run_in(folder: Path, settings: Settings) -> None:
    with contextlib.ExitStack() as stack:
        (folder / "logs").mkdir(parents=True, exist_ok=True)
        stack.enter_context(locked(folder))
        sockets = stack.enter_context(_socket_folder(folder))
        server = None
        if settings.database_url is None:
            server = stack.enter_context(embedded_postgres(folder / "postgres"))
        asyncio.run(_run(settings, folder, sockets, server))


async def _run(settings: Settings, folder: Path, sockets: Path, server: EmbeddedPostgres | None) -> None:
    stop = stop_event()
    url = server.socket_url if server else settings.dsn
    await _migrate(settings, url)

    addresses = [f"unix:{sockets}/worker-{i}.sock" for i in range(settings.workers)]
    grace = settings.shutdown_grace + settings.drain_delay
    supervisor = Supervisor(_specs(settings, folder, url, addresses), grace_seconds=grace)
    envoy = Envoy(
        EnvoyConfig(
            folder=folder / "gateway",
            endpoints=addresses,
            host=settings.host,
            port=settings.port,
            cors_origins=settings.cors_origins or LOCAL_ORIGINS,
        )
    )
    await supervisor.start()
    try:
        await envoy.start()
        gateway = f"http://127.0.0.1:{envoy.port}"
        parts = [_keep_gateway(envoy), _greet_when_ready(settings, folder, gateway, server.url if server else url)]
        if server:
            parts.append(_keep_database(server, folder / "postgres"))
        await _until_stopped(stop, parts)
        _say("stopping")
    finally:
        await envoy.stop()
        await supervisor.stop()


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
        await _start_again("the gateway", envoy.config.folder, envoy.start)


async def _keep_database(server: EmbeddedPostgres, folder: Path) -> None:
    """Restart PostgreSQL whenever it ends. Raises EmbeddedPostgresError if it does not start."""

    async def restart() -> None:
        # This blocks the event loop, but it must run in this thread: the server ends with the thread that started it.
        server.restart()

    while True:
        await asyncio.sleep(_DATABASE_CHECK_SECONDS)
        if not server.runs:
            await _start_again("PostgreSQL", folder, restart)


async def _start_again(name: str, folder: Path, start: Callable[[], Awaitable[None]]) -> None:
    """Start a part that ended, several times if need be. Nothing starts on a full disk, so wait for free space first.
    Raises the error of the last try."""
    tries = 0
    while True:
        await _until_there_is_room(folder)
        _say(f"{name} ended, restarting it")
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
            _say(f"the disk of {folder} is full: {free >> 20} MiB are free, waiting for {_ROOM_BYTES >> 20} MiB")
        told = True
        await asyncio.sleep(_PAUSE_SECONDS)


def _free_bytes(folder: Path) -> int:
    there = next(place for place in (folder, *folder.parents) if place.exists())
    space = shutil.disk_usage(there)
    return space.free if space.total else _ROOM_BYTES  # without a size, as /proc is, it is never full


def _say(text: str) -> None:
    with contextlib.suppress(OSError):  # the output may be a file on the full disk
        print(text, file=sys.stderr, flush=True)


def _specs(settings: Settings, folder: Path, url: str, addresses: list[str]) -> list[ProcessSpec]:
    logs = folder / "logs"
    environment = {"REGISTRY_DATABASE_URL": url, "REGISTRY_CLUSTER": settings.cluster}
    specs = []
    if settings.cluster is ClusterKind.SIMULATED:
        kubeconfig = folder / "cluster" / "registry-access.yaml"
        kubeconfig.parent.mkdir(exist_ok=True)
        environment |= {"REGISTRY_CLUSTER": ClusterKind.KUBECONFIG, "REGISTRY_KUBECONFIG": str(kubeconfig)}
        # The limit that spares a real API server would only slow down the simulated one.
        environment["REGISTRY_KUBERNETES_REQUESTS_PER_SECOND"] = "1000"
        specs.append(
            ProcessSpec(
                name="cluster",
                module="registry_grpc.devtools.simulated_cluster",
                # The port stays the same after a restart, because clients only read the kubeconfig once a minute.
                arguments=("--port", str(free_port()), "--folder", str(kubeconfig.parent)),
                log=logs / "cluster.log",
            )
        )
    specs += worker_specs(addresses, environment, logs)
    if settings.cluster is not ClusterKind.NONE:
        specs.append(
            ProcessSpec(
                name="controller", arguments=("controller",), environment=environment, log=logs / "controller.log"
            )
        )
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


async def _greet_when_ready(settings: Settings, folder: Path, gateway: str, database_url: str) -> None:
    """Raises _DevError if the stack does not become ready."""
    try:
        async with asyncio.timeout(_READY_WITHIN_SECONDS):
            await _becomes_ready(gateway)
    except TimeoutError:
        text = f"the service is not ready after {_READY_WITHIN_SECONDS:.0f} s; see the logs in {folder}/logs"
        raise _DevError(text) from None
    _greet(settings, folder, gateway, database_url)


async def _becomes_ready(gateway: str) -> None:
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=2)) as session:
        while True:
            with contextlib.suppress(aiohttp.ClientError, TimeoutError):
                async with session.get(f"{gateway}/healthz") as answer:
                    if answer.status == 200:
                        return
            await asyncio.sleep(0.05)


def _greet(settings: Settings, folder: Path, gateway: str, database_url: str) -> None:
    cluster = settings.cluster
    print(
        f"""database {database_url}
cluster  {cluster}{f" (kubectl --kubeconfig {folder}/cluster/kubeconfig)" if cluster is ClusterKind.SIMULATED else ""}
logs     {folder}/logs
ready {gateway} (REST, gRPC and gRPC-Web)

Try:
  curl -s {gateway}/api/v1/model-registry/models \\
    -H 'Project-ID: 11111111-1111-1111-1111-111111111111' -d '{{"name": "my-model"}}'""",
        flush=True,
    )
