"""The queue of webhook deliveries in PostgreSQL.

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
from registry_grpc.adapters.postgres.database import Database
from registry_grpc.adapters.postgres.epoch import EPOCH
from registry_grpc.adapters.postgres.event_log import EVENT_COLUMNS, SEQUENCE, event_from
from registry_grpc.adapters.postgres.leadership import leadership
from registry_grpc.adapters.postgres.webhooks import ETAG, place_of_secret
from registry_grpc.domain.webhook import Outcome
from registry_grpc.ports.encryption import SecretCipher, SecretUnreadable
from registry_grpc.ports.webhooks import Due

_log = structlog.get_logger("webhooks")
COURIER_LOCK = 7_245_013_863
_READ_AT_ONCE = 500
_MOST_WAITING = 1000
_DUE_AT_ONCE = 100
_LONGEST_ERROR = 500
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
    {ETAG} = CASE WHEN NOT $4 AND $7::interval IS NULL THEN pg_current_xact_id() ELSE {ETAG} END,
    disabled_reason = CASE WHEN NOT $4 AND $7::interval IS NULL THEN $8 ELSE disabled_reason END
WHERE id = $1 AND EXISTS (SELECT FROM recorded)
    AND CASE WHEN $4 THEN next_at IS NOT NULL ELSE $5::int IS NULL OR $7::interval IS NULL END
"""


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
