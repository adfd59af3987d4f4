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
from registry_grpc.adapters.postgres.columns import TOUCHED, actor_is
from registry_grpc.adapters.postgres.database import Database
from registry_grpc.adapters.postgres.deployment_relist import compare, mark_unseen
from registry_grpc.adapters.postgres.deployment_retention import forget
from registry_grpc.adapters.postgres.deployment_rows import (
    DEPLOYMENT_COLUMNS,
    DEPLOYMENT_JOINS,
    applied_to_json,
    deployment_from,
    drift_to_json,
    spec_from,
    split_to_json,
)
from registry_grpc.adapters.postgres.deployments import ABORT_REVISION, CHANNEL, END_SHARE, EVENT_CHANNEL, note_phase
from registry_grpc.adapters.postgres.epoch import EPOCH
from registry_grpc.adapters.postgres.leadership import leadership
from registry_grpc.domain.actor import CONTROLLER
from registry_grpc.domain.canary import CanaryStep
from registry_grpc.domain.decision import PassResult
from registry_grpc.domain.deployment import Deployment, DeploymentSpec, Phase, Want
from registry_grpc.domain.errors import NotFound, Reason, RegistryError
from registry_grpc.domain.reason import DeploymentReason
from registry_grpc.ports.cluster import OwnedObject
from registry_grpc.ports.deployments import Claim, Retention

_log = structlog.get_logger("deployments")

