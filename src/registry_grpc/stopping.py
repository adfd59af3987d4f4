"""When a process has to end."""

from __future__ import annotations

import asyncio
import os
import signal

_PARENT_CHECK_SECONDS = 1.0

# By the process that started this one. Asked at once: one that is killed while its child still starts is gone, too.
_started_by = os.getppid()


def _note_parent() -> None:
    global _started_by  # noqa: PLW0603 - there is one of it in a process
    _started_by = os.getppid()


# The controllers that tests kill are forked; the service itself never forks.
os.register_at_fork(after_in_child=_note_parent)


def stop_event() -> asyncio.Event:
    """Set by SIGTERM and SIGINT."""
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    return stop


async def until_stopped() -> None:
    """Until SIGTERM or SIGINT, or until the supervisor is gone: nobody would stop this process any more."""
    stop = stop_event()
    while not stop.is_set() and os.getppid() == _started_by:
        try:
            await asyncio.wait_for(stop.wait(), _PARENT_CHECK_SECONDS)
        except TimeoutError:
            continue
