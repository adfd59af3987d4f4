"""Serves metrics to Prometheus, and answers the probe of a controller, in a thread of its own: also while the event
loop of the process hangs."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import shutil
import socket
import tempfile
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any
from wsgiref.simple_server import WSGIRequestHandler, make_server

from cryptography import x509
from prometheus_client import CollectorRegistry, ProcessCollector, make_wsgi_app
from prometheus_client.exposition import ThreadingWSGIServer
from prometheus_client.metrics_core import Metric
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.registry import Collector

from registry_grpc.adapters import metrics
from registry_grpc.settings import ConfigurationError, Settings

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication

LONGEST_SILENCE = 180.0
"""After so many seconds without a turn, a controller hangs. A pass has 45, not counted the waits for the registry's own
limits of requests."""
_SECONDS_OF_A_CLIENT = 10.0


class Pulse:
    """Tells whether a process still works."""

    def __init__(self, turned_at: Callable[[], float] = time.monotonic) -> None:
        """`turned_at` is when its work last went on, by the monotonic clock."""
        self._turned_at = turned_at
        self._beaten_at = time.monotonic()

    def beat(self) -> None:
        """To be called by the event loop, again and again."""
        self._beaten_at = time.monotonic()

    def complaint(self) -> str:
        """What hangs; empty if nothing does."""
        now = time.monotonic()
        for name, last in (("the event loop", self._beaten_at), ("the loop of passes", self._turned_at())):
            if now - last > LONGEST_SILENCE:
                return f"{name} has not turned for {now - last:.0f} s"
        return ""


class MetricsServer:
    """Serves `/metrics`, and `/livez`, until it is closed. Without a pulse, the process is alive as long as it answers.
    Raises ConfigurationError if it cannot listen."""

    def __init__(self, host: str, port: int, registry: CollectorRegistry, pulse: Pulse | None = None) -> None:
        try:
            self._server = make_server(host, port, _app(registry, pulse), _server_of(host), _Handler)
        except OSError as error:
            raise ConfigurationError(f"REGISTRY_METRICS_PORT: cannot listen on {host}:{port}: {error}") from error
        self.port = self._server.server_port
        self.url = f"http://{f'[{host}]' if ':' in host else host}:{self.port}/metrics"
        threading.Thread(target=self._server.serve_forever, name="metrics", daemon=True).start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


class _Handler(WSGIRequestHandler):
    timeout = _SECONDS_OF_A_CLIENT

    def log_message(self, format: str, *args: Any) -> None:
        """Prometheus comes every few seconds."""


def _server_of(host: str) -> type[ThreadingWSGIServer]:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    return type("Server", (ThreadingWSGIServer,), {"address_family": family})


def _app(registry: CollectorRegistry, pulse: Pulse | None) -> WSGIApplication:
    exposition: WSGIApplication = make_wsgi_app(registry)

    def answer(environment: dict[str, Any], start: StartResponse) -> Iterable[bytes]:
        path = environment["PATH_INFO"]
        if path == "/metrics":
            return exposition(environment, start)
        if path == "/livez":
            complaint = pulse.complaint() if pulse else ""
            status = "503 Service Unavailable" if complaint else "200 OK"
        else:
            complaint, status = "not found: /metrics and /livez are here", "404 Not Found"
        start(status, [("Content-Type", "text/plain")])
        return [f"{complaint or 'ok'}\n".encode()]

    return answer


class Processes(Collector):
    """Memory, CPU time and open files of several processes."""

    def __init__(self, pids: Callable[[], Mapping[str, int]]) -> None:
        """`pids` has them by the names that the label `process` shows."""
        self._pids = pids

    def collect(self) -> Iterable[Metric]:
        found: dict[str, Metric] = {}
        for name, pid in self._pids().items():
            for family in ProcessCollector(pid=lambda pid=pid: pid, registry=None).collect():  # type: ignore[misc]
                merged = found.setdefault(family.name, Metric(family.name, family.documentation, family.type))
                for sample in family.samples:
                    merged.add_sample(sample.name, {"process": name}, sample.value)
        return found.values()


def of_controller() -> CollectorRegistry:
    """The metrics of this process."""
    _tell_build()
    return _all_of(metrics.REGISTRY, Processes(lambda: {"controller": os.getpid()}))


def of_supervisor(settings: Settings, folder: Path, pids: Callable[[], Mapping[str, int]]) -> CollectorRegistry:
    """The metrics of all workers, whose files are in the folder, and of the supervisor."""
    _tell_build()
    metrics.CERTIFICATE_EXPIRY.read = lambda: _expiries(settings)
    workers = MultiProcessCollector(None, path=str(folder))  # type: ignore[no-untyped-call]
    return _all_of(metrics.SUPERVISOR, Processes(lambda: {"supervisor": os.getpid(), **pids()}), workers)


def _all_of(*collectors: Collector | CollectorRegistry) -> CollectorRegistry:
    registry = CollectorRegistry(support_collectors_without_names=True)
    for collector in collectors:
        registry.register(collector)
    return registry


def _tell_build() -> None:
    version = importlib.metadata.version("registry-grpc")
    metrics.BUILD_INFO.show({(version, platform.python_version()): 1})


def _expiries(settings: Settings) -> dict[tuple[str, ...], float]:
    files = {"worker": settings.worker_tls_certificate, "worker-ca": settings.worker_tls_ca}
    return {(name,): first for name, path in files.items() if path is not None and (first := _expiry(path)) is not None}


def _expiry(path: Path) -> float | None:
    """Of the first certificate in the file to expire. None if it cannot be read, as while it is replaced."""
    try:
        certificates = x509.load_pem_x509_certificates(path.read_bytes())
    except (OSError, ValueError):
        return None
    return min(certificate.not_valid_after_utc.timestamp() for certificate in certificates)


def empty_folder(port: int) -> Path:
    """A folder for the files of workers, without those of an earlier run. Raises ConfigurationError."""
    folder = Path(tempfile.gettempdir()) / f"registry-grpc-metrics-{os.getuid()}-{port}"
    shutil.rmtree(folder, ignore_errors=True)
    try:
        folder.mkdir(mode=0o700)  # fails if it is there, so that nobody else can have made it
    except OSError as error:
        raise ConfigurationError(f"metrics need a folder: {error}; set TMPDIR to another place") from error
    return folder
