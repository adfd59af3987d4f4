"""Use cases on webhooks."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from uuid import UUID, uuid4

from registry_grpc.domain.actor import ACTOR
from registry_grpc.domain.etag import Etags
from registry_grpc.domain.event import Event
from registry_grpc.domain.patch import UNSET
from registry_grpc.domain.webhook import (
    NewWebhook,
    Outcome,
    Reach,
    Webhook,
    WebhookPatch,
    body_of,
    headers_of,
    new_secret,
)
from registry_grpc.ports.webhooks import WebhookRepository, WebhookSender


@dataclass(frozen=True, slots=True, kw_only=True)
class Webhooks:
    """Create, change and test the webhooks of a project, and repeat their deliveries."""

    webhooks: WebhookRepository
    sender: WebhookSender
    reach: Reach

    async def create(self, project_id: UUID, new: NewWebhook) -> Webhook:
        """Returns the secret if it was made. Raises LimitReached; InvalidRequest for a URL that must not be reached."""
        self.reach.check_url(new.url)
        secret = new.secret or new_secret()
        stored = await self.webhooks.create(Webhook.create(new, id=uuid4(), project_id=project_id), secret)
        return stored if new.secret else replace(stored, secret=secret)

    async def update(self, project_id: UUID, id: UUID, patch: WebhookPatch, etags: Etags = None) -> Webhook:
        """Raises NotFound, Stale, and InvalidRequest like `create`."""
        if patch.url is not UNSET:
            self.reach.check_url(patch.url)
        return await self.webhooks.update(project_id, id, patch, etags)

    async def test(self, project_id: UUID, id: UUID) -> Outcome:
        """Send an event of the type webhook.test at once, also if the webhook is disabled. Raises NotFound."""
        webhook = await self.webhooks.get(project_id, id)
        event = Event(
            id=f"test-{uuid4()}",
            resume_token="",
            occurred_at=datetime.now(UTC),
            type="webhook.test",
            resource_id=id,
            registered_model_id=None,
            name="",
            actor=ACTOR.get(),
            changed_fields=(),
            details={},
        )
        body, secret = body_of(event, project_id), await self.webhooks.secret(project_id, id)
        return await self.sender.send(webhook.url, headers_of(event.id, body, secret, event.occurred_at), body)

    async def redeliver(self, project_id: UUID, id: UUID, event_id: str, *, and_later: bool) -> Webhook:
        """As WebhookRepository.redeliver."""
        await self.webhooks.redeliver(project_id, id, event_id, and_later=and_later)
        return await self.webhooks.get(project_id, id)
