"""Keeps the simulated cluster's objects in a file, one change a line.

A change is in the file before anybody is answered, so that it survives whatever ends the process, `kill -9` included.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from registry_grpc.devtools.simulated_cluster.api.errors import ApiError
from registry_grpc.devtools.simulated_cluster.api.resources import RESOURCES
from registry_grpc.devtools.simulated_cluster.api.store import Change, Store

_KINDS = {(resource.api_version, resource.kind): resource for resource in RESOURCES}
_MANY = 20_000
"""Changes after which the file is written anew, with what there is."""


class Journal:
    """The file of one store, which it fills first when there is one already."""

    def __init__(self, path: Path, store: Store) -> None:
        self._path = path
        self._store = store
        self.is_new = not path.exists()
        if not self.is_new:
            self._load()
        self._file = self._begin()
        store.journal = self._record

    def _load(self) -> None:
        with self._path.open("rb") as lines:
            self._store.version = json.loads(next(lines))["version"]
            for line in lines:
                if line.endswith(b"\n"):  # else the writer was killed over it
                    change = json.loads(line)
                    obj = change["object"]
                    self._store.restore(Change(_KINDS[obj["apiVersion"], obj["kind"]], change["type"], obj))
        self._store.compact()

    def _begin(self) -> int:
        """A new file takes the place of the old one, in which another process may be about to write its last line."""
        new = self._path.with_suffix(".new")
        file = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_APPEND, 0o600)  # Secrets are in it
        _write(file, {"version": self._store.version})
        for _, obj in self._store.everything():
            _write(file, {"type": "ADDED", "object": obj})
        new.replace(self._path)
        self._lines = 0
        return file

    def _record(self, change: Change) -> None:
        """Raises ApiError, for instance when the disk is full."""
        try:
            if self._lines >= _MANY:
                before, self._file = self._file, self._begin()
                os.close(before)
            _write(self._file, {"type": change.type, "object": change.obj})
        except OSError as error:
            raise ApiError(500, "InternalError", f"{self._path} cannot be written: {error}") from error
        self._lines += 1


def _write(file: int, line: dict[str, Any]) -> None:
    """The whole line or nothing of it."""
    data = json.dumps(line).encode() + b"\n"
    size = os.fstat(file).st_size
    if os.write(file, data) < len(data):
        os.ftruncate(file, size)
        raise OSError("no space left for a whole line")
