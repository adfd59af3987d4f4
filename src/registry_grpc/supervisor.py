"""Keeps processes running: restarts those that end by themselves, and stops all together."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import structlog
from prometheus_client import CollectorRegistry
from prometheus_client.multiprocess import mark_process_dead

from registry_grpc.adapters.metrics import FOLDER, PROCESS, RESTARTS
from registry_grpc.monitoring import MetricsServer, empty_folder, of_supervisor
from registry_grpc.settings import Settings
from registry_grpc.stopping import stop_event

_log = structlog.get_logger("supervisor")
_FIRST_BACKOFF_SECONDS = 0.2
_LONGEST_BACKOFF_SECONDS = 5.0
_STEADY_AFTER_SECONDS = 10.0
_STOP_MARGIN_SECONDS = 2.0

# The thread that waits for events polls the sockets itself instead of being woken by the threads of gRPC's event
# engine, which saves a fifth of the CPU time per RPC (docs/performance.md). The operator's own setting wins.
_WORKER_ENVIRONMENT = {"GRPC_EXPERIMENTS": os.environ.get("GRPC_EXPERIMENTS") or "-event_engine_listener"}


@dataclass(frozen=True, slots=True, kw_only=True)
class ProcessSpec:
    """A process to run: `python -m` with the module and the arguments. `environment` is added to that of this process.
    It logs to the stderr of this process."""

    name: str
    arguments: Sequence[str]
    environment: Mapping[str, str] = field(default_factory=dict)
    module: str = "registry_grpc"


class Supervisor:
    """Runs processes in their own sessions, so that Ctrl-C only reaches the supervisor, which then stops them."""

    def __init__(self, specs: Sequence[ProcessSpec], *, grace_seconds: float) -> None:
        self._specs = specs
        self._grace_seconds = grace_seconds
        self._running: dict[str, asyncio.subprocess.Process] = {}
        self._keepers: list[asyncio.Task[None]] = []
        for spec in specs:
            RESTARTS.labels(spec.name)  # from 0, so that Prometheus sees the first one

    def pids(self) -> dict[str, int]:
        """Those of the running processes, by their names."""
        return {name: process.pid for name, process in list(self._running.items()) if process.returncode is None}

    async def start(self) -> None:
        self._keepers = [asyncio.create_task(self._keep(spec)) for spec in self._specs]

    async def stop(self) -> None:
        """Send SIGTERM to all processes, and SIGKILL to those that do not end within the grace period."""
        for keeper in self._keepers:
            keeper.cancel()
        await asyncio.gather(*self._keepers, return_exceptions=True)
        running = [process for process in self._running.values() if process.returncode is None]
        for process in running:
            process.send_signal(signal.SIGTERM)
        try:
            async with asyncio.timeout(self._grace_seconds + _STOP_MARGIN_SECONDS):
                await asyncio.gather(*(process.wait() for process in running))
        except TimeoutError:
            for process in running:
                if process.returncode is None:
                    process.kill()
                    await process.wait()

    async def _keep(self, spec: ProcessSpec) -> None:
        backoff = _FIRST_BACKOFF_SECONDS
        while True:
            started = asyncio.get_running_loop().time()
            try:
                code: int | str = await (await self._launch(spec)).wait()
            except OSError as error:  # for example without memory, descriptors or disk space
                code = str(error)
            lasted = asyncio.get_running_loop().time() - started
            backoff = _FIRST_BACKOFF_SECONDS if lasted > _STEADY_AFTER_SECONDS else backoff
            RESTARTS.labels(spec.name).inc()
            if (folder := spec.environment.get(FOLDER)) is not None:
                mark_process_dead(spec.name, folder)  # type: ignore[no-untyped-call]
            _log.warning("process.ended", name=spec.name, code=code, restarts_in_seconds=backoff)
            await asyncio.sleep(backoff)
            backoff = min(backoff * 2, _LONGEST_BACKOFF_SECONDS)

    async def _launch(self, spec: ProcessSpec) -> asyncio.subprocess.Process:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            spec.module,
            *spec.arguments,
            env=os.environ | dict(spec.environment),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.DEVNULL,
            start_new_session=True,
        )
        self._running[spec.name] = process
        return process


def worker_specs(
    addresses: Sequence[str], environment: Mapping[str, str] | None = None, metrics: Path | None = None
) -> list[ProcessSpec]:
    """One process for each address. `metrics` is the folder to which they write their metrics."""
    return [
        ProcessSpec(
            name=f"worker-{i}",
            arguments=("worker", "--listen", address, "--name", f"worker-{i}"),
            environment=_WORKER_ENVIRONMENT
            | dict(environment or {})
            | ({FOLDER: str(metrics), PROCESS: f"worker-{i}"} if metrics else {}),
        )
        for i, address in enumerate(addresses)
    ]


async def serve(settings: Settings) -> None:
    """Run all workers on TCP ports, the first one on `worker_port`, until SIGTERM or SIGINT.

    Raises ConfigurationError without a database URL, with which every worker would end again and again.
    """
    _ = settings.dsn
    folder, registry = None, CollectorRegistry(support_collectors_without_names=True)
    if settings.metrics_port is not None:
        # If another supervisor listens on the port, this fails before the folder, which is that one's, is emptied.
        served = MetricsServer(settings.metrics_host, settings.metrics_port, registry)
        folder = empty_folder(served.port)
        _log.info("metrics.served", url=served.url)
    supervisor = Supervisor(
        worker_specs(settings.worker_addresses, metrics=folder),
        grace_seconds=settings.shutdown_grace + settings.drain_delay,
    )
    if folder is not None:
        registry.register(of_supervisor(settings, folder, supervisor.pids))
    stop = stop_event()
    await supervisor.start()
    await stop.wait()
    _log.info("process.stopping", reason=stop.reason)
    await supervisor.stop()
