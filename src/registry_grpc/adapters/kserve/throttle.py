"""Limits the rate of requests to the API server."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Limits of the requests to the API server. `timeout`: seconds for one request, including the wait for its turn."""

    concurrency: int = 8
    requests_per_second: float = 10.0
    burst: int = 20
    timeout: float = 10.0


class Throttle:
    """A token bucket: lets a burst through, then a steady rate, in order, and nothing while the server asks to wait."""

    def __init__(self, rate: float, burst: int) -> None:
        self._rate = rate
        self._burst = burst
        self._tokens = float(burst)
        self._counted_at = 0.0
        self._closed_until = 0.0

    async def turn(self) -> None:
        """Wait for a turn. A caller that is cancelled gives its turn back."""
        now = asyncio.get_running_loop().time()
        grown = self._tokens + (now - self._counted_at) * self._rate
        self._tokens = min(grown, float(self._burst)) - 1
        self._counted_at = now
        wait = max(-self._tokens / self._rate, self._closed_until - now)
        if wait <= 0:
            return
        try:
            await asyncio.sleep(wait)
        except asyncio.CancelledError:
            self._tokens += 1
            raise

    def close_for(self, seconds: float) -> None:
        """Let nothing through for this long, as the server asked by Retry-After."""
        self._closed_until = max(self._closed_until, asyncio.get_running_loop().time() + seconds)
