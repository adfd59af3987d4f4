"""Finds the processes of a stack by their parents (Linux)."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

_PARENT, _STARTED = 1, 19
"""Indexes in /proc/<pid>/stat, counted after the program's name."""


@dataclass(frozen=True)
class Process:
    """A process. Its start time distinguishes it from a later one with the same id."""

    pid: int
    parent: int
    started: str

    @property
    def runs(self) -> bool:
        return (self.pid, self.started) in {(process.pid, process.started) for process in _all()}

    @property
    def command(self) -> str:
        with suppress(OSError):
            return Path(f"/proc/{self.pid}/cmdline").read_text().replace("\0", " ")
        return ""

    def send(self, number: signal.Signals) -> None:
        os.kill(self.pid, number)


def _all() -> set[Process]:
    """All processes except zombies."""
    found = set()
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            state, *fields = stat.read_text().rsplit(")", 1)[1].split()
            if state != "Z":
                found.add(Process(int(stat.parent.name), int(fields[_PARENT - 1]), fields[_STARTED - 1]))
    return found


def tree(pid: int) -> list[Process]:
    """The process and all its descendants."""
    processes = _all()
    found = [process for process in processes if process.pid == pid]
    for process in found:
        found += [child for child in processes if child.parent == process.pid]
    return found


def workers(pid: int) -> list[Process]:
    """The worker processes of the service below `pid`."""
    return [process for process in tree(pid) if " worker --listen " in process.command]


def wait_until(condition: Callable[[], bool], seconds: float) -> bool:
    """Whether the condition came true in time."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True
