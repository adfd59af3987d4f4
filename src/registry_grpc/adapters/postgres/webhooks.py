"""Webhooks and their deliveries in PostgreSQL.

A webhook has read the event log up to its `position`. What it wants of the events after that becomes rows of
webhook_delivery, which are the queue and afterwards the log of deliveries.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection, Sequence
from contextlib import AbstractAsyncContextManager
from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

import structlog

from registry_grpc.adapters.metrics import WEBHOOK_DELIVERIES
from registry_grpc.adapters.postgres.columns import TOUCHED, etag_of, of_table, select_list, unchanged
from registry_grpc.adapters.postgres.database import Database
from registry_grpc.adapters.postgres.epoch import EPOCH
from registry_grpc.adapters.postgres.event_log import (
    EVENT_COLUMNS,
    EVENT_FILTER_COLUMNS,
    EVENT_ID,
    SEQUENCE,
    event_from,
    position_in,
)
from registry_grpc.adapters.postgres.filtering import add_filter, filter_columns
from registry_grpc.adapters.postgres.leadership import leadership
from registry_grpc.adapters.postgres.listing import Conditions, Listing, keyset_page
from registry_grpc.adapters.postgres.patches import assignments
from registry_grpc.adapters.postgres.stored_keys import Rewritten
from registry_grpc.domain.errors import LimitReached, NotFound, Reason, Stale
from registry_grpc.domain.etag import Etags
from registry_grpc.domain.filter.fields import Filter
from registry_grpc.domain.paging import NEWEST_FIRST, Cursor, Page, Slice, Sort
from registry_grpc.domain.patch import changes
from registry_grpc.domain.webhook import (
    DELIVERY_FILTER_FIELDS,
    FILTER_FIELDS,
    MOST_WEBHOOKS,
    NEWEST_EVENT_FIRST,
    SORT_FIELDS,
    Delivery,
    DeliveryState,
    Outcome,
    Webhook,
    WebhookPatch,
    WebhookState,
)
from registry_grpc.ports.encryption import SecretCipher, SecretUnreadable
from registry_grpc.ports.webhooks import Due

_log = structlog.get_logger("webhooks")
COURIER_LOCK = 7_245_013_863
_READ_AT_ONCE = 500
_MOST_WAITING = 1000
_DUE_AT_ONCE = 100
_LONGEST_ERROR = 500

_FIELDS = ("id", "created_at", "updated_at", "project_id", "url", "types", "state", "disabled_reason")
_ETAG = "changed_by"
_READ = of_table("w", _FIELDS) | {"etag": etag_of("w", _ETAG)}
_COLUMNS = select_list(_READ)
# Until the end of the transaction, nobody else adds a webhook to the project.
_LOCK_PROJECT = "SELECT pg_advisory_xact_lock(724501, hashtext($1))"
# The log is never empty.
_INSERT = f"""
INSERT INTO webhook AS w (id, project_id, url, types, state, secret, position)
SELECT $1, $2, $3, $4, $5, $6, max(position) FROM event
HAVING (SELECT count(*) FROM webhook WHERE project_id = $2) < $7
RETURNING {_COLUMNS}
"""
_GET = f"SELECT {_COLUMNS} FROM webhook w WHERE id = $1 AND project_id = $2"
_SECRET = "SELECT secret FROM webhook WHERE id = $1 AND project_id = $2"  # noqa: S105 - no password
# Changes nothing if the secret has changed since it was read.
_REPLACE_SECRET = "UPDATE webhook SET secret = $3 WHERE id = $1 AND secret = $2 RETURNING id"  # noqa: S105 - no password
_UPDATE = f"""
UPDATE webhook w SET {assignments(("url", "types", "state", "secret"), first=3)}, {TOUCHED}, next_at = NULL,
    {_ETAG} = pg_current_xact_id(), disabled_reason = CASE WHEN $5 = 'ACTIVE' THEN '' ELSE disabled_reason END
