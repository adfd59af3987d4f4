"""`python -m registry_grpc.devtools.simulated_cluster --port 0 --kubeconfig PATH [--state PATH]`."""

from __future__ import annotations

import argparse
import asyncio
import logging
from pathlib import Path

from registry_grpc.devtools.simulated_cluster.process import run_simulated_cluster


def main() -> None:
    parser = argparse.ArgumentParser(description="A simulated Kubernetes cluster with KServe in it")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=0, help="0 takes a free one")
    parser.add_argument("--kubeconfig", type=Path, required=True, help="where to write the kubeconfig")
    parser.add_argument("--state", type=Path, help="keep the objects in this file across restarts")
    arguments = parser.parse_args()
    logging.basicConfig(level=logging.INFO)
    asyncio.run(run_simulated_cluster(arguments.host, arguments.port, arguments.kubeconfig, arguments.state))


if __name__ == "__main__":
    main()
