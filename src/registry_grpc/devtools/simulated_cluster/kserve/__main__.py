"""`python -m registry_grpc.devtools.simulated_cluster.kserve --kubeconfig PATH`: the toy KServe on any cluster."""

from __future__ import annotations

import argparse
import asyncio
import logging
from pathlib import Path

from registry_grpc.devtools.simulated_cluster.kserve.client import ClusterClient
from registry_grpc.devtools.simulated_cluster.kserve.controller import KServeController


async def _run(kubeconfig: Path) -> None:
    async with ClusterClient.from_kubeconfig(kubeconfig) as client:
        await KServeController(client).run()


def main() -> None:
    parser = argparse.ArgumentParser(description="A toy KServe controller")
    parser.add_argument("--kubeconfig", type=Path, required=True)
    arguments = parser.parse_args()
    logging.basicConfig(level=logging.INFO)
    asyncio.run(_run(arguments.kubeconfig))


if __name__ == "__main__":
    main()
