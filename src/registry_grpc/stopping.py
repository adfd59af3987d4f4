"""Tells a process when it has to stop."""

from __future__ import annotations

import asyncio
import os
import signal

_PARENT_CHECK_SECONDS = 1.0

# Read when the module is imported, so that a supervisor that is killed while its child starts is noticed too.
_started_by = os.getppid()


def _note_parent() -> None:
    global _started_by  # noqa: PLW0603 - a process has one parent
    _started_by = os.getppid()


# For tests, which fork controllers. The service itself never forks.
os.register_at_fork(after_in_child=_note_parent)


def is_orphaned() -> bool:
    """Whether the process that started this one is gone, so that nobody would stop it."""
    return os.getppid() != _started_by


class Stop(asyncio.Event):
    """Is set by a signal, whose name is the reason."""

    reason = ""

    def stop(self, number: signal.Signals) -> None:
        self.reason = number.name
        self.set()


def stop_event() -> Stop:
    """An event that SIGTERM and SIGINT set."""
    stop = Stop()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.stop, number)
    return stop


async def until_stopped() -> str:
    """Wait for SIGTERM or SIGINT, or until the supervisor is gone. Returns the reason."""
    stop = stop_event()
    while not stop.is_set() and not is_orphaned():
        try:
            await asyncio.wait_for(stop.wait(), _PARENT_CHECK_SECONDS)
        except TimeoutError:
            continue
    return stop.reason or "the process that has started it is gone"
