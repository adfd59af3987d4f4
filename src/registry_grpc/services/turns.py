"""Limits how many work at once."""

from __future__ import annotations

import asyncio
from collections import deque
from uuid import UUID


class Turns:
    """Lets this many work at once. Groups take turns, so that a single one of a group need not wait for a crowd of
    another."""

    def __init__(self, size: int) -> None:
        self._free = size
        self._waiting: dict[UUID, deque[asyncio.Future[None]]] = {}

    async def take(self, group: UUID, seconds: float) -> None:
        """Wait this long for a turn, which `give_back` ends. Raises TimeoutError if there is none."""
        if self._free:
            self._free -= 1
            return
        turn = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(group, deque()).append(turn)
        try:
            async with asyncio.timeout(seconds):
                await turn
        except BaseException:
            if not turn.cancelled():
                self.give_back()  # it was granted in the same moment
            raise

    def give_back(self) -> None:
        while self._waiting:
            group = next(iter(self._waiting))
            waiting = self._waiting.pop(group)
            turn = waiting.popleft()
            if waiting:
                self._waiting[group] = waiting  # behind the other groups
            if not turn.done():
                turn.set_result(None)
                return
        self._free += 1
