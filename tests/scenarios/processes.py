"""Controllers as processes that can be killed: forked from a server that has imported everything, so that one takes
milliseconds to start."""

from __future__ import annotations

import base64
import multiprocessing
import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from registry_grpc.settings import ClusterKind, Settings

_CONTEXT = multiprocessing.get_context("forkserver")
_CONTEXT.set_forkserver_preload(["tests.scenarios.processes", "registry_grpc.server", "kubernetes.aio.client"])


@contextmanager
def controller_process(database_url: str, kubeconfig: Path, requests_per_second: float = 1000) -> Iterator[int]:
    """Runs `registry-grpc controller`. Returns the id of its process, which may be killed."""
    process = _CONTEXT.Process(target=_run, args=(database_url, str(kubeconfig), requests_per_second), daemon=True)
    process.start()
    assert process.pid is not None
    try:
        yield process.pid
    finally:
        process.kill()
        process.join()


def _run(database_url: str, kubeconfig: str, requests_per_second: float) -> None:
    from registry_grpc.server import run_controller

    settings = Settings.model_validate(
        {
            "database_url": database_url,
            "cluster": ClusterKind.KUBECONFIG,
            "kubeconfig": kubeconfig,
            "encryption_keys": f"k1:{base64.b64encode(bytes(32)).decode()}",
            "kubernetes_requests_per_second": requests_per_second,
        }
    )
    run_controller(settings)


def kill(pid: int) -> None:
    """Kill the process by SIGKILL."""
    os.kill(pid, signal.SIGKILL)
