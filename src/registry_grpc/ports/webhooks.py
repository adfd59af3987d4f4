"""The ports of webhooks: storing them, dividing their events into deliveries, and sending. Every method of the first
two may raise Unavailable or Overloaded."""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import timedelta
from typing import Protocol
from uuid import UUID

from registry_grpc.domain.etag import Etags
from registry_grpc.domain.event import Event
from registry_grpc.domain.filter.fields import Filter
from registry_grpc.domain.paging import NEWEST_FIRST, Page, Slice, Sort
from registry_grpc.domain.webhook import NEWEST_EVENT_FIRST, Delivery, DeliveryState, Outcome, Webhook, WebhookPatch


@dataclass(frozen=True, slots=True, kw_only=True)
class Due:
    """A delivery to be attempted now."""

    webhook_id: UUID
    project_id: UUID
    url: str
    secret: str | None
    """None if it cannot be decrypted."""
    position: int
    attempts: int
    """How many attempts have failed."""
    event: Event


class WebhookRepository(Protocol):
    """Keeps the webhooks of projects, and the log of their deliveries."""

    async def create(self, webhook: Webhook, secret: str) -> Webhook:
        """It gets the events that happen from now on. Raises LimitReached if the project has MOST_WEBHOOKS."""

    async def get(self, project_id: UUID, id: UUID) -> Webhook:
        """Raises NotFound."""

    async def secret(self, project_id: UUID, id: UUID) -> str:
        """The secret. Raises NotFound, SecretUnreadable."""

    async def list(
        self, project_id: UUID, slice: Slice, sort: Sort = NEWEST_FIRST, where: Filter | None = None
    ) -> Page[Webhook]: ...

    async def update(self, project_id: UUID, id: UUID, patch: WebhookPatch, etags: Etags = None) -> Webhook:
        """Change what is set. One that becomes ACTIVE continues with the first event that it has not got. Raises
        NotFound, Stale: its etag changes with every update, and when `WebhookQueue.record` disables it."""

    async def delete(self, project_id: UUID, id: UUID, etags: Etags = None) -> None:
        """Delete it with the log of its deliveries. Raises NotFound, Stale."""

    async def deliveries(  # noqa: PLR0917 - all parts of a list
        self,
        project_id: UUID,
        id: UUID,
        state: DeliveryState | None,
        slice: Slice,
        sort: Sort = NEWEST_EVENT_FIRST,
        where: Filter | None = None,
    ) -> Page[Delivery]:
        """In the order of their events or against it. Raises NotFound."""

    async def redeliver(self, project_id: UUID, id: UUID, event_id: str, *, and_later: bool) -> None:
        """Deliver the event again, and if wanted also all later ones. Raises NotFound for the webhook, and for an event
        that the log does not have."""


class WebhookQueue(Protocol):
    """Lets one process at a time deliver."""

    def leadership(self) -> AbstractAsyncContextManager[AsyncIterator[bool]]:
        """As DeploymentQueue.leadership, with a lock of its own."""

    async def add_deliveries(self) -> None:
        """Add what has happened as deliveries of all active webhooks that want it, while they have few that wait."""

    async def due(self, busy: Collection[UUID]) -> Sequence[Due]:
        """Deliveries of active webhooks that are not busy, by webhook and in the order of their events. Those of a
        resource with an earlier event that has to wait are not among them."""

    async def due_of(self, webhook_id: UUID) -> Sequence[Due]:
        """As `due`, of this webhook only."""

    async def record(self, due: Due, outcome: Outcome, retry_after: timedelta | None) -> None:
        """Store what came of an attempt. Without an answer, the whole webhook pauses. A failure without `retry_after`
        disables the webhook; the reason says why. Nothing is stored if the delivery was changed meanwhile."""


class WebhookSender(Protocol):
    """Sends over HTTP."""

    async def send(self, url: str, headers: Mapping[str, str], body: bytes) -> Outcome:
        """Follows no redirects and connects only to allowed addresses. Never raises because of the receiver."""

    async def close(self) -> None: ...
