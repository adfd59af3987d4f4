"""Webhooks on PostgreSQL: how events become deliveries, and what is recorded of them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from structlog.testing import capture_logs
from tests.postgres import PATIENT
from tests.refusals import refused

from registry_grpc.adapters.encryption.aes_gcm import AesGcmCipher
from registry_grpc.adapters.postgres import webhook_queue, webhooks
from registry_grpc.adapters.postgres.database import Database
from registry_grpc.adapters.postgres.event_log import PostgresEventLog
from registry_grpc.adapters.postgres.webhook_queue import PostgresWebhookQueue
from registry_grpc.adapters.postgres.webhooks import PostgresWebhookRepository, encrypt_webhook_secrets
from registry_grpc.domain.errors import InvalidRequest, LimitReached, NotFound, Reason, Stale
from registry_grpc.domain.event import EventFilter
from registry_grpc.domain.filter.fields import parse_filter
from registry_grpc.domain.paging import Slice, Sort
from registry_grpc.domain.webhook import (
    DELIVERY_FILTER_FIELDS,
    FILTER_FIELDS,
    NEWEST_EVENT_FIRST,
    DeliveryState,
    NewWebhook,
    Outcome,
    Webhook,
    WebhookPatch,
    WebhookState,
    new_secret,
)
from registry_grpc.ports.webhooks import Due

pytestmark = pytest.mark.slow

PROJECT = UUID(int=1)
CIPHER = AesGcmCipher({"k1": bytes(32)})
SOON = timedelta(hours=1)
_BUSY, _RECEIVED = Outcome(500, "busy"), Outcome(200)
PAGE = Slice(by_cursor=True)
_INSERT = """
INSERT INTO event_inbox (project_id, type, resource_id, name, actor) VALUES ($1, $2, $3, $4, 'external')
"""


@dataclass
class Hooks:
    """The webhooks of a database of its own."""

    database: Database
    repository: PostgresWebhookRepository
    queue: PostgresWebhookQueue

    async def create(self, **fields: Any) -> Webhook:
        new = NewWebhook(url="https://example.com", **fields)
        return await self.repository.create(Webhook.create(new, id=uuid4(), project_id=PROJECT), new_secret())

    async def happen(
        self, *names: str, type: str = "model.updated", resource: int = 1, project: UUID = PROJECT
    ) -> None:
        for name in names:
            await self.database.execute(_INSERT, project, type, UUID(int=resource), name)

    async def due(self, *busy: UUID) -> list[Due]:
        await self.queue.add_deliveries()
        return list(await self.queue.due(busy))

    async def names(self) -> list[str]:
        return [due.event.name for due in await self.due()]

    async def deliver(self) -> list[str]:
        """Deliver everything that is due, and return the names."""
        found = await self.due()
        for due in found:
            await self.queue.record(due, Outcome(200), SOON)
        return [due.event.name for due in found]


@pytest.fixture
async def hooks(fresh_database_url: str) -> AsyncIterator[Hooks]:
    database = Database(fresh_database_url, PATIENT)
    yield Hooks(database, PostgresWebhookRepository(database, CIPHER), PostgresWebhookQueue(database, CIPHER))
    await database.close()


async def test_a_webhook_is_kept_with_an_encrypted_secret(hooks: Hooks) -> None:
    new = NewWebhook(url="https://example.com/x", types=("model", "version.created"), secret=new_secret())
    stored = await hooks.repository.create(Webhook.create(new, id=uuid4(), project_id=PROJECT), new.secret)
    assert (stored.url, stored.types, stored.state, stored.secret) == (new.url, new.types, WebhookState.ACTIVE, "")
    assert await hooks.repository.get(PROJECT, stored.id) == stored
    assert (await hooks.repository.list(PROJECT, PAGE)).items == (stored,)
    assert (await hooks.repository.list(uuid4(), PAGE)).items == ()
    assert await hooks.repository.secret(PROJECT, stored.id) == new.secret
    (row,) = await hooks.database.fetch("SELECT secret FROM webhook")
    assert row["secret"].startswith("enc:v2:k1:")
    changed = await hooks.repository.update(
        PROJECT, stored.id, WebhookPatch(url="https://example.com/y", types=(), secret=new_secret())
    )
    assert (changed.url, changed.types) == ("https://example.com/y", ())
    assert await hooks.repository.secret(PROJECT, stored.id) != new.secret
    await hooks.repository.delete(PROJECT, stored.id)
    for use in (hooks.repository.get, hooks.repository.secret, hooks.repository.delete):
        with refused(NotFound, Reason.WEBHOOK_NOT_FOUND):
            await use(PROJECT, stored.id)


async def test_a_webhook_of_another_project_does_not_exist(hooks: Hooks) -> None:
    other, id_ = uuid4(), (await hooks.create()).id
    for attempt in (
        hooks.repository.get(other, id_),
        hooks.repository.secret(other, id_),
        hooks.repository.update(other, id_, WebhookPatch(types=())),
        hooks.repository.delete(other, id_),
        hooks.repository.deliveries(other, id_, None, PAGE),
        hooks.repository.redeliver(other, id_, "1-1", and_later=False),
    ):
        with refused(NotFound, Reason.WEBHOOK_NOT_FOUND):
            await attempt


async def test_its_etag_changes_with_what_an_editor_sees(hooks: Hooks) -> None:
    repository, first = hooks.repository, await hooks.create()
    assert (await repository.get(PROJECT, first.id)).etag == first.etag != ""
    second = await repository.update(PROJECT, first.id, WebhookPatch(types=("model",)), (first.etag,))
    assert second.etag != first.etag
    for attempt in (
        repository.update(PROJECT, first.id, WebhookPatch(types=()), (first.etag,)),
        repository.delete(PROJECT, first.id, (first.etag,)),
    ):
        with refused(Stale, Reason.ETAG_MISMATCH):
            await attempt
    await hooks.happen("a", "b")
    await hooks.deliver()
    assert await repository.get(PROJECT, first.id) == second  # although its position has moved
    await hooks.happen("c")
    (due,) = await hooks.due()
    await hooks.queue.record(due, Outcome(500, "busy"), None)
    disabled = await repository.get(PROJECT, first.id)
    with refused(Stale, Reason.ETAG_MISMATCH):
        await repository.update(PROJECT, first.id, WebhookPatch(types=()), (second.etag,))
    await repository.delete(PROJECT, first.id, (second.etag, disabled.etag))
    with refused(NotFound, Reason.WEBHOOK_NOT_FOUND):
        await repository.delete(PROJECT, first.id, (disabled.etag,))


async def test_of_concurrent_editors_one_wins(hooks: Hooks) -> None:
    webhook = await hooks.create()
    updates = [
        hooks.repository.update(PROJECT, webhook.id, WebhookPatch(url=f"https://example.com/{n}"), (webhook.etag,))
        for n in range(5)
    ]
    results = await asyncio.gather(*updates, return_exceptions=True)
    assert sorted(type(result).__name__ for result in results) == ["Stale"] * 4 + ["Webhook"]


async def test_a_project_has_a_limit_that_concurrent_creations_keep(
    hooks: Hooks, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(webhooks, "MOST_WEBHOOKS", 3)
    results = await asyncio.gather(*(hooks.create() for _ in range(8)), return_exceptions=True)
    refusals = [result for result in results if isinstance(result, LimitReached)]
    assert (len(refusals), len(results) - len(refusals)) == (5, 3)
    text = "the project has 3 webhooks, which is the limit: delete one that is no longer needed"
    assert {(each.reason, each.message) for each in refusals} == {(Reason.TOO_MANY_WEBHOOKS, text)}
    page = await hooks.repository.list(PROJECT, PAGE)
    assert len(page.items) == 3
    other = Webhook.create(NewWebhook(url="https://example.com"), id=uuid4(), project_id=uuid4())
    await hooks.repository.create(other, new_secret())
    await hooks.repository.delete(PROJECT, page.items[0].id)
    await hooks.create()


async def test_it_gets_what_happens_after_its_creation(hooks: Hooks) -> None:
    await hooks.happen("before")
    await hooks.due()
    await hooks.create()
    await hooks.happen("a", "b")
    await hooks.happen("elsewhere", project=uuid4())
    assert await hooks.names() == ["a", "b"]
    assert await hooks.deliver() == ["a", "b"]
    assert await hooks.names() == []
    await hooks.happen("c")
    assert await hooks.names() == ["c"]


async def test_it_gets_the_types_that_it_wants(hooks: Hooks) -> None:
    await hooks.create(types=("model.created", "version"))
    for type_ in ("model.created", "model.updated", "version.deleted", "environment.created"):
        await hooks.happen(type_, type=type_)
    assert await hooks.names() == ["model.created", "version.deleted"]


async def test_nothing_is_lost_however_much_has_happened(hooks: Hooks, monkeypatch: pytest.MonkeyPatch) -> None:
    few = webhook_queue._ADD.replace("LIMIT 500", "LIMIT 7").replace("= 500", "= 7").replace("1000 >", "10 >")
    monkeypatch.setattr(webhook_queue, "_ADD", few)
    await hooks.create()
    names = [str(number) for number in range(40)]
    await hooks.happen(*names)
    got: list[str] = []
    for _ in range(10):
        await hooks.due()
        got += await hooks.deliver()
    assert got == names


async def test_one_that_waits_holds_back_those_of_its_resource(hooks: Hooks) -> None:
    await hooks.create()
    await hooks.happen("a1", "a2", resource=1)
    await hooks.happen("b1", resource=2)
    first = (await hooks.due())[0]
    await hooks.queue.record(first, Outcome(500, "busy"), SOON)
    assert await hooks.names() == ["b1"]
    (_, _, delivery) = (await hooks.repository.deliveries(PROJECT, first.webhook_id, None, PAGE)).items
    assert (delivery.event.name, delivery.state, delivery.attempts) == ("a1", DeliveryState.PENDING, 1)
    assert (delivery.status, delivery.error) == (500, "busy")
    await hooks.database.execute("UPDATE webhook_delivery SET next_at = now()")
    assert await hooks.deliver() == ["a1", "a2", "b1"]


async def test_without_an_answer_the_webhook_pauses_until_one_comes(hooks: Hooks) -> None:
    webhook = await hooks.create()
    await hooks.happen("a", resource=1)
    await hooks.happen("b", resource=2)
    first, second = await hooks.due()
    await hooks.queue.record(first, Outcome(None, "cannot connect"), SOON)
    assert await hooks.names() == []
    await hooks.queue.record(second, Outcome(200), SOON)  # it was under way
    assert await hooks.names() == []  # the first one waits
    await hooks.database.execute("UPDATE webhook_delivery SET next_at = now()")
    assert await hooks.names() == ["a"]
    assert (await hooks.repository.get(PROJECT, webhook.id)).state is WebhookState.ACTIVE


async def test_a_receiver_that_fails_and_works_again_is_told_once_each(hooks: Hooks) -> None:
    webhook = await hooks.create()
    for number in range(4):
        await hooks.happen("a", resource=number)
    found = await hooks.due()
    with capture_logs() as lines:
        for due, outcome in zip(found, (_BUSY, Outcome(None, "cannot connect"), _RECEIVED, _RECEIVED), strict=True):
            await hooks.queue.record(due, outcome, SOON)
    common = {"webhook_id": webhook.id, "project_id": PROJECT, "host": "example.com"}
    assert lines == [
        {"event": "webhook.failing", "log_level": "warning", **common, "status": 500, "error": "busy"},
        {"event": "webhook.recovered", "log_level": "info", **common},
    ]


async def test_after_the_last_attempt_it_is_disabled_and_can_be_enabled_again(hooks: Hooks) -> None:
    webhook = await hooks.create()
    await hooks.happen("a", "b")
    first = (await hooks.due())[0]
    await hooks.queue.record(first, Outcome(500, "busy"), None)
    disabled = await hooks.repository.get(PROJECT, webhook.id)
    assert disabled.state is WebhookState.DISABLED
    assert disabled.disabled_reason == f"attempt 1 to deliver event {first.event.id} has failed: HTTP 500"
    await hooks.happen("c")
    assert await hooks.names() == []
    enabled = await hooks.repository.update(PROJECT, webhook.id, WebhookPatch(state=WebhookState.ACTIVE))
    assert (enabled.state, enabled.disabled_reason) == (WebhookState.ACTIVE, "")
    found = await hooks.due()
    assert [(due.event.name, due.attempts) for due in found] == [("a", 0), ("b", 0), ("c", 0)]


async def test_what_was_recorded_elsewhere_is_not_recorded_again(hooks: Hooks) -> None:
    """A former leader may still be sending."""
    webhook = await hooks.create()
    await hooks.happen("a")
    (due,) = await hooks.due()
    await hooks.queue.record(due, Outcome(200), SOON)
    await hooks.queue.record(due, Outcome(None, "late"), None)
    (delivery,) = (await hooks.repository.deliveries(PROJECT, webhook.id, None, PAGE)).items
    assert (delivery.state, delivery.attempts, delivery.status, delivery.next_at) == (
        DeliveryState.DELIVERED, 1, 200, None,
    )  # fmt: skip
    assert (await hooks.repository.get(PROJECT, webhook.id)).state is WebhookState.ACTIVE


async def test_filters_and_orders_webhooks(hooks: Hooks) -> None:
    first = await hooks.create(types=("model", "alias.set"))
    second = await hooks.create()
    await hooks.repository.update(PROJECT, second.id, WebhookPatch(state=WebhookState.DISABLED))
    for text, wanted in [
        ("types:model", [first]),
        ("types:alias", []),
        ("-types:*", [second]),
        ("types:*", [first]),
        ("state = ACTIVE", [first]),
        ("state = WEBHOOK_STATE_DISABLED", [second]),
        ("url = https://example.com created_at:*", [first, second]),
        (f"id = {second.id}", [second]),
        ("disabled_reason:*", []),
    ]:
        where = parse_filter(text, FILTER_FIELDS)
        page = await hooks.repository.list(PROJECT, PAGE, Sort("created_at", descending=False), where)
        assert [each.id for each in page.items] == [each.id for each in wanted], text
    page = await hooks.repository.list(PROJECT, PAGE, Sort("updated_at"))
    assert [each.id for each in page.items] == [second.id, first.id]


async def test_filters_and_orders_deliveries(hooks: Hooks) -> None:
    webhook = await hooks.create()
    await hooks.happen("a", type="model.created")
    await hooks.happen("b", resource=2)
    await hooks.deliver()
    await hooks.happen("c", resource=3)
    (due,) = await hooks.due()
    await hooks.queue.record(due, Outcome(500, "broken"), SOON)
    for text, names in [
        ("", "abc"),
        ("state = DELIVERED", "ab"),
        ("state != DELIVERED", "c"),
        ("status = 500", "c"),
        ("status < 300", "ab"),
        ("error = brok*", "c"),
        ("next_at:*", "c"),
        ("attempted_at:* attempts = 1", "abc"),
        (f"attempts < {2**63 - 1} status > {-(2**63)}", "abc"),
        ("event.type = model.created", "a"),
        (f"event.resource_id = {UUID(int=2)}", "b"),
        ("event.name > a event.occurred_at > 2026-01-01T00:00:00Z", "bc"),
        ("event.details:* OR event.changed_fields:*", ""),
    ]:
        where = parse_filter(text, DELIVERY_FILTER_FIELDS)
        for sort, expected in [
            (NEWEST_EVENT_FIRST, names[::-1]),
            (Sort("event.occurred_at", descending=False), names),
        ]:
            seen, after = "", None
            for _ in expected:
                part = Slice(limit=1, by_cursor=True, after=after)
                page = await hooks.repository.deliveries(PROJECT, webhook.id, None, part, sort, where)
                seen, after = seen + page.items[0].event.name, page.next
            assert (seen, after) == (expected, None), text
    where = parse_filter("event.name != c", DELIVERY_FILTER_FIELDS)
    page = await hooks.repository.deliveries(
        PROJECT, webhook.id, DeliveryState.PENDING, PAGE, NEWEST_EVENT_FIRST, where
    )
    assert page.items == ()


async def test_an_event_can_be_delivered_again_alone_or_with_all_later_ones(hooks: Hooks) -> None:
    webhook = await hooks.create()
    await hooks.happen("a", "b", "c")
    assert await hooks.deliver() == ["a", "b", "c"]
    page = await hooks.repository.deliveries(
        PROJECT, webhook.id, DeliveryState.DELIVERED, Slice(limit=2, by_cursor=True)
    )
    assert [each.event.name for each in page.items] == ["c", "b"]
    rest = Slice(limit=2, by_cursor=True, after=page.next)
    assert [each.event.name for each in (await hooks.repository.deliveries(PROJECT, webhook.id, None, rest)).items] == [
        "a"
    ]
    event = page.items[1].event
    await hooks.repository.redeliver(PROJECT, webhook.id, event.id, and_later=False)
    assert await hooks.deliver() == ["b"]
    await hooks.repository.redeliver(PROJECT, webhook.id, event.id, and_later=True)
    assert await hooks.deliver() == ["b", "c"]
    with refused(NotFound, Reason.EVENT_NOT_FOUND):
        await hooks.repository.redeliver(PROJECT, webhook.id, "1-1", and_later=False)
    with refused(InvalidRequest, Reason.INVALID_REQUEST):
        await hooks.repository.redeliver(PROJECT, webhook.id, "x", and_later=False)


async def test_an_event_of_another_project_cannot_be_delivered(hooks: Hooks) -> None:
    webhook, other = await hooks.create(), uuid4()
    await hooks.happen("secret", project=other)
    log = PostgresEventLog(hooks.database)
    (event,) = (await log.list(other, EventFilter(), PAGE, oldest_first=True)).items
    with refused(NotFound, Reason.EVENT_NOT_FOUND):
        await hooks.repository.redeliver(PROJECT, webhook.id, event.id, and_later=False)


async def test_a_busy_webhook_is_left_out_and_a_secret_of_a_lost_key_is_none(hooks: Hooks) -> None:
    one, two = await hooks.create(), await hooks.create()
    await hooks.happen("a")
    assert [due.webhook_id for due in await hooks.due(one.id)] == [two.id]
    assert [due.webhook_id for due in await hooks.queue.due_of(one.id)] == [one.id]
    lost = PostgresWebhookQueue(hooks.database, AesGcmCipher({"k2": bytes(32)}))
    assert {due.secret for due in await lost.due(())} == {None}


async def test_secrets_are_encrypted_again_with_the_current_key(hooks: Hooks) -> None:
    webhook = await hooks.create()
    secret = await hooks.repository.secret(PROJECT, webhook.id)
    both = AesGcmCipher({"k2": bytes(range(32)), "k1": bytes(32)})
    async with hooks.database.session() as connection:
        rounds = [[row.changed async for row in encrypt_webhook_secrets(connection, both)] for _ in range(2)]
        assert rounds == [[True], []]
    rotated = PostgresWebhookRepository(hooks.database, AesGcmCipher({"k2": bytes(range(32))}))
    assert await rotated.secret(PROJECT, webhook.id) == secret


async def test_old_events_are_forgotten_with_their_deliveries(hooks: Hooks) -> None:
    webhook = await hooks.create()
    await hooks.happen("a", "b")
    await hooks.deliver()
    await hooks.database.execute("UPDATE event SET occurred_at = now() - interval '100 days'")
    await PostgresEventLog(hooks.database).forget(timedelta(days=90))
    deliveries = (await hooks.repository.deliveries(PROJECT, webhook.id, None, PAGE)).items
    assert [each.event.name for each in deliveries] == ["b"]
