"""Locks a folder, in which only one process at a time may work."""

from __future__ import annotations

import contextlib
import fcntl
from collections.abc import Iterator
from pathlib import Path


class FolderInUseError(Exception):
    """Another process uses the folder. The text names the folder."""


@contextlib.contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Lock the folder until the block or this process ends, also if it is killed.

    Raises FolderInUseError, and OSError if it is not a folder or is not writable.
    """
    with (folder / "lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise FolderInUseError(f"{folder} is in use by another process") from None
        yield
