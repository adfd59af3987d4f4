"""The queue of a controller."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import Generic, TypeVar

from registry_grpc.devtools.simulated_cluster.api.errors import ApiError

Key = TypeVar("Key")

_LOG = logging.getLogger(__name__)
_AGAIN_AFTER_CONFLICT = 0.05
_AGAIN_AFTER_ERROR = 1.0


class Worklist(Generic[Key]):
    """Keys in the order in which they were added. A key that is added again while it waits is worked on once.

    If the work on a key raises an ApiError, it is repeated later. Any other error is a bug of the simulation: it is
    logged, and the work on other keys continues.
    """

    def __init__(self, work: Callable[[Key], None]) -> None:
        self._work = work
        self._keys: asyncio.Queue[Key] = asyncio.Queue()
        self._waiting: set[Key] = set()

    def add(self, key: Key) -> None:
        if key not in self._waiting:
            self._waiting.add(key)
            self._keys.put_nowait(key)

    def add_later(self, seconds: float, key: Key) -> None:
        asyncio.get_running_loop().call_later(seconds, self.add, key)

    async def run(self) -> None:
        """Works on keys, without end."""
        while True:
            key = await self._keys.get()
            await asyncio.sleep(0)  # the queue may never be empty, and requests must be answered
            self._waiting.discard(key)
            try:
                self._work(key)
            except ApiError as error:
                _LOG.warning("%s: %s", key, error.message)
                self.add_later(_AGAIN_AFTER_CONFLICT if error.code == 409 else _AGAIN_AFTER_ERROR, key)
            except Exception:  # noqa: BLE001 - one unexpected object must not stop the work on all others
                _LOG.exception("%s", key)
