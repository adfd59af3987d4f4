"""A folder that one process at a time works in."""

from __future__ import annotations

import contextlib
import fcntl
from collections.abc import Iterator
from pathlib import Path


class FolderInUseError(Exception):
    """Another process works in the folder; the text names it."""


@contextlib.contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Keep others away from the folder, until the block or this process ends, however that ends.

    Raises FolderInUseError, and OSError when the folder is none or cannot be written to.
    """
    with (folder / "lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise FolderInUseError(f"{folder} is in use by another process") from None
        yield
