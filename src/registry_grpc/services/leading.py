"""Work in the background: without end, or only while this process leads."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager

_AFTER_FAULT_SECONDS = 1.0

Report = Callable[[str, BaseException], None]
"""Is called with the name of a loop, and the error that the loop survived."""


async def work_forever(
    name: str, work: Callable[[], Awaitable[None]], pause: float | None = None, *, report: Report
) -> None:
    """Do the work again whenever it ends, as it does when the database or the API server fails, after a pause of so
    many seconds."""
    while True:
        try:
            await work()
        except Exception as error:  # noqa: BLE001 - whatever it was, the loop must go on
            report(name, error)
        await asyncio.sleep(pause or _AFTER_FAULT_SECONDS)


async def work_while_leading(
    leadership: AbstractAsyncContextManager[AsyncIterator[bool]], work: Callable[[], Awaitable[None]]
) -> None:
    """Start the work when a state of the leadership says that this process leads, and cancel it when a state, or their
    end, says that it no longer does."""
    leading: asyncio.Future[None] | None = None
    async with leadership as states:
        try:
            async for leads in states:
                if leads and leading is None:
                    leading = asyncio.ensure_future(work())
                elif not leads and leading is not None:
                    leading.cancel()
                    leading = None
        finally:
            if leading is not None:
                leading.cancel()
                with contextlib.suppress(asyncio.CancelledError):
                    await leading
