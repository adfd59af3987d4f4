"""Divides the work on deployments between controllers with PostgreSQL: SKIP LOCKED, row leases, NOTIFY and one advisory
lock."""

from __future__ import annotations

import itertools
import socket
from collections.abc import AsyncGenerator, AsyncIterator, Collection, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import structlog

from registry_grpc.adapters.postgres.channel import Channel
from registry_grpc.adapters.postgres.database import Database
from registry_grpc.adapters.postgres.deployment_record import record
from registry_grpc.adapters.postgres.deployment_relist import compare, mark_unseen
from registry_grpc.adapters.postgres.deployment_retention import forget
from registry_grpc.adapters.postgres.deployment_rows import (
    DEPLOYMENT_COLUMNS,
    DEPLOYMENT_JOINS,
    deployment_from,
    spec_from,
)
from registry_grpc.adapters.postgres.deployments import CHANNEL, EVENT_CHANNEL, POLL_SECONDS
from registry_grpc.adapters.postgres.epoch import EPOCH
from registry_grpc.adapters.postgres.leadership import leadership
from registry_grpc.domain.decision import PassResult
from registry_grpc.domain.deployment import DeploymentSpec
from registry_grpc.domain.errors import NotFound, Reason, RegistryError
from registry_grpc.ports.cluster import OwnedObject
from registry_grpc.ports.deployments import Claim, Retention

_log = structlog.get_logger("deployments")

LEASE_SECONDS = 8
"""Renewed while a pass runs, so it only ends if its process was killed or has lost the database."""
_POLL_EVENTS_SECONDS = 15.0
_RELEASED_SECONDS, _UNREADABLE_SECONDS = 1.0, 30.0
LEADER_LOCK = 7_245_013_861  # any number that no other user of the database takes

