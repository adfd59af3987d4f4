"""Deletes old history in small batches, which neither wait for others nor make others wait.

This needs no index of its own: it reads the events in their order until they are young, and then all deployments by id.
"""

from __future__ import annotations

import asyncio
from typing import Any
from uuid import UUID

from registry_grpc.adapters.postgres.database import Database
from registry_grpc.ports.deployments import Retention

_BATCH = 500
_PAUSE_SECONDS = 0.05
_FIRST = UUID(int=0)

_EVENTS = f"""
WITH read AS MATERIALIZED (
    SELECT sequence, deployment_id, occurred_at FROM deployment_event
    WHERE sequence > $1 ORDER BY sequence LIMIT {_BATCH}
), old AS MATERIALIZED (
    SELECT sequence, deployment_id FROM read WHERE occurred_at < now() - $2::interval
), gone AS (
    DELETE FROM deployment_event WHERE sequence = ANY(ARRAY(
        SELECT sequence FROM old WHERE (
            SELECT next.occurred_at FROM deployment_event next
            WHERE next.deployment_id = old.deployment_id AND next.sequence > old.sequence
            ORDER BY next.sequence LIMIT 1
        ) < now() - $2::interval
    ))
)
SELECT max(sequence) FROM old
"""
_DEPLOYMENTS = f"SELECT id FROM deployment WHERE id > $1 ORDER BY id LIMIT {_BATCH}"
# Afterwards, it is known which revision served since the end of the last deleted one. One that was only tried beside
# another does not count for that, and its number is higher than that of the deployment. Rows that others have locked
# are left for later.
_REVISIONS = f"""
WITH target AS MATERIALIZED (
    SELECT id, generation, applied_generation, stable_generation, spec, (
        SELECT max(generation) FROM deployment_revision
        WHERE deployment_id = deployment.id AND generation < deployment.generation AND served_from IS NOT NULL
            AND outcome <> 'ABORTED'
    ) AS last_served, (
        SELECT generation FROM deployment_revision WHERE deployment_id = deployment.id
        ORDER BY generation DESC OFFSET $3 - 1 LIMIT 1
    ) AS oldest_kept
    FROM deployment WHERE id = ANY($1::uuid[])
), old AS MATERIALIZED (
    SELECT r.deployment_id, r.generation, r.served_until
    FROM target JOIN deployment_revision r ON r.deployment_id = target.id AND r.generation < target.oldest_kept
    WHERE CASE WHEN r.served_from IS NULL THEN r.created_at ELSE r.served_until END < now() - $2::interval
        AND r.generation NOT IN (target.generation, target.applied_generation)
        AND r.generation IS DISTINCT FROM target.last_served
        AND r.generation IS DISTINCT FROM target.stable_generation
        AND NOT EXISTS (
            SELECT FROM serve_model s
            WHERE s.inference_service_id = target.id AND r.spec->'served_version_ids' ? s.model_version_id::text
                AND NOT target.spec->'served_version_ids' ? s.model_version_id::text
        )
    LIMIT {_BATCH}
), free AS MATERIALIZED (
    SELECT id FROM deployment WHERE id = ANY(ARRAY(SELECT deployment_id FROM old)) FOR NO KEY UPDATE SKIP LOCKED
), gone AS (
    DELETE FROM deployment_revision r USING old
    WHERE r.deployment_id = old.deployment_id AND r.generation = old.generation
        AND r.deployment_id = ANY(ARRAY(SELECT id FROM free))
    RETURNING r.deployment_id, CASE WHEN r.outcome <> 'ABORTED' THEN r.served_until END AS served_until
), ended AS (
    SELECT deployment_id, max(served_until) AS at FROM gone GROUP BY deployment_id HAVING max(served_until) IS NOT NULL
), periods AS (
    DELETE FROM deployment_serving p USING ended
    WHERE p.deployment_id = ended.deployment_id AND p.served_from <= ended.at AND p.served_until <= ended.at
), known AS (
    UPDATE deployment SET served_known_from = greatest(served_known_from, ended.at) FROM ended
    WHERE id = ended.deployment_id
)
SELECT count(*) FROM gone
"""
_TOMBSTONES = """
DELETE FROM deployment WHERE id = ANY(ARRAY(
    SELECT id FROM deployment d
    WHERE id = ANY($1::uuid[]) AND phase = 'UNDEPLOYED' AND next_at IS NULL
        AND observed_at < now() - $2::interval
        AND NOT EXISTS (SELECT FROM inference_service s WHERE s.id = d.id)
    FOR UPDATE SKIP LOCKED
))
"""


async def forget(database: Database, retention: Retention) -> None:
    """Implements DeploymentQueue.forget. Events are deleted first, so that few are left to delete with a deployment."""
    age, last = retention.age, 0
    while last is not None:
        last = await _value_of_batch(database, _EVENTS, last, age)
    ids = [_FIRST]
    while ids := [row["id"] for row in await database.fetch(_DEPLOYMENTS, ids[-1])]:
        forgotten = _BATCH
        while forgotten == _BATCH:
            forgotten = await _value_of_batch(database, _REVISIONS, ids, age, retention.revisions)
        await database.execute(_TOMBSTONES, ids, age)


async def _value_of_batch(database: Database, statement: str, *args: Any) -> Any:
    [(value,)] = await database.fetch(statement, *args)
    await asyncio.sleep(_PAUSE_SECONDS)
    return value
