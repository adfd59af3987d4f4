"""Webhooks in memory, and a receiver that answers as it is told."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Collection, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import timedelta
from uuid import UUID

from registry_grpc.domain.event import Event
from registry_grpc.domain.webhook import Outcome
from registry_grpc.ports.webhooks import Due


@dataclass
class Receiver:
    """Implements ports.webhooks.WebhookSender. `answer` decides by the webhook-id what comes of a request."""

    answer: Callable[[str], Outcome] = lambda _: Outcome(200)
    got: list[tuple[str, Mapping[str, str], bytes]] = field(default_factory=list)

    async def send(self, url: str, headers: Mapping[str, str], body: bytes) -> Outcome:
        self.got.append((url, headers, body))
        return self.answer(headers["webhook-id"])

    async def close(self) -> None:
        """There is nothing to close."""

    @property
    def ids(self) -> list[str]:
        return [headers["webhook-id"] for _, headers, _ in self.got]


@dataclass
class InMemoryWebhookQueue:
    """Implements ports.webhooks.WebhookQueue for one webhook. Failed deliveries are due again when a test says so."""

    waiting: list[Due] = field(default_factory=list)
    held: set[UUID] = field(default_factory=set)
    """Resources whose deliveries have to wait."""
    recorded: list[tuple[str, Outcome, timedelta | None]] = field(default_factory=list)

    def add(self, event: Event, webhook_id: UUID, secret: str | None) -> None:
        due = Due(
            webhook_id=webhook_id, project_id=UUID(int=1), url="https://example.com", secret=secret,
            position=len(self.waiting), attempts=0, event=event,
        )  # fmt: skip
        self.waiting.append(due)

    @asynccontextmanager
    async def leadership(self) -> AsyncIterator[AsyncIterator[bool]]:
        yield _leads()

    async def add_deliveries(self) -> None:
        """Tests do it."""

    async def due(self, busy: Collection[UUID]) -> Sequence[Due]:
        return [due for due in self._ready() if due.webhook_id not in busy]

    async def due_of(self, webhook_id: UUID) -> Sequence[Due]:
        return [due for due in self._ready() if due.webhook_id == webhook_id]

    async def record(self, due: Due, outcome: Outcome, retry_after: timedelta | None) -> None:
        self.recorded.append((due.event.id, outcome, retry_after))
        place = self.waiting.index(due)
        if outcome.is_delivered:
            del self.waiting[place]
        else:
            self.waiting[place] = replace(due, attempts=due.attempts + 1)
            self.held.add(due.event.resource_id)

    def _ready(self) -> list[Due]:
        return [due for due in self.waiting if due.event.resource_id not in self.held]


async def _leads() -> AsyncIterator[bool]:
    yield True
    await asyncio.Event().wait()
