"""Remembers answers of the API server for a while."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Hashable
from typing import Generic, TypeVar

_SECONDS = 30.0

T = TypeVar("T")


class Memory(Generic[T]):
    """Answers by key. One caller asks at a time, because those that wait can use the same answer."""

    def __init__(self) -> None:
        self._answers: dict[Hashable, tuple[float, T]] = {}
        self._asking = asyncio.Lock()

    async def recall(self, key: Hashable, ask: Callable[[], Awaitable[T]], *, since: float = 0.0) -> T:
        """The answer that was asked for after `since`, by the clock of the loop; if none is remembered, that of `ask`,
        whose errors are not remembered."""
        async with self._asking:
            now = asyncio.get_running_loop().time()
            self._answers = {k: (at, answer) for k, (at, answer) in self._answers.items() if now - at < _SECONDS}
            if key not in self._answers or self._answers[key][0] < since:
                self._answers[key] = (now, await ask())
            return self._answers[key][1]
