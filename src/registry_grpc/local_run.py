"""The file by which other commands find a running `registry-grpc dev`, so that they need no settings beside it."""

from __future__ import annotations

import contextlib
import json
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from registry_grpc.folder_lock import FolderInUseError, locked
from registry_grpc.settings import Settings

_NAME = "run.json"


@contextlib.contextmanager
def announced(folder: Path, workers: Sequence[str], environment: Mapping[str, str]) -> Iterator[None]:
    """Tell the addresses and the settings of the workers until the block ends: their own `environment`, and what they
    have inherited. The file has a password and keys."""
    file, prefix = folder / _NAME, "REGISTRY_"
    found = {name.removeprefix(prefix).lower(): text for name, text in {**os.environ, **environment}.items() if text}
    settings = {name: text for name, text in found.items() if name in Settings.model_fields and name != "data_dir"}
    file.unlink(missing_ok=True)
    with os.fdopen(os.open(file, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "w") as written:
        json.dump({"workers": list(workers), "settings": settings}, written)
    try:
        yield
    finally:
        file.unlink(missing_ok=True)


def beside_run(settings: Settings) -> tuple[Settings, list[str]]:
    """Without a database URL, the settings and workers of a `registry-grpc dev` that runs in the data folder. If there
    is none, these settings, and their workers."""
    folder = settings.data_dir.resolve()
    try:
        if settings.database_url is not None or not _runs(folder):
            return settings, settings.worker_addresses
        found = json.loads((folder / _NAME).read_text())
    except OSError:  # it ends just now, or belongs to somebody else
        return settings, settings.worker_addresses
    print(f"uses the settings of `registry-grpc dev`, which runs in {folder}", file=sys.stderr)  # noqa: T201
    # What is set here stays, such as options by which the gateway is trusted.
    return Settings(**settings.model_dump(exclude_unset=True) | found["settings"]), found["workers"]


def _runs(folder: Path) -> bool:
    """A run that was killed leaves its file, but not the lock."""
    if not (folder / _NAME).exists():
        return False
    try:
        with locked(folder):
            return False
    except FolderInUseError:
        return True
