"""Keeps the simulated cluster's objects in a file, with one line for each change.

A change is written before it is answered, so it is not lost when the process is killed.
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
"""The number of changes after which the file is replaced by one with the present objects only."""


class Journal:
    """The file of one store. If the file exists, the store is first filled from it."""

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
                if line.endswith(b"\n"):  # otherwise the process was killed while it wrote the line
                    change = json.loads(line)
                    obj = change["object"]
                    self._store.restore(Change(_KINDS[obj["apiVersion"], obj["kind"]], change["type"], obj))
        self._store.compact()

    def _begin(self) -> int:
        """Replaces the old file by a new one, because another process may still write a last line to the old one."""
        new = self._path.with_suffix(".new")
        file = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_APPEND, 0o600)  # it contains Secrets
        _write(file, {"version": self._store.version})
        for _, obj in self._store.everything():
            _write(file, {"type": "ADDED", "object": obj})
        new.replace(self._path)
        self._lines = 0
        return file

    def _record(self, change: Change) -> None:
        """Raises ApiError if the file cannot be written, for example because the disk is full."""
        try:
            if self._lines >= _MANY:
                before, self._file = self._file, self._begin()
                os.close(before)
            _write(self._file, {"type": change.type, "object": change.obj})
        except OSError as error:
            raise ApiError(500, "InternalError", f"{self._path} cannot be written: {error}") from error
        self._lines += 1


def _write(file: int, line: dict[str, Any]) -> None:
    """Writes the whole line or nothing."""
    data = json.dumps(line).encode() + b"\n"
    size = os.fstat(file).st_size
    if os.write(file, data) < len(data):
        os.ftruncate(file, size)
        raise OSError("no space left for a whole line")
