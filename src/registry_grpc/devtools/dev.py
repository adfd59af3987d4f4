"""`registry-grpc dev`: database, migrations, workers, controller, simulated cluster and gateway on one machine."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import aiohttp

from registry_grpc.adapters.postgres import migrate
from registry_grpc.devtools.embedded_postgres import EmbeddedPostgresError, embedded_postgres
from registry_grpc.devtools.envoy import Envoy, EnvoyConfig, EnvoyError
from registry_grpc.settings import ClusterKind, Settings
from registry_grpc.stopping import stop_event
from registry_grpc.supervisor import ProcessSpec, Supervisor, worker_specs

_READY_WITHIN_SECONDS = 60.0


def run_dev(settings: Settings) -> None:
    """Run until SIGINT or SIGTERM, then stop: the gateway, workers, controller and cluster at once, the database."""
    # What is not asked for otherwise is simulated: the first deployment must work without a cluster at hand.
    if not os.environ.get("REGISTRY_CLUSTER"):
        settings = settings.model_copy(update={"cluster": ClusterKind.SIMULATED})
    folder = settings.data_dir.resolve()
    (folder / "logs").mkdir(parents=True, exist_ok=True)
    try:
        with _database(settings, folder) as (public_url, url):
            asyncio.run(_run(settings, folder, public_url, url))
    except (EmbeddedPostgresError, EnvoyError) as error:
        sys.exit(str(error))


@contextlib.contextmanager
def _database(settings: Settings, folder: Path) -> Iterator[tuple[str, str]]:
    """The URL to show and the one to use."""
    if settings.database_url is not None:
        yield settings.dsn, settings.dsn
        return
    with embedded_postgres(folder / "postgres") as server:
        yield server.url, server.socket_url


async def _run(settings: Settings, folder: Path, public_url: str, url: str) -> None:
    stop = stop_event()
    async with migrate.migration_connection(url) as connection:
        await migrate.up(connection, migrate.load_migrations(settings.migrations_dir))

    sockets = _socket_folder(folder)
    addresses = [f"unix:{sockets}/worker-{i}.sock" for i in range(settings.workers)]
    grace = settings.shutdown_grace + settings.drain_delay
    supervisor = Supervisor(_specs(settings, folder, url, addresses), grace_seconds=grace)
    envoy = Envoy(EnvoyConfig(folder=folder / "gateway", endpoints=addresses, host=settings.host, port=settings.port))
    await supervisor.start()
    try:
        await envoy.start()
        gateway = f"http://127.0.0.1:{envoy.port}"
        if await _becomes_ready(gateway, stop):
            _greet(settings, folder, gateway, public_url)
        elif not stop.is_set():
            print(f"not ready after {_READY_WITHIN_SECONDS:.0f} s; see the logs in {folder}/logs", file=sys.stderr)
            stop.set()
        await _keep_gateway(envoy, stop)
    finally:
        await envoy.stop()
        await supervisor.stop()


async def _keep_gateway(envoy: Envoy, stop: asyncio.Event) -> None:
    """Until the stop; a gateway that ends by itself is started again on the same port."""
    stopped = asyncio.create_task(stop.wait())
    while not stop.is_set():
        ended = asyncio.create_task(envoy.wait())
        await asyncio.wait((stopped, ended), return_when=asyncio.FIRST_COMPLETED)
        if ended.done() and not stop.is_set():
            print("the gateway ended, starting it again", file=sys.stderr, flush=True)
            await envoy.start()
        ended.cancel()


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
                arguments=(
                    *("--port", str(_free_port()), "--kubeconfig", str(kubeconfig)),
                    *("--state", str(folder / "cluster" / "state.json")),
                ),
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


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port: int = server.getsockname()[1]
        return port


def _socket_folder(folder: Path) -> Path:
    """Unix sockets are faster than TCP; their paths may have 107 bytes only, so long folders get a short stand-in."""
    sockets = folder / "sockets"
    sockets.mkdir(exist_ok=True)
    if len(os.fsencode(sockets / "worker-999.sock")) <= 100:
        return sockets
    short = Path("/tmp") / f"registry-grpc-{os.getpid()}"  # noqa: S108 - made by this process alone, not guessed by others
    short.mkdir(mode=0o700)
    return short


async def _becomes_ready(gateway: str, stop: asyncio.Event) -> bool:
    deadline = time.monotonic() + _READY_WITHIN_SECONDS
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=2)) as session:
        while time.monotonic() < deadline and not stop.is_set():
            with contextlib.suppress(aiohttp.ClientError, TimeoutError):
                async with session.get(f"{gateway}/healthz") as answer:
                    if answer.status == 200:
                        return True
            await asyncio.sleep(0.05)
    return False


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
