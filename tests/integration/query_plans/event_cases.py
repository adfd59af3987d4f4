"""The statements of the event log, of webhooks, and of deleted versions."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

from tests.bench import data
from tests.integration.query_plans import event_data, serving_data
from tests.integration.query_plans.loaded import CURSOR, Case, Loaded, once

from registry_grpc.adapters.postgres.backlog import measure_backlog
from registry_grpc.adapters.postgres.event_log import _SCANNED_AT_ONCE as SCANNED
from registry_grpc.adapters.postgres.webhooks import encrypt_webhook_secrets
from registry_grpc.domain.actor import Origin
from registry_grpc.domain.audit import FILTER_FIELDS, Refused
from registry_grpc.domain.event import EventFilter
from registry_grpc.domain.filter.fields import Filter, parse_filter
from registry_grpc.domain.paging import Cursor, Slice
from registry_grpc.domain.webhook import NewWebhook, Outcome, Webhook, WebhookPatch, WebhookState, new_secret

PROJECT, BIG = data.PROJECT, data.model_id(0)
KEPT = timedelta(days=30)
LATELY = datetime.now(UTC) - timedelta(hours=1)
REFUSED = Refused(project_id=PROJECT, actor="eve", origin=Origin("none", "A/B", "r", "192.0.2.1"))
Walks = Mapping[str, int]
# Of rows that an index finds, as many are searched for the other conditions.
SEARCHED: Walks = dict.fromkeys(("Index Scan on event", "Limit", "Result", "CTE Scan"), SCANNED)
EACH_WEBHOOK: Walks = once("webhook", event_data.WEBHOOKS + event_data.OTHER_WEBHOOKS)


def events(slice: Slice = CURSOR, walks: Walks | None = None, *, oldest_first: bool = False, **filter: Any) -> Case:
    wanted = EventFilter(**filter)
    return Case(lambda loaded: loaded.events.list(PROJECT, wanted, slice, oldest_first=oldest_first), 500, walks or {})


def audited(filter: str) -> Filter | None:
    return parse_filter(filter, FILTER_FIELDS)


def after_event(position: int, walks: Walks | None = None, **filter: Any) -> Case:
    async def call(loaded: Loaded) -> None:
        start = Slice(limit=1, by_cursor=True, after=Cursor(position, UUID(int=0)))
        page = await loaded.events.list(PROJECT, EventFilter(), start, oldest_first=True)
        await loaded.events.after(PROJECT, EventFilter(**filter), page.items[0].resume_token, 100)

    return Case(call, 500, walks or {})


async def _forget_events(loaded: Loaded) -> None:
    """The oldest 1,000 only."""
    async with loaded.database.unexplained() as connection:
        age = await connection.fetchval("SELECT now() - occurred_at FROM event WHERE position = 1000")
    await loaded.events.forget(age)


async def _delete_version(loaded: Loaded) -> None:
    await loaded.deleted.delete(PROJECT, data.version_id(5, 2), "ann", force=True, retention=KEPT)


async def _webhook(loaded: Loaded) -> Webhook:
    new = Webhook.create(NewWebhook(url="https://example.com"), id=uuid4(), project_id=PROJECT)
    return await loaded.webhooks.create(new, new_secret())


async def _create_change_and_delete(loaded: Loaded) -> None:
    webhook = await _webhook(loaded)
    await loaded.webhooks.secret(PROJECT, webhook.id)
    await loaded.webhooks.update(PROJECT, webhook.id, WebhookPatch(state=WebhookState.DISABLED))
    await loaded.webhooks.delete(PROJECT, webhook.id)


async def _redeliver(loaded: Loaded) -> None:
    start = Slice(limit=1, by_cursor=True, after=Cursor(4711, UUID(int=0)))
    page = await loaded.events.list(PROJECT, EventFilter(), start, oldest_first=True)
    await loaded.webhooks.redeliver(PROJECT, UUID(int=2), page.items[0].id, and_later=True)


async def _record(loaded: Loaded) -> None:
    due = (await loaded.webhook_queue.due_of(event_data.FIRST))[0]
    await loaded.webhook_queue.record(due, Outcome(503), timedelta(seconds=5))


async def _encrypt(loaded: Loaded) -> None:
    async with loaded.database.transaction() as connection:
        assert [row async for row in encrypt_webhook_secrets(connection, event_data.NEWER)]


async def _lead(loaded: Loaded) -> None:
    async with loaded.webhook_queue.leadership() as leading:
        assert await anext(leading)


CASES: dict[str, Case] = {
    # Metrics tell how many there are of everything, every 15 seconds.
    "measure what waits": Case(
        lambda loaded: measure_backlog(loaded.database),
        walks={
            name: 2 * serving_data.ROWS
            for table in ("deployment", "orphan", "webhook", "webhook_delivery", "event")
            for name in (*once(table, 0), "Nested Loop", "Hash Join", "Merge Join", "Hash", "Sort", "Materialize")
        },
    ),
    "list events": events(),
    "list events, oldest first": events(oldest_first=True),
    "list events after a cursor": events(Slice(limit=100, by_cursor=True, after=Cursor(50_000, UUID(int=0)))),
    "list events of a resource": events(resource_id=data.version_id(0, 7)),
    "list events of a model": events(registered_model_id=data.model_id(7)),
    "list events of a model with many": events(registered_model_id=BIG),
    "list events of a frequent type": events(walks=SEARCHED, types=("version.created",)),
    "list events of a rare type": events(walks=SEARCHED, types=("alias",)),
    "list events of a time": events(walks=SEARCHED, occurred_from=LATELY),
    "list events of a rare type of a model": events(walks=SEARCHED, registered_model_id=BIG, types=("alias",)),
    "go on after an event": after_event(50_000),
    "go on after an event with a rare type": after_event(50_000, SEARCHED, types=("alias",)),
    "go on after an event of a resource": after_event(50_000, resource_id=data.version_id(0, 7)),
    "watch from now on": Case(lambda loaded: loaded.events.after(PROJECT, EventFilter(), None, 100)),
    "list audit entries": Case(lambda loaded: loaded.audit.list(PROJECT, None, CURSOR), 500),
    "list audit entries of all projects": Case(lambda loaded: loaded.audit.list(None, None, CURSOR), 500),
    "list audit entries of a resource": Case(
        lambda loaded: loaded.audit.list(PROJECT, audited(f'resource_id = "{data.version_id(0, 7)}"'), CURSOR), 500
    ),
    "list audit entries of a caller": Case(
        lambda loaded: loaded.audit.list(PROJECT, audited('actor = "ann"'), CURSOR),
        500,
        dict.fromkeys(("Index Scan on audit_entry", "Limit", "Result", "CTE Scan"), SCANNED),
    ),
    "go on after an audit entry": Case(lambda loaded: loaded.audit.after(PROJECT, None, 50_000, 100), 500),
    "find the end of the audit log": Case(lambda loaded: loaded.audit.end()),
    "note a refused call": Case(lambda loaded: loaded.audit.note(REFUSED)),
    "forget audit entries": Case(lambda loaded: loaded.audit.forget(timedelta(days=10_000)), 1_010),
    "forget old events": Case(_forget_events, 1_010),
    "forget deleted versions": Case(lambda loaded: loaded.deleted.forget(timedelta(days=28, hours=15)), 510),
    "delete a version": Case(_delete_version),
    "delete a version in use": Case(
        lambda loaded: loaded.deleted.delete(PROJECT, data.version_id(0, 8), "ann", force=True, retention=KEPT),
        is_refused=True,
    ),
    "restore a version": Case(
        lambda loaded: loaded.deleted.restore(PROJECT, event_data.OF_DELETED, retention=KEPT), 60
    ),
    "list deleted versions": Case(lambda loaded: loaded.deleted.list(PROJECT, BIG, CURSOR, retention=KEPT), 200),
    "list deleted versions after a cursor": Case(
        lambda loaded: loaded.deleted.list(
            PROJECT, BIG, Slice(limit=100, by_cursor=True, after=Cursor(LATELY - KEPT / 2, UUID(int=0))), retention=KEPT
        ),
        200,
    ),
    "create, change and delete a webhook": Case(_create_change_and_delete),
    "get a webhook": Case(lambda loaded: loaded.webhooks.get(PROJECT, event_data.FIRST)),
    "list webhooks": Case(lambda loaded: loaded.webhooks.list(PROJECT, CURSOR), 200),
    "list deliveries": Case(lambda loaded: loaded.webhooks.deliveries(PROJECT, event_data.FIRST, None, CURSOR), 200),
    "deliver again": Case(_redeliver),
    # These are for all webhooks.
    "add deliveries": Case(lambda loaded: loaded.webhook_queue.add_deliveries(), 1_000, EACH_WEBHOOK),
    "find what is due": Case(
        lambda loaded: loaded.webhook_queue.due([]),
        2_100,
        {"Index Scan on webhook_delivery": event_data.PENDING * event_data.WEBHOOKS},
    ),
    "find what is due to a webhook": Case(lambda loaded: loaded.webhook_queue.due_of(event_data.FIRST), 1_000),
    "record an attempt": Case(_record, 1_000),
    "encrypt secrets of webhooks": Case(_encrypt, 200, EACH_WEBHOOK),
    "lead the couriers": Case(_lead),
}
