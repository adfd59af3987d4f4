"""Answers to requests in memory."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Awaitable, Callable
from uuid import UUID

from registry_grpc.domain.errors import RequestIdReused
from registry_grpc.ports.requests import Request


class InMemoryRequests:
    """Keeps the answers for ever. Nothing interrupts a call, so none is resumed."""

    def __init__(self) -> None:
        self._answers: dict[tuple[UUID, str], tuple[Request, bytes]] = {}
        self._under_way: defaultdict[tuple[UUID, str], asyncio.Lock] = defaultdict(asyncio.Lock)

    async def once(
        self, request: Request, work: Callable[[], Awaitable[bytes]], resume: Callable[[UUID], Awaitable[bytes]]
    ) -> bytes:
        place = request.project_id, request.id
        async with self._under_way[place]:
            if place not in self._answers:
                self._answers[place] = request, await work()
            earlier, answer = self._answers[place]
            if earlier != request:
                raise RequestIdReused
            return answer

    async def settle(self, id: UUID) -> None:
        pass