# There is no epoch during a restore, which makes foreign keys last: writes would break them.
# With ARRAY, the plan is made for few rows, however many are due. With joins, each claim after an outage would read
# whole tables. The rows are read by RETURNING: in the table, the statement still sees them as they were when it began,
# and not what was written before it locked them.
_CLAIM_OF = f"""
WITH claimed AS (
    UPDATE deployment SET lease_by = $1, lease_until = now() + make_interval(secs => {LEASE_SECONDS})
    WHERE id = ANY(ARRAY({{due}})) AND EXISTS ({EPOCH})
    RETURNING *
)
SELECT {DEPLOYMENT_COLUMNS}, now() AS now FROM claimed d {DEPLOYMENT_JOINS}
"""
# Projects take turns: those that are worked on have had theirs. Of one project, objects that were applied come before
# those to be applied, and what has changed comes before what is only looked at again, so that their states stay true
# while many wait. A claim ranks at most 1,000 rows.
_DUE = """
SELECT d.id FROM deployment d JOIN (
    SELECT id, row_number() OVER (
        PARTITION BY project_id ORDER BY lease_until > now() IS TRUE DESC, applied_generation < generation,
            dirty_at >= next_at IS TRUE DESC, next_at
    ) AS turn
    FROM (SELECT * FROM deployment WHERE next_at <= now() ORDER BY next_at LIMIT 1000) due
) queue USING (id)
WHERE d.next_at <= now() AND (d.lease_until IS NULL OR d.lease_until < now())
ORDER BY queue.turn, d.next_at LIMIT $2 FOR UPDATE OF d SKIP LOCKED
"""
_THIS_ONE = (
    "SELECT id FROM deployment WHERE id = $2 AND (lease_until IS NULL OR lease_until < now()) FOR UPDATE SKIP LOCKED"
)
_CLAIM = _CLAIM_OF.format(due=_DUE)
# Leases are given to those that have been due longest, so only these are read, however many wait after an outage.
_NEXT_DUE = """
SELECT least(
    (SELECT min(next_at) FROM deployment WHERE next_at > now()),
    (SELECT min(lease_until) FROM (
        SELECT lease_until FROM deployment WHERE next_at <= now() ORDER BY next_at LIMIT 100
    ) due WHERE lease_until >= now())
) - now() AS delay
"""
_CLAIM_ONE = _CLAIM_OF.format(due=_THIS_ONE)
_RELEASE = """
UPDATE deployment SET lease_by = NULL, lease_until = NULL, next_at = now() + make_interval(secs => $3)
WHERE id = $1 AND lease_by = $2
"""
_RENEW = f"""
UPDATE deployment SET lease_until = now() + make_interval(secs => {LEASE_SECONDS})
WHERE id = $1 AND lease_by = $2 AND lease_until > now()
"""
_RELEASE_ALL = """
UPDATE deployment SET lease_by = NULL, lease_until = NULL, next_at = now() + interval '1 second' WHERE lease_by = $1
"""
# Many rows are locked in the order of their ids, or two transactions could wait for each other.
_MARK_CHANGED = """
UPDATE deployment SET dirty_at = now(), next_at = least(coalesce(next_at, now()), now())
WHERE id = ANY(ARRAY(SELECT id FROM deployment WHERE id = ANY($1::uuid[]) ORDER BY id FOR UPDATE))
"""
_SPEC_OF = "SELECT spec FROM deployment_revision WHERE deployment_id = $1 AND generation = $2"
# Reads one entry of the index for each namespace, however many deployments they have.
_NAMESPACES = """
WITH RECURSIVE used AS (
    SELECT min(namespace) AS namespace FROM deployment WHERE next_at IS NOT NULL
    UNION ALL
    SELECT (SELECT min(namespace) FROM deployment WHERE next_at IS NOT NULL AND namespace > used.namespace)
    FROM used WHERE used.namespace IS NOT NULL
)
SELECT namespace FROM used WHERE namespace IS NOT NULL UNION SELECT namespace FROM orphan
"""
# Of the first 1,000 kinds, the one that was tried longest ago; of its deployments, the one that was tried longest ago.
# What has just begun may end soon, and is tried at once; what lasts for minutes, within a minute.
_GIVE_TURN = """
WITH RECURSIVE kind AS (
    (SELECT namespace, reason FROM deployment WHERE tried_at IS NOT NULL ORDER BY namespace, reason LIMIT 1)
    UNION ALL
    SELECT later.* FROM kind CROSS JOIN LATERAL (
        SELECT namespace, reason FROM deployment d
        WHERE tried_at IS NOT NULL AND (d.namespace, d.reason) > (kind.namespace, kind.reason)
        ORDER BY namespace, reason LIMIT 1
    ) later
)
UPDATE deployment SET next_at = now() WHERE next_at > now() AND id = (
    SELECT first.id FROM (SELECT * FROM kind LIMIT 1000) kind
    CROSS JOIN LATERAL (
        SELECT id, phase_since FROM deployment d
        WHERE tried_at IS NOT NULL AND (d.namespace, d.reason) = (kind.namespace, kind.reason)
        ORDER BY tried_at LIMIT 1
    ) first
    CROSS JOIN LATERAL (
        SELECT tried_at FROM deployment d
        WHERE tried_at IS NOT NULL AND (d.namespace, d.reason) = (kind.namespace, kind.reason)
        ORDER BY tried_at DESC LIMIT 1
    ) last
    WHERE last.tried_at < now() - least((last.tried_at - first.phase_since) / 3, interval '45 seconds')
    ORDER BY last.tried_at LIMIT 1
)
"""
# Exact for up to 1,000 deployments. Of more, those that are due next are looked at more often than once in an hour.
_LOOK_AGAIN = """
UPDATE deployment SET next_at = now() WHERE id = (
    SELECT id FROM (SELECT * FROM deployment WHERE next_at > now() ORDER BY next_at LIMIT 1000) waiting
    WHERE phase IN ('DEPLOYED', 'DEGRADED', 'DRIFTED') AND applied->'content'->'secrets'->0 IS NOT NULL
        AND observed_at < now() - interval '30 seconds'
    ORDER BY observed_at LIMIT 1
)
"""