WHERE id = $1 AND project_id = $2 AND {unchanged("w", 7, _ETAG)}
RETURNING {_COLUMNS}
"""
_START_AGAIN = """
UPDATE webhook_delivery SET attempts = 0, next_at = now() WHERE webhook_id = $1 AND state = 'PENDING'
"""
_DELETE = f"DELETE FROM webhook w WHERE id = $1 AND project_id = $2 AND {unchanged('w', 3, _ETAG)} RETURNING id"
_DELIVERY_FIELDS = ("state", "attempts", "next_at", "attempted_at", "status", "error")
_DELIVERY_COLUMNS = select_list(of_table("d", _DELIVERY_FIELDS))
_DELIVERIES = f"""
SELECT d.position, {_DELIVERY_COLUMNS}, {EVENT_COLUMNS}
FROM ({EPOCH}) here, webhook_delivery d JOIN event found ON found.position = d.position
"""
# Returns no row for an event that the log does not have.
_REDELIVER = f"""
INSERT INTO webhook_delivery (webhook_id, position, resource_id)
SELECT $1, position, resource_id FROM event found WHERE position = $2 AND project_id = $3 AND {EVENT_ID} = $4
ON CONFLICT (webhook_id, position) DO UPDATE SET state = 'PENDING', attempts = 0, next_at = now()
RETURNING position
"""
_REWIND = "UPDATE webhook SET position = least(position, $2 - 1) WHERE id = $1"
# One statement has one view of the log, so no event is between those that are read and the end.
_ADD = f"""
WITH behind AS MATERIALIZED (
    SELECT * FROM webhook w
    WHERE state = 'ACTIVE' AND position < (SELECT max(position) FROM event) AND {_MOST_WAITING} > (
        SELECT count(*) FROM webhook_delivery d WHERE d.webhook_id = w.id AND d.state = 'PENDING'
    )
    FOR NO KEY UPDATE SKIP LOCKED
), read AS MATERIALIZED (
    SELECT b.id AS webhook_id, b.types, e.position, e.resource_id, e.type FROM behind b CROSS JOIN LATERAL (
        SELECT * FROM event WHERE project_id = b.project_id AND position > b.position
        ORDER BY position LIMIT {_READ_AT_ONCE}
    ) e
), added AS (
    INSERT INTO webhook_delivery (webhook_id, position, resource_id)
    SELECT webhook_id, position, resource_id FROM read
    WHERE types = '{{}}' OR type = ANY(types) OR split_part(type, '.', 1) = ANY(types)
    ON CONFLICT (webhook_id, position) DO UPDATE SET state = 'PENDING', attempts = 0, next_at = now()
)
UPDATE webhook SET position = reached.position FROM (
    SELECT b.id, CASE WHEN count(r.position) = {_READ_AT_ONCE} THEN max(r.position)
        ELSE (SELECT max(position) FROM event) END AS position
    FROM behind b LEFT JOIN read r ON r.webhook_id = b.id GROUP BY b.id
) reached WHERE webhook.id = reached.id
"""
_DUE = f"""
SELECT w.id AS webhook_id, w.project_id, w.url, w.secret, d.position, d.attempts, {EVENT_COLUMNS}
FROM ({EPOCH}) here, webhook w CROSS JOIN LATERAL (
    SELECT * FROM webhook_delivery d
    WHERE d.webhook_id = w.id AND d.state = 'PENDING' AND d.next_at <= now() AND NOT EXISTS (
        SELECT FROM webhook_delivery earlier
        WHERE earlier.webhook_id = d.webhook_id AND earlier.resource_id = d.resource_id AND earlier.state = 'PENDING'
            AND earlier.position < d.position AND earlier.next_at > now()
    )
    ORDER BY d.position LIMIT {_DUE_AT_ONCE}
) d JOIN event found ON found.position = d.position
WHERE w.state = 'ACTIVE' AND coalesce(w.next_at, now()) <= now() AND {{}}
ORDER BY w.id, d.position
"""
_RECORD = f"""
WITH recorded AS (
    UPDATE webhook_delivery SET
        state = CASE WHEN $4 THEN 'DELIVERED' ELSE state END, attempts = attempts + 1, attempted_at = now(),
        next_at = now() + coalesce($7, interval '0'), status = $5, error = left($6, {_LONGEST_ERROR})
    WHERE webhook_id = $1 AND position = $2 AND state = 'PENDING' AND attempts = $3
    RETURNING true
)
UPDATE webhook SET next_at = CASE WHEN NOT $4 AND $5::int IS NULL THEN now() + $7 END,
    state = CASE WHEN NOT $4 AND $7::interval IS NULL THEN 'DISABLED' ELSE state END,
    {_ETAG} = CASE WHEN NOT $4 AND $7::interval IS NULL THEN pg_current_xact_id() ELSE {_ETAG} END,
    disabled_reason = CASE WHEN NOT $4 AND $7::interval IS NULL THEN $8 ELSE disabled_reason END
WHERE id = $1 AND EXISTS (SELECT FROM recorded)
    AND CASE WHEN $4 THEN next_at IS NOT NULL ELSE $5::int IS NULL OR $7::interval IS NULL END