LEASE_SECONDS = 8
"""Renewed while a pass runs, so it only ends if its process was killed or has lost the database."""
_POLL_SECONDS = 5.0
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
_LOCK_MINE = f"""
SELECT generation, want, namespace, name, phase, reason, message, serving_generation, url, applied, canary_step,
    canary_percent, tried_at, {actor_is(f"'{CONTROLLER}'")}
FROM deployment WHERE id = $1 AND lease_by = $2 AND lease_until > now() FOR UPDATE
"""
# A change that was marked since the claim makes the deployment due at once.
_RECORD = """
UPDATE deployment SET
    phase = $3, reason = $4, message = $5, next_step = $6, url = $7, drift = $8, applied = $9,
    applied_generation = $10, applied_at = $11, serving_generation = $12, attempts = $13,
    phase_since = CASE WHEN phase = $3 THEN phase_since ELSE now() END,
    next_at = CASE WHEN dirty_at > $14 THEN dirty_at ELSE now() + $15 END,
    split = $18, tried_at = CASE WHEN $19 THEN now() END, observed_at = CASE WHEN $17 THEN now() ELSE observed_at END,
    updated_at = CASE WHEN $16 THEN greatest(now(), created_at) ELSE updated_at END,
    lease_by = NULL, lease_until = NULL
WHERE id = $1 AND lease_by = $2
"""
# The end of a canary: the target stays, or the stable revision becomes the target again.
_END_CANARY = """
UPDATE deployment d SET
    generation = CASE WHEN $2 THEN generation ELSE stable_generation END,
    spec = CASE WHEN $2 THEN spec ELSE (
        SELECT r.spec FROM deployment_revision r WHERE r.deployment_id = d.id AND r.generation = d.stable_generation
    ) END,
    revised_at = now(), stable_generation = NULL, canary_step = NULL, canary_percent = NULL, split = NULL,
    next_at = now()
WHERE id = $1
"""
# If there is a newer revision, it keeps its own phase and is due at once. Only the applied object is stored.
_RECORD_OUTDATED = """
UPDATE deployment SET
    applied = $3, applied_generation = CASE WHEN want = 'ABSENT' THEN 0 ELSE $4 END, applied_at = $5,
    next_at = now(), lease_by = NULL, lease_until = NULL
WHERE id = $1 AND lease_by = $2
"""
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
_ADD_EVENT = """
INSERT INTO deployment_event (deployment_id, generation, serving_generation, phase, reason, message, next_step)
VALUES ($1, $2, $3, $4, $5, $6, $7)
"""
_FOLLOW = f"""
UPDATE inference_service SET
    current_state = $2, external_id = $3, url = left($4, 500), last_error = coalesce($5, last_error), {TOUCHED}
WHERE id = $1 AND (current_state, external_id, url, last_error)
    IS DISTINCT FROM ($2, $3, left($4, 500), coalesce($5, last_error))
"""
_SET_SERVED = f"""
UPDATE serve_model SET last_known_state = $2, {TOUCHED}
WHERE inference_service_id = $1 AND model_version_id = ANY($3::uuid[]) AND last_known_state <> $2
"""
# Deletes the links to versions that only earlier revisions served. Links that somebody made by hand stay.
_DROP_SUPERSEDED = """
DELETE FROM serve_model s
WHERE s.inference_service_id = $1 AND s.model_version_id <> ALL($2::uuid[])
    AND EXISTS (
        SELECT FROM deployment_revision r
        WHERE r.deployment_id = $1 AND r.spec->'served_version_ids' ? s.model_version_id::text
    )
"""
# After a failover, now() may be before the last period. The next one begins later nevertheless.
_BEGIN_SERVING = """
WITH last AS (
    SELECT served_from, served_until FROM deployment_serving WHERE deployment_id = $1
    ORDER BY served_from DESC LIMIT 1
), begun AS (
    INSERT INTO deployment_serving (deployment_id, generation, served_from)
    SELECT $1, $2, greatest(now(), max(served_until), max(served_from) + interval '1 microsecond') FROM last
    HAVING count(*) = count(served_until)
    RETURNING served_from
)
UPDATE deployment_revision SET outcome = 'SERVED', reason = '', served_until = NULL,
    served_from = coalesce(served_from, (SELECT served_from FROM begun))
WHERE deployment_id = $1 AND generation = $2
"""
_END_SERVING = """
WITH ended AS (
    UPDATE deployment_serving SET served_until = greatest(now(), served_from)
    WHERE deployment_id = $1 AND served_until IS NULL AND generation IS DISTINCT FROM $2
        AND served_from = (SELECT max(served_from) FROM deployment_serving WHERE deployment_id = $1)
    RETURNING generation, served_until
)
UPDATE deployment_revision SET served_until = (SELECT served_until FROM ended)
WHERE deployment_id = $1 AND generation = (SELECT generation FROM ended)
"""
# A canary has no period in which it served alone.
_BEGIN_SHARE = """
UPDATE deployment_revision SET outcome = 'SERVED', reason = '', served_from = coalesce(served_from, now()),
    served_until = NULL
WHERE deployment_id = $1 AND generation = $2
"""
_FAIL_REVISION = """
UPDATE deployment_revision SET outcome = 'FAILED', reason = $3
WHERE deployment_id = $1 AND generation = $2 AND served_from IS NULL
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
# Deployments that were refused because of this name are due at once, instead of minutes later.
_NAME_IS_FREE = """
UPDATE deployment SET next_at = now()
WHERE namespace = $2 AND name = $3 AND id <> $1 AND want = 'PRESENT' AND reason = $4
"""
# What has stopped to hold one deployment up may have stopped to hold up others.
_NO_LONGER_FAILS = """
UPDATE deployment SET next_at = now() WHERE id = ANY(ARRAY(
    SELECT id FROM deployment
    WHERE namespace = $2 AND id <> $1 AND tried_at IS NOT NULL AND reason = $3 AND next_at > now()
    ORDER BY id FOR UPDATE SKIP LOCKED
))
"""


class PostgresDeploymentQueue:
    """Implements ports.deployments.DeploymentQueue and DeploymentEvents for one process."""

    def __init__(self, database: Database) -> None:
        self._database = database.share("deployment_queue")
        self._process = f"{socket.gethostname()}/{uuid4()}"
        self._claims = itertools.count(1)
        self._due = Channel(database, CHANNEL, poll_seconds=_POLL_SECONDS)
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
        id_ = claim.deployment.id
        async with self._database.transaction() as connection:
            row = await connection.fetchrow(_LOCK_MINE, id_, claim.holder)
            if row is None:
                return False
            applied = applied_to_json(result.applied)
            if _is_outdated(row, claim.deployment):
                await connection.execute(
                    _RECORD_OUTDATED, id_, claim.holder, applied, result.applied_generation, result.applied_at
                )
                return True
            changed = _has_changed(row, result)
            await connection.execute(
                _RECORD, id_, claim.holder, result.phase, result.reason, result.message, result.reason.next_step,
                result.url,
                drift_to_json(result.drift), applied, result.applied_generation, result.applied_at,
                result.serving_generation, result.attempts, claim.now, result.again_in, changed, result.has_seen,
                split_to_json(result.split), result.waits_for_turn,
            )  # fmt: skip
            await _let_service_follow(connection, claim, result)
            if changed:
                await _tell(connection, claim, result)
            if (row["phase"], row["reason"]) != (result.phase, result.reason):
                note_phase(
                    connection,
                    id=id_,
                    name=row["name"],
                    namespace=row["namespace"],
                    project_id=claim.deployment.project_id,
                    revision=claim.deployment.generation,
                    phase=result.phase,
                    reason=result.reason,
                    message=result.message,
                )
            if result.phase is Phase.UNDEPLOYED:
                await connection.execute(_NAME_IS_FREE, id_, row["namespace"], row["name"], DeploymentReason.NAME_TAKEN)
                await connection.execute("SELECT pg_notify($1, '')", CHANNEL)
            if row["tried_at"] is not None and _is_over(claim, result):
                await connection.execute(_NO_LONGER_FAILS, id_, row["namespace"], row["reason"])
            if result.ended:
                await connection.execute(_END_CANARY, id_, result.ended is CanaryStep.PROMOTE)
                if result.ended is CanaryStep.ABORT:
                    await connection.execute(END_SHARE, id_, claim.deployment.generation)
                    await connection.execute(ABORT_REVISION, id_, claim.deployment.generation)
            if result.ended or (result.again_in is not None and result.again_in.total_seconds() < _POLL_SECONDS):
                await connection.execute("SELECT pg_notify($1, '')", CHANNEL)
            return True

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


async def _let_service_follow(connection: Any, claim: Claim, result: PassResult) -> None:
    """Write the state of the service after every pass, so that a patch by hand only lasts until then (decision 6)."""
    id_, view = claim.deployment.id, result.service
    await connection.execute(_FOLLOW, id_, view.current_state, view.external_id, view.url, view.last_error)
    await connection.execute(_SET_SERVED, id_, view.served_state, list(claim.deployment.spec.served_version_ids))


async def _tell(connection: Any, claim: Claim, result: PassResult) -> None:
    """Write a change to the event log and the revisions, and notify those who watch."""
    id_, spec = claim.deployment.id, claim.deployment.spec
    generation, serving = claim.deployment.generation, result.serving_generation
    await connection.execute(
        _ADD_EVENT, id_, generation, serving, result.phase, result.reason, result.message, result.reason.next_step
    )
    await connection.execute(_END_SERVING, id_, serving)
    if serving is not None:
        await connection.execute(_BEGIN_SERVING, id_, serving)
    if claim.deployment.canary:
        await connection.execute(_BEGIN_SHARE if result.is_shared else END_SHARE, id_, generation)
    if serving == generation and result.phase in {Phase.DEPLOYED, Phase.DRIFTED}:
        await connection.execute(_DROP_SUPERSEDED, id_, list(spec.served_version_ids))
    elif result.phase is Phase.FAILED and result.reason is not DeploymentReason.NAMESPACE_NOT_VISIBLE:
        await connection.execute(_FAIL_REVISION, id_, generation, result.reason)
    await connection.execute("SELECT pg_notify($1, $2)", EVENT_CHANNEL, str(id_))


def _is_outdated(row: Any, deployment: Deployment) -> bool:
    """Whether the intent has changed since the claim. Deleting the service changes `want` without a new revision, and a
    canary moves on without one."""
    canary = deployment.canary
    of_canary = (canary.step, canary.percent) if canary else (None, None)
    found = (row["generation"], row["want"], row["canary_step"], row["canary_percent"])
    return found != (deployment.generation, deployment.want, *of_canary)


def _is_over(claim: Claim, result: PassResult) -> bool:
    """Whether a deployment that waited for its turn is not held up any more."""
    deployment = claim.deployment
    is_applied = deployment.want is Want.ABSENT or result.applied_generation == deployment.generation
    return result.has_seen and is_applied and not result.waits_for_turn


def _has_changed(row: Any, result: PassResult) -> bool:
    """Whether the result needs an event: the phase, its reason, the serving revision, the url or the applied object
    changed."""
    before = (row["phase"], row["reason"], row["message"], row["serving_generation"], row["url"])
    after = (result.phase, result.reason, result.message, result.serving_generation, result.url)
    uid = result.applied.uid if result.applied else None
    return before != after or (row["applied"] or {}).get("uid") != uid


async def installation_id(database: Database) -> UUID:
    """The id by which this installation marks its objects in the cluster."""
    row = await database.fetchrow("SELECT id FROM registry_installation")
    assert row is not None  # noqa: S101 - the migration puts it there
    return UUID(str(row["id"]))
