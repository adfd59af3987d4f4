"""The counterpart of registry_client.aio.runtime, written by hand."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final, TypeVar

import grpc

from registry_client.rows import shown as rows_shown

_SHOWN_ROWS: Final = 20
_T = TypeVar("_T")
Stream = Generator[_T, None, None]
"""What a generator is."""

sleep = time.sleep


def in_thread(function: Callable[[], _T]) -> _T:
    """Run what blocks."""
    return function()


def place() -> object:
    """Where a channel can be used: everywhere."""
    return None


def begun(begin: Callable[[], _T]) -> _T:
    """The stream that the function begins. It does so in a thread, where no KeyboardInterrupt is raised: one while gRPC
    begins a stream leaves a call whose end nobody reads, and closing the channel waits for that for ever."""
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(begin).result()


def open_channel(target: str, credentials: grpc.ChannelCredentials | None, options: list[tuple[str, Any]]) -> Any:
    if credentials is None:
        return grpc.insecure_channel(target, options=options)
    return grpc.secure_channel(target, credentials, options=options)


def shown(listing: Any) -> str:
    """The beginning of a list in a notebook."""
    rows = listing.all(limit=_SHOWN_ROWS + 1)
    note = f"These are the first {_SHOWN_ROWS}." if len(rows) > _SHOWN_ROWS else ""
    return rows_shown(rows[:_SHOWN_ROWS], note)
