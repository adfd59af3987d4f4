"""Records what a pass has done and found: in the deployment, its service, its revisions and its events."""

from __future__ import annotations

from typing import Any

from registry_grpc.adapters.postgres.columns import TOUCHED, actor_is
from registry_grpc.adapters.postgres.deployment_rows import applied_to_json, drift_to_json, split_to_json
from registry_grpc.adapters.postgres.deployments import (
    ABORT_REVISION,
    CHANNEL,
    END_SHARE,
    EVENT_CHANNEL,
    POLL_SECONDS,
    note_phase,
)
from registry_grpc.domain.actor import CONTROLLER
from registry_grpc.domain.canary import CanaryStep
from registry_grpc.domain.decision import PassResult
from registry_grpc.domain.deployment import Deployment, Phase, Want
from registry_grpc.domain.reason import DeploymentReason
from registry_grpc.ports.deployments import Claim

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


async def record(connection: Any, claim: Claim, result: PassResult) -> bool:
    """Implements DeploymentQueue.record inside a transaction."""
    id_ = claim.deployment.id
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
        _RECORD, id_, claim.holder, result.phase, result.reason, result.message, result.reason.next_step, result.url,
        drift_to_json(result.drift), applied, result.applied_generation, result.applied_at,
        result.serving_generation, result.attempts, claim.now, result.again_in, changed, result.has_seen,
        split_to_json(result.split), result.waits_for_turn,
    )  # fmt: skip
    await _let_service_follow(connection, claim, result)
    if changed:
        await _tell(connection, claim, row, result)
    await _let_others_go_on(connection, claim, row, result)
    if result.ended:
        await _end_canary(connection, claim.deployment, result.ended)
    is_due_soon = result.again_in is not None and result.again_in.total_seconds() < POLL_SECONDS
    if result.ended or is_due_soon or result.phase is Phase.UNDEPLOYED:
        await connection.execute("SELECT pg_notify($1, '')", CHANNEL)
    return True


async def _let_service_follow(connection: Any, claim: Claim, result: PassResult) -> None:
    """Write the state of the service after every pass, so that a patch by hand only lasts until then (decision 6)."""
    id_, view = claim.deployment.id, result.service
    await connection.execute(_FOLLOW, id_, view.current_state, view.external_id, view.url, view.last_error)
    await connection.execute(_SET_SERVED, id_, view.served_state, list(claim.deployment.spec.served_version_ids))


async def _tell(connection: Any, claim: Claim, row: Any, result: PassResult) -> None:
    """Write a change to the event log and the revisions, notify those who watch, and log another phase."""
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
    if (row["phase"], row["reason"]) != (result.phase, result.reason):
        note_phase(
            connection,
            id=id_,
            name=row["name"],
            namespace=row["namespace"],
            project_id=claim.deployment.project_id,
            revision=generation,
            phase=result.phase,
            reason=result.reason,
            message=result.message,
        )


async def _let_others_go_on(connection: Any, claim: Claim, row: Any, result: PassResult) -> None:
    """Make deployments due that waited for the name of this one, or for what no longer holds it up."""
    id_, namespace = claim.deployment.id, row["namespace"]
    if result.phase is Phase.UNDEPLOYED:
        await connection.execute(_NAME_IS_FREE, id_, namespace, row["name"], DeploymentReason.NAME_TAKEN)
    if row["tried_at"] is not None and _is_over(claim, result):
        await connection.execute(_NO_LONGER_FAILS, id_, namespace, row["reason"])


async def _end_canary(connection: Any, deployment: Deployment, step: CanaryStep) -> None:
    await connection.execute(_END_CANARY, deployment.id, step is CanaryStep.PROMOTE)
    if step is CanaryStep.ABORT:
        await connection.execute(END_SHARE, deployment.id, deployment.generation)
        await connection.execute(ABORT_REVISION, deployment.id, deployment.generation)


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
