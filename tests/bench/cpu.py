"""CPU time and memory of the service's processes, by kind of process (Linux: /proc)."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

from tests.e2e.processes import tree

PARTS = ("envoy", "workers", "postgres")
_MICROSECONDS_PER_TICK = 1_000_000 / os.sysconf("SC_CLK_TCK")
_OWN, _CHILDREN, _END = 11, 13, 15
"""Indexes in /proc/<pid>/stat, after the program's name: of user and system time, and of those of ended children."""


def cpu_microseconds(root_pid: int) -> dict[str, float]:
    """CPU time so far of Envoy, the workers, PostgreSQL with all its backends and the rest, all below `root_pid`."""
    used = dict.fromkeys((*PARTS, "others"), 0.0)
    for process in tree(root_pid):
        part = _part_of(process.command)
        with suppress(OSError):
            if part == "postgres":
                used[part] += _of_single_thread(process.pid)
            else:
                used[part] += _microseconds(process.pid, _OWN, _CHILDREN)
    return used


def own_microseconds(pid: int) -> float:
    """CPU time so far of one process, without its children."""
    return _microseconds(pid, _OWN, _CHILDREN)


def _of_single_thread(pid: int) -> float:
    """CPU time so far of a process without threads, which the kernel tells without rounding, and of its ended children:
    for the postmaster, these are backends whose connection was closed."""
    nanoseconds = Path(f"/proc/{pid}/schedstat").read_text().split()[0]
    return int(nanoseconds) / 1000 + _microseconds(pid, _CHILDREN, _END)


def _microseconds(pid: int, first: int, end: int) -> float:
    times = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[first:end]
    return sum(int(ticks) for ticks in times) * _MICROSECONDS_PER_TICK


def resident_megabytes(root_pid: int) -> dict[str, float]:
    """Memory that is not shared with other processes."""
    used = dict.fromkeys((*PARTS, "others"), 0.0)
    for process in tree(root_pid):
        with suppress(OSError):
            pages = Path(f"/proc/{process.pid}/statm").read_text().split()
            used[_part_of(process.command)] += (int(pages[1]) - int(pages[2])) * os.sysconf("SC_PAGE_SIZE") / 2**20
    return used


def _part_of(command: str) -> str:
    if " worker --listen " in command:
        return "workers"
    program = Path(command.split(" ", 1)[0].rstrip(":")).name
    return program if program in PARTS else "others"
