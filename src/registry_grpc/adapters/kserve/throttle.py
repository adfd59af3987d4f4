"""Limits the rate of requests to the API server."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from contextvars import ContextVar
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Limits of the requests to the API server. `timeout`: seconds for one request, without the wait for its turn."""

    concurrency: int = 8
    requests_per_second: float = 50.0
    burst: int = 100
    timeout: float = 10.0


_PATIENCE: ContextVar[asyncio.Timeout | None] = ContextVar("patience", default=None)


@asynccontextmanager
async def patience(seconds: float) -> AsyncIterator[None]:
    """Raise TimeoutError when the API server takes longer for all requests inside together. They are made one after
    another, and the waits for their turns do not count."""
    async with asyncio.timeout(seconds) as limit:
        token = _PATIENCE.set(limit)
        try:
            yield
        finally:
            _PATIENCE.reset(token)


class Throttle:
    """A token bucket: lets a burst through, then a steady rate, in order, and nothing while the server asks to wait.
    Only so many requests run at once."""

    def __init__(self, limits: Limits) -> None:
        self._rate = limits.requests_per_second
        self._burst = limits.burst
        self._slots = asyncio.Semaphore(limits.concurrency)
        self._lasting = asyncio.Lock()
        self._tokens = float(limits.burst)
        self._counted_at = 0.0
        self._closed_until = 0.0

    @asynccontextmanager
    async def slot(self) -> AsyncIterator[None]:
        """Wait for a slot and a turn, and keep the slot. The patience of the caller stands still meanwhile, but not
        while the server asks to wait."""
        limit, clock = _PATIENCE.get(), asyncio.get_running_loop().time
        ends_at, began_at = limit.when() if limit else None, clock()
        if limit and ends_at is not None:
            limit.reschedule(None)
        async with self._slots:
            await self._take()
            if limit and ends_at is not None:
                limit.reschedule(ends_at + clock() - began_at)
            await self._until_open()
            yield

    async def turn(self) -> None:
        """Wait for a turn without a slot, for a request that lasts. Many that begin together take turns one by one, so
        that hundreds of watches that begin again do not keep others waiting."""
        async with self._lasting:
            await self._take()
        await self._until_open()

    async def _take(self) -> None:
        """A caller that is cancelled gives its turn back."""
        now = asyncio.get_running_loop().time()
        grown = self._tokens + (now - self._counted_at) * self._rate
        self._tokens = min(grown, float(self._burst)) - 1
        self._counted_at = now
        if self._tokens >= 0:
            return
        try:
            await asyncio.sleep(-self._tokens / self._rate)
        except asyncio.CancelledError:
            self._tokens += 1
            raise

    async def _until_open(self) -> None:
        clock = asyncio.get_running_loop().time
        while (wait := self._closed_until - clock()) > 0:  # noqa: ASYNC110 - it may be closed for longer meanwhile
            await asyncio.sleep(wait)

    def close_for(self, seconds: float) -> None:
        """Let nothing through for this long, as the server asked by Retry-After."""
        self._closed_until = max(self._closed_until, asyncio.get_running_loop().time() + seconds)
