"""`registry-grpc dev`: database, migrations, workers, controller, simulated cluster and gateway on one machine."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import sys
import tempfile
from collections.abc import Coroutine, Iterator, Sequence
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


class _DevError(Exception):
    """It cannot run; the text says why, and what to look at."""


def run_dev(settings: Settings) -> None:
    """Run until SIGINT or SIGTERM, then stop: the gateway, workers, controller and cluster at once, the database.

    Raises SystemExit with a line for the operator when something keeps it from running.
    """
    # What is not asked for otherwise is simulated: the first deployment must work without a cluster at hand.
    if not os.environ.get("REGISTRY_CLUSTER"):
        settings = settings.model_copy(update={"cluster": ClusterKind.SIMULATED})
    folder = settings.data_dir.resolve()
    try:
        with contextlib.ExitStack() as stack:
            (folder / "logs").mkdir(parents=True, exist_ok=True)
            stack.enter_context(locked(folder))
            sockets = stack.enter_context(_socket_folder(folder))
            server = None
            if settings.database_url is None:
                server = stack.enter_context(embedded_postgres(folder / "postgres"))
            asyncio.run(_run(settings, folder, sockets, server))
    except (FolderInUseError, EmbeddedPostgresError, EnvoyError, migrate.MigrationError, _DevError) as error:
        sys.exit(str(error))
    except OSError as error:
        sys.exit(f"cannot run in {folder} (REGISTRY_DATA_DIR): {error}")
    except KeyboardInterrupt:  # nothing waits for the signal yet, or any more
        sys.exit("interrupted")


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
            parts.append(_keep_database(server))
        await _until_stopped(stop, parts)
    finally:
        await envoy.stop()
        await supervisor.stop()


async def _migrate(settings: Settings, url: str) -> None:
    """Raises MigrationError, and _DevError, which has the words of `registry-grpc migrate up`."""
    known = migrate.load_migrations(settings.migrations_dir)
    try:
        async with migrate.migration_connection(url) as connection:
            await migrate.up(connection, known)
    except CONNECTION_LOST as error:
        raise _DevError(f"the database does not answer: {str(error) or 'timed out'}") from error
    except asyncpg.PostgresError as error:
        raise _DevError(f"the database refuses: {error}") from error


async def _until_stopped(stop: asyncio.Event, parts: Sequence[Coroutine[Any, Any, object]]) -> None:
    """Run all parts until the stop, or until one fails: raises what it failed with."""
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
    """A gateway that ends by itself is started again on the same port. Raises EnvoyError when it does not start."""
    while True:
        await envoy.wait()
        print("the gateway ended, starting it again", file=sys.stderr, flush=True)
        await envoy.start()


async def _keep_database(server: EmbeddedPostgres) -> None:
    """Likewise. Raises EmbeddedPostgresError."""
    while True:
        await asyncio.sleep(_DATABASE_CHECK_SECONDS)
        if not server.runs:
            print("PostgreSQL ended, starting it again", file=sys.stderr, flush=True)
            # Everything stands still meanwhile: in another thread it would end with that, and nothing works without it.
            server.restart()


def _specs(settings: Settings, folder: Path, url: str, addresses: list[str]) -> list[ProcessSpec]:
    logs = folder / "logs"
    environment = {"REGISTRY_DATABASE_URL": url, "REGISTRY_CLUSTER": settings.cluster}
    specs = []
    if settings.cluster is ClusterKind.SIMULATED:
        kubeconfig = folder / "cluster" / "kubeconfig"
        kubeconfig.parent.mkdir(exist_ok=True)
        environment |= {"REGISTRY_CLUSTER": ClusterKind.KUBECONFIG, "REGISTRY_KUBECONFIG": str(kubeconfig)}
        # Nobody else needs the simulated API: the rate that spares a real one would only slow things down.
        environment["REGISTRY_KUBERNETES_REQUESTS_PER_SECOND"] = "1000"
        specs.append(
            ProcessSpec(
                name="cluster",
                module="registry_grpc.devtools.simulated_cluster",
                # A port that stays when it is started anew: its clients read the kubeconfig once a minute only.
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

    It is of this run alone: the workers of a killed one, which may still be ending, remove what has the names of their
    sockets. Paths may have 107 bytes only, and gRPC reads them as URLs: other folders get a stand-in.
    """
    place, prefix = folder / "sockets", "run-"
    shutil.rmtree(place, ignore_errors=True)
    if len(os.fsencode(place / "run-12345678" / "worker-999.sock")) <= 107 and quote(str(place)) == str(place):
        place.mkdir()
    else:
        place, prefix = Path("/tmp"), "registry-grpc-"  # noqa: S108 - where paths are short
    with tempfile.TemporaryDirectory(prefix=prefix, dir=place) as sockets:
        yield Path(sockets)


async def _greet_when_ready(settings: Settings, folder: Path, gateway: str, database_url: str) -> None:
    """Raises _DevError when it does not become ready."""
    try:
        async with asyncio.timeout(_READY_WITHIN_SECONDS):
            await _becomes_ready(gateway)
    except TimeoutError:
        raise _DevError(f"not ready after {_READY_WITHIN_SECONDS:.0f} s; see the logs in {folder}/logs") from None
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