class PostgresDeploymentQueue:
    """Implements ports.deployments.DeploymentQueue and DeploymentEvents for one process."""

    def __init__(self, database: Database) -> None:
        self._database = database.share("deployment_queue")
        self._process = f"{socket.gethostname()}/{uuid4()}"
        self._claims = itertools.count(1)
        self._due = Channel(database, CHANNEL, poll_seconds=POLL_SECONDS)
        self._news = Channel(database, EVENT_CHANNEL, poll_seconds=_POLL_EVENTS_SECONDS)

    async def claim(self, limit: int) -> list[Claim]:
        async with self._claiming() as holder:
            rows = await self._database.fetch(_CLAIM, holder, limit)
            return [claim for row in rows if (claim := await self._readable_claim(row, holder)) is not None]

    async def next_due(self) -> timedelta | None:
        row = await self._database.fetchrow(_NEXT_DUE)
        return row["delay"] if row else None

    async def claim_one(self, id: UUID) -> Claim | None:
        async with self._claiming() as holder:
            row = await self._database.fetchrow(_CLAIM_ONE, holder, id)
            return _claim_from(row, holder) if row else None

    async def record(self, claim: Claim, result: PassResult) -> bool:
        async with self._database.transaction() as connection:
            return await record(connection, claim, result)

    async def renew(self, claim: Claim) -> None:
        await self._database.execute(_RENEW, claim.deployment.id, claim.holder)

    async def release(self, claim: Claim) -> None:
        await self._database.execute(_RELEASE, claim.deployment.id, claim.holder, _RELEASED_SECONDS)

    async def mark_changed(self, ids: Collection[UUID]) -> None:
        if await self._database.execute(_MARK_CHANGED, list(ids)):
            await self._wake_controllers()

    async def compare(self, namespace: str, objects: Sequence[OwnedObject]) -> int:
        due = await compare(self._database, namespace, objects)
        if due:
            await self._wake_controllers()
        return due

    async def mark_unseen(self, namespace: str) -> None:
        if await mark_unseen(self._database, namespace):
            await self._wake_controllers()

    async def namespaces(self) -> frozenset[str]:
        return frozenset(row["namespace"] for row in await self._database.fetch(_NAMESPACES))

    async def spec_of(self, id: UUID, generation: int) -> DeploymentSpec:
        row = await self._database.fetchrow(_SPEC_OF, id, generation)
        if row is None:
            raise NotFound(Reason.REVISION_NOT_FOUND, id=str(id), revision=str(generation))
        return spec_from(row["spec"])

    async def look_again(self) -> None:
        if await self._database.execute(_GIVE_TURN) or await self._database.execute(_LOOK_AGAIN):
            await self._wake_controllers()

    async def forget(self, retention: Retention) -> None:
        await forget(self._database, retention)

    def wake_ups(self) -> AsyncGenerator[None, None]:
        return self._due.wake_ups()

    def listen(self, id: UUID) -> AsyncGenerator[None, None]:
        return self._news.wake_ups(str(id))

    def stop_listening(self) -> None:
        self._news.close()

    def leadership(self) -> AbstractAsyncContextManager[AsyncIterator[bool]]:
        return leadership(self._database, LEADER_LOCK, "controller")

    async def _wake_controllers(self) -> None:
        await self._database.fetch("SELECT pg_notify($1, '')", CHANNEL)

    @asynccontextmanager
    async def _claiming(self) -> AsyncIterator[str]:
        """A holder for one claim. Every claim has a new one, so that neither a restarted process nor a delayed pass
        mistakes a later lease for its own. If the claim is cancelled, leases that it has stored are given back."""
        holder = f"{self._process}/{next(self._claims)}"
        try:
            yield holder
        except BaseException:
            await self._database.execute(_RELEASE_ALL, holder)
            raise

    async def _readable_claim(self, row: Any, holder: str) -> Claim | None:
        """None for a row that only a newer release can read. Other controllers get it first."""
        try:
            return _claim_from(row, holder)
        except (KeyError, TypeError, ValueError, RegistryError) as error:
            _log.error("deployment.unreadable", id=row["id"], error=repr(error))
            await self._database.execute(_RELEASE, row["id"], holder, _UNREADABLE_SECONDS)
            return None


def _claim_from(row: Any, holder: str) -> Claim:
    return Claim(deployment=deployment_from(row), holder=holder, now=row["now"])


async def installation_id(database: Database) -> UUID:
    """The id by which this installation marks its objects in the cluster."""
    row = await database.fetchrow("SELECT id FROM registry_installation")
    assert row is not None  # noqa: S101 - the migration puts it there
    return UUID(str(row["id"]))
