"""The simulated cluster as a process of its own."""

from __future__ import annotations

import asyncio
import signal
from pathlib import Path

from registry_grpc.devtools.simulated_cluster.cluster import SimulatedCluster


async def run_simulated_cluster(host: str, port: int, kubeconfig: Path, state: Path | None = None) -> None:
    """Serves until SIGTERM or SIGINT; prints the URL once the kubeconfig is written and requests are answered.

    Raises what a part of the cluster died of: a cluster in which, say, pods never start any more would puzzle people.
    """
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    async with SimulatedCluster(host=host, port=port, auto_create_namespaces=True, state=state) as cluster:
        cluster.kubeconfig(kubeconfig)
        print(cluster.url, flush=True)
        ends = [asyncio.create_task(stop.wait()), asyncio.create_task(cluster.until_broken())]
        await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
        for end in ends:
            end.cancel()
