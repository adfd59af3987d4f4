"""`python -m registry_grpc.devtools.simulated_cluster --folder PATH [--port PORT]`."""

from __future__ import annotations

import argparse
import asyncio
from pathlib import Path

import structlog

from registry_grpc.devtools.simulated_cluster.cluster import SimulatedCluster
from registry_grpc.devtools.simulated_cluster.server.app import REGISTRY
from registry_grpc.observability import configure_logging
from registry_grpc.settings import Settings
from registry_grpc.stopping import until_stopped

_log = structlog.get_logger("cluster")


async def run(folder: Path, port: int) -> None:
    """Serves until SIGTERM or SIGINT, or until the process that started it ends. Prints the URL when the kubeconfig is
    written and requests are answered."""
    stopped = asyncio.create_task(until_stopped())
    async with SimulatedCluster(port=port, folder=folder, auto_create_namespaces=True) as cluster:
        cluster.kubeconfig(folder / "kubeconfig")
        cluster.kubeconfig(folder / "registry-access.yaml", REGISTRY)
        print(cluster.url, flush=True)
        _log.info("process.stopping", reason=await stopped)


def main() -> None:
    parser = argparse.ArgumentParser(description="A simulated Kubernetes cluster with KServe in it")
    parser.add_argument("--folder", type=Path, required=True, help="the folder of kubeconfig, certificate and objects")
    parser.add_argument("--port", type=int, default=0, help="0: any free port")
    arguments = parser.parse_args()
    arguments.folder.mkdir(parents=True, exist_ok=True)
    settings = Settings()
    configure_logging(settings.log_level, settings.log_format, "cluster")
    asyncio.run(run(arguments.folder, arguments.port))


if __name__ == "__main__":
    main()
