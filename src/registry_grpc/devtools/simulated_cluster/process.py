"""The simulated cluster as a process of its own."""

from __future__ import annotations

import asyncio
from pathlib import Path

from registry_grpc.devtools.simulated_cluster.cluster import SimulatedCluster
from registry_grpc.stopping import until_stopped


async def run_simulated_cluster(host: str, port: int, kubeconfig: Path, state: Path | None = None) -> None:
    """Serves until SIGTERM or SIGINT, or until the process that started it is gone; prints the URL once the kubeconfig
    is written and requests are answered.

    Raises what a part of the cluster died of: a cluster in which, say, pods never start any more would puzzle people.
    """
    stopped = asyncio.create_task(until_stopped())
    async with SimulatedCluster(host=host, port=port, auto_create_namespaces=True, state=state) as cluster:
        cluster.kubeconfig(kubeconfig)
        print(cluster.url, flush=True)
        ends = [stopped, asyncio.create_task(cluster.until_broken())]
        await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
        for end in ends:
            end.cancel()
