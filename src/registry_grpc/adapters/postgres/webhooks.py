"""Stores webhooks in PostgreSQL, and reads the log of their deliveries, which `webhook_queue` writes."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID

from registry_grpc.adapters.postgres.columns import TOUCHED, etag_of, of_table, select_list, unchanged
from registry_grpc.adapters.postgres.database import Database
from registry_grpc.adapters.postgres.epoch import EPOCH
from registry_grpc.adapters.postgres.event_log import (
    EVENT_COLUMNS,
    EVENT_FILTER_COLUMNS,
    EVENT_ID,
    event_from,
    position_in,
)
from registry_grpc.adapters.postgres.filtering import add_filter, filter_columns
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
    Webhook,
    WebhookPatch,
    WebhookState,
)
from registry_grpc.ports.encryption import SecretCipher, SecretUnreadable

_FIELDS = ("id", "created_at", "updated_at", "project_id", "url", "types", "state", "disabled_reason")
ETAG = "changed_by"
_READ = of_table("w", _FIELDS) | {"etag": etag_of("w", ETAG)}
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
    {ETAG} = pg_current_xact_id(), disabled_reason = CASE WHEN $5 = 'ACTIVE' THEN '' ELSE disabled_reason END
WHERE id = $1 AND project_id = $2 AND {unchanged("w", 7, ETAG)}
RETURNING {_COLUMNS}
"""
_START_AGAIN = """
UPDATE webhook_delivery SET attempts = 0, next_at = now() WHERE webhook_id = $1 AND state = 'PENDING'
"""
_DELETE = f"DELETE FROM webhook w WHERE id = $1 AND project_id = $2 AND {unchanged('w', 3, ETAG)} RETURNING id"
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