"""

_LISTING = Listing(columns=_READ, source="webhook w", table="w", sort_columns=of_table("w", SORT_FIELDS))
_FILTER_COLUMNS = filter_columns(FILTER_FIELDS, types="to_jsonb({t}.types)")
_DELIVERY_FILTER_COLUMNS = (
    {name: f"d.{name}" for name in DELIVERY_FILTER_FIELDS}
    | {f"event.{name}": column.replace("{t}", "found") for name, column in EVENT_FILTER_COLUMNS.items()}
    | {"next_at": "CASE WHEN d.state = 'PENDING' THEN d.next_at END"}
)


class PostgresWebhookRepository:
    """Implements ports.webhooks.WebhookRepository."""

    def __init__(self, database: Database, cipher: SecretCipher) -> None:
        self._database = database.share("webhook")
        self._cipher = cipher

    async def create(self, webhook: Webhook, secret: str) -> Webhook:
        stored = self._cipher.encrypt(secret, place_of_secret(webhook.id))
        values = (webhook.id, webhook.project_id, webhook.url, list(webhook.types), webhook.state, stored)
        async with self._database.transaction() as connection:
            await connection.execute(_LOCK_PROJECT, str(webhook.project_id))
            row = await connection.fetchrow(_INSERT, *values, MOST_WEBHOOKS)
        if row is None:
            raise LimitReached(Reason.TOO_MANY_WEBHOOKS, MOST_WEBHOOKS, "webhooks")
        return _webhook_from(row)

    async def get(self, project_id: UUID, id: UUID) -> Webhook:
        return _found(await self._database.fetchrow(_GET, id, project_id), id)

    async def secret(self, project_id: UUID, id: UUID) -> str:
        if (row := await self._database.fetchrow(_SECRET, id, project_id)) is None:
            raise _not_found(id)
        return self._cipher.decrypt(row["secret"], place_of_secret(id))

    async def list(
        self, project_id: UUID, slice: Slice, sort: Sort = NEWEST_FIRST, where: Filter | None = None
    ) -> Page[Webhook]:
        conditions = Conditions.equal(project_id=project_id)
        add_filter(conditions, where, _FILTER_COLUMNS)
        return await _LISTING.page(self._database, conditions, sort, slice, total=None, item=_webhook_from)

    async def update(self, project_id: UUID, id: UUID, patch: WebhookPatch, etags: Etags = None) -> Webhook:
        changed = changes(patch)
        secret = self._cipher.encrypt(changed["secret"], place_of_secret(id)) if "secret" in changed else None
        types = list(changed["types"]) if "types" in changed else None
        values = (id, project_id, changed.get("url"), types, changed.get("state"), secret, etags)
        async with self._database.transaction() as connection:
            if row := await connection.fetchrow(_UPDATE, *values):
                await connection.execute(_START_AGAIN, id)
                return _webhook_from(row)
        await self.get(project_id, id)
        raise Stale.etag(id)

    async def delete(self, project_id: UUID, id: UUID, etags: Etags = None) -> None:
        if not await self._database.write(_DELETE, id, project_id, etags):
            await self.get(project_id, id)
            raise Stale.etag(id)

    async def deliveries(  # noqa: PLR0917 - as the port
        self,
        project_id: UUID,
        id: UUID,
        state: DeliveryState | None,
        slice: Slice,
        sort: Sort = NEWEST_EVENT_FIRST,
        where: Filter | None = None,
    ) -> Page[Delivery]:
        await self.get(project_id, id)
        conditions = Conditions()
        conditions.add("d.webhook_id = {}", id)
        if state:
            conditions.add("d.state = {}", state)
        add_filter(conditions, where, _DELIVERY_FILTER_COLUMNS)
        return await keyset_page(
            self._database, _DELIVERIES, conditions, sort, slice, "d.position",
            item=_delivery_from, cursor=lambda row: Cursor(row["position"], id),
        )  # fmt: skip

    async def redeliver(self, project_id: UUID, id: UUID, event_id: str, *, and_later: bool) -> None:
        await self.get(project_id, id)
        position = position_in(event_id, "event_id")
        async with self._database.transaction() as connection:
            if await connection.fetchval(_REDELIVER, id, position, project_id, event_id) is None:
                raise NotFound(Reason.EVENT_NOT_FOUND, event_id=event_id)
            if and_later:
                await connection.execute(_REWIND, id, position)


class PostgresWebhookQueue:
    """Implements ports.webhooks.WebhookQueue."""

    def __init__(self, database: Database, cipher: SecretCipher) -> None:
        self._database = database.share("webhook_queue")
        self._cipher = cipher
        self._failing: set[UUID] = set()
        """Webhooks whose last attempt has failed."""

    def leadership(self) -> AbstractAsyncContextManager[AsyncIterator[bool]]:
        return leadership(self._database, COURIER_LOCK, "courier")

    async def add_deliveries(self) -> None:
        if await self._database.fetchrow(SEQUENCE):  # nothing is added during a restore
            await self._database.execute(_ADD)

    async def due(self, busy: Collection[UUID]) -> Sequence[Due]:
        return [self._due_from(row) for row in await self._database.fetch(_DUE.format("w.id <> ALL($1)"), list(busy))]

    async def due_of(self, webhook_id: UUID) -> Sequence[Due]:
        return [self._due_from(row) for row in await self._database.fetch(_DUE.format("w.id = $1"), webhook_id)]

    async def record(self, due: Due, outcome: Outcome, retry_after: timedelta | None) -> None:
        said = f"HTTP {outcome.status}" if outcome.status else outcome.error
        why = f"attempt {due.attempts + 1} to deliver event {due.event.id} has failed: {said}"
        await self._database.execute(
            _RECORD, due.webhook_id, due.position, due.attempts, outcome.is_delivered, outcome.status, outcome.error,
            retry_after, why[:_LONGEST_ERROR],
        )  # fmt: skip
        failed = "disabled" if retry_after is None else "failed"
        WEBHOOK_DELIVERIES.labels("delivered" if outcome.is_delivered else failed).inc()
        self._tell(due, outcome)

    def _tell(self, due: Due, outcome: Outcome) -> None:
        """Log once that its receiver fails, and once that it no longer does. A path of a url may be a secret."""
        if outcome.is_delivered == (due.webhook_id not in self._failing):
            return
        said = {"webhook_id": due.webhook_id, "project_id": due.project_id, "host": urlsplit(due.url).hostname}
        if outcome.is_delivered:
            self._failing.discard(due.webhook_id)
            _log.info("webhook.recovered", **said)
        else:
            self._failing.add(due.webhook_id)
            _log.warning("webhook.failing", **said, status=outcome.status, error=outcome.error)

    def _due_from(self, row: Any) -> Due:
        webhook_id: UUID = row["webhook_id"]
        try:
            secret = self._cipher.decrypt(row["secret"], place_of_secret(webhook_id))
        except SecretUnreadable:
            secret = None
        return Due(
            webhook_id=webhook_id,
            project_id=row["project_id"],
            url=row["url"],
            secret=secret,
            position=row["position"],
            attempts=row["attempts"],
            event=event_from(row),
        )


async def encrypt_webhook_secrets(connection: Any, cipher: SecretCipher) -> AsyncIterator[Rewritten]:
    """Encrypt with the current key all secrets that are encrypted with another one. Yields each. May be repeated."""
    for row in await connection.fetch("SELECT id, secret FROM webhook"):
        if not cipher.is_current(row["secret"]):
            place = place_of_secret(row["id"])
            try:
                secret = cipher.encrypt(cipher.decrypt(row["secret"], place), place)
            except SecretUnreadable as error:
                yield Rewritten(changed=False, unreadable=(f"webhook {row['id']} secret: {error}",))
                continue
            done = await connection.fetchval(_REPLACE_SECRET, row["id"], row["secret"], secret)
            yield Rewritten(changed=done is not None)


def place_of_secret(webhook_id: UUID) -> str:
    """The place to which the ciphertext of a secret is bound."""
    return f"webhook/{webhook_id}/secret"


def _webhook_from(row: Any) -> Webhook:
    values = {name: row[name] for name in _READ}
    return Webhook(**values | {"types": tuple(row["types"]), "state": WebhookState(row["state"])})


def _delivery_from(row: Any) -> Delivery:
    values = {name: row[name] for name in _DELIVERY_FIELDS}
    state = DeliveryState(row["state"])
    next_at = row["next_at"] if state is DeliveryState.PENDING else None
    return Delivery(**values | {"event": event_from(row), "state": state, "next_at": next_at})


def _found(row: Any | None, id: UUID) -> Webhook:
    if row is None:
        raise _not_found(id)
    return _webhook_from(row)


def _not_found(id: UUID) -> NotFound:
    return NotFound.of(Reason.WEBHOOK_NOT_FOUND, id)
