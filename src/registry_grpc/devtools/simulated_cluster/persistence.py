"""Keeps the simulated cluster's objects in a file, so that a restart of the development stack loses nothing."""

from __future__ import annotations

import asyncio
import contextlib
import json
from pathlib import Path

from registry_grpc.devtools.simulated_cluster.api.store import Change, Store

_PAUSE = 0.5


class StateFile:
    """A JSON snapshot of the store, replaced atomically a moment after a change."""

    def __init__(self, path: Path, store: Store) -> None:
        self._path = path
        self._store = store
        self._dirty = asyncio.Event()
        store.listen(self._on_change)

    def _on_change(self, _: Change) -> None:
        self._dirty.set()

    def load(self) -> bool:
        """Takes the file's objects over; False when there is no file yet."""
        with contextlib.suppress(FileNotFoundError):
            self._store.restore(json.loads(self._path.read_text(encoding="utf-8")))
            return True
        return False

    def save(self) -> None:
        self._dirty.clear()
        self._path.parent.mkdir(parents=True, exist_ok=True)
        temporary = self._path.with_suffix(".new")
        temporary.touch(mode=0o600)  # Secrets are in it
        temporary.write_text(json.dumps(self._store.snapshot()), encoding="utf-8")
        temporary.replace(self._path)

    async def run(self) -> None:
        """Saves after changes, at most twice a second, and what is not saved yet when it is cancelled."""
        try:
            while True:
                await self._dirty.wait()
                await asyncio.sleep(_PAUSE)
                self.save()
        finally:
            # Not without need: when this process was to end long ago, another writes the file by now.
            if self._dirty.is_set():
                self.save()
