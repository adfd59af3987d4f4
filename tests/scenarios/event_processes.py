"""Workers and controllers without a cluster, as processes that are killed and started again."""

from __future__ import annotations

import base64
import logging
import multiprocessing
from collections.abc import Callable
from multiprocessing.process import BaseProcess
from typing import Any

from registry_grpc.settings import Settings

_CONTEXT = multiprocessing.get_context("forkserver")
_CONTEXT.set_forkserver_preload(["tests.scenarios.event_processes", "registry_grpc.server"])
_KEYS = f"k1:{base64.b64encode(bytes(32)).decode()}"


class Killable:
    """A process that can be killed and started again."""

    def __init__(self, main: Callable[..., None], *arguments: Any) -> None:
        self._main = main
        self._arguments = arguments
        self._process: BaseProcess | None = None
        self.start()

    def start(self) -> None:
        self._process = _CONTEXT.Process(target=self._main, args=self._arguments, daemon=True)
        self._process.start()

    def kill(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.join()
            self._process = None


def run_worker(database_url: str, address: str) -> None:
    from registry_grpc import server

    _be_quiet()
    server.run_worker(_settings(database_url), address)


def run_controller(database_url: str) -> None:
    """Without the pauses after failures, of which a scenario has more in a minute than a receiver in a day."""
    from registry_grpc import server
    from registry_grpc.domain import webhook

    _be_quiet()
    webhook.RETRY_SECONDS = (0.2,) * 10_000  # type: ignore[assignment]
    server.run_controller(_settings(database_url))


def _settings(database_url: str) -> Settings:
    return Settings.model_validate(
        {
            "database_url": database_url,
            "encryption_keys": _KEYS,
            "webhook_networks": "127.0.0.0/8",
            "database_connections": 6,
            "database_statement_timeout": 60,
        }
    )


def _be_quiet() -> None:
    import structlog

    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
