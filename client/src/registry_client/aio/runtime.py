"""What differs between the asynchronous and the blocking client by more than `await`. Only this module is written by
hand in both."""

from __future__ import annotations

import asyncio
import html
from collections.abc import AsyncGenerator, Callable
from typing import Any, TypeVar

import grpc

_T = TypeVar("_T")
Stream = AsyncGenerator[_T, None]
"""What an asynchronous generator is."""

sleep = asyncio.sleep


async def in_thread(function: Callable[[], _T]) -> _T:
    """Run what blocks without blocking the event loop."""
    return await asyncio.to_thread(function)


def place() -> object:
    """Where a channel can be used: in the event loop in which it was opened, of which a program may have several, one
    after the other."""
    return asyncio.get_running_loop()


async def begun(begin: Callable[[], _T]) -> _T:
    """The stream that the function begins."""
    return begin()


def open_channel(target: str, credentials: grpc.ChannelCredentials | None, options: list[tuple[str, Any]]) -> Any:
    """A channel of the running event loop."""
    if credentials is None:
        return grpc.aio.insecure_channel(target, options=options)
    return grpc.aio.secure_channel(target, credentials, options=options)


def shown(listing: Any) -> str:
    """A list in a notebook, which does not wait for asynchronous code."""
    return f"<code>{html.escape(repr(listing))}</code>"
