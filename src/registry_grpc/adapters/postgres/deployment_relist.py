"""Compares all deployments of a namespace with all its objects: finds those that differ, and objects without one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import structlog

from registry_grpc.adapters.postgres.database import Database
from registry_grpc.adapters.postgres.deployments import add_revision
from registry_grpc.domain.deployment import Cause, Want
from registry_grpc.domain.reason import NO_ACCESS
from registry_grpc.ports.cluster import EVERYWHERE, OwnedObject

_log = structlog.get_logger("deployments")

# A deployment becomes due if its object is missing, was changed, or is not as ready as the row says, or if its last
# pass did not reach the API server or the namespace, which now answers again. Of those that wait for their turn, only
# the first one does, because the others follow if it succeeds. Objects are matched by name and namespace too, because a
# copy of an object has the same labels.
_COMPARE = """
WITH differing AS MATERIALIZED (
    SELECT known.id FROM deployment known
    LEFT JOIN unnest($1::uuid[], $2::text[], $3::text[], $4::text[], $5::bigint[], $6::bool[])
        AS seen (id, namespace, name, uid, k8s_generation, is_ready)
        ON seen.id = known.id AND seen.namespace = known.namespace AND seen.name = known.name
    WHERE {within} AND (((known.attempts > 0 OR known.reason = ANY($7)) AND (known.tried_at IS NULL OR known.id = (
            SELECT first.id FROM deployment first
            WHERE first.namespace = known.namespace AND first.reason = known.reason AND first.tried_at IS NOT NULL
            ORDER BY first.tried_at LIMIT 1
        )))
        OR (known.want = 'PRESENT' AND known.applied IS NOT NULL
            AND (seen.uid IS DISTINCT FROM known.applied->>'uid'
                OR seen.k8s_generation IS DISTINCT FROM (known.applied->>'k8s_generation')::bigint
                OR seen.is_ready IS DISTINCT FROM (known.phase = 'DEPLOYED' OR {serves_as_before})))
        OR (known.want = 'ABSENT' AND (seen.id IS NOT NULL OR known.phase <> 'UNDEPLOYED')))
)
UPDATE deployment SET dirty_at = now(), next_at = least(coalesce(next_at, now()), now())
WHERE id = ANY(ARRAY(
    SELECT id FROM deployment WHERE id = ANY(ARRAY(SELECT id FROM differing)) ORDER BY id FOR UPDATE
))
"""
# The next revision was refused, or others have changed the object.
_SERVES_AS_BEFORE = """
    known.tried_at IS NOT NULL AND known.serving_generation IS NOT NULL
    AND (known.phase = 'DRIFTED' OR known.applied_generation < known.generation)
"""
_MARK_UNSEEN = """
UPDATE deployment SET dirty_at = now(), next_at = least(next_at, now())
WHERE id = ANY(ARRAY(
    SELECT id FROM deployment WHERE {within} AND next_at IS NOT NULL AND reason <> ALL($1)
    ORDER BY id FOR UPDATE
))
"""
# A revision is stored before it is applied, so an object is only ahead of all revisions of its deployment if the
# database was restored. It is ahead of the target only, if it was listed before a canary was aborted.
_AHEAD = """
SELECT d.id, d.project_id, seen.revision FROM deployment d
JOIN unnest($1::uuid[], $2::text[], $3::text[], $4::bigint[]) AS seen (id, namespace, name, revision)
    ON seen.id = d.id AND seen.namespace = d.namespace AND seen.name = d.name
WHERE seen.revision > d.generation
    AND seen.revision > (SELECT max(r.generation) FROM deployment_revision r WHERE r.deployment_id = d.id)
"""
# An object that is no longer wanted is removed regardless of its revision.
_SKIP_LOST = "UPDATE deployment SET generation = $2 WHERE id = $1 AND want = 'PRESENT' AND generation < $2"
# An orphan is forgotten when its object is gone, or when a restore has brought its deployment back. An applied object
# is none, even if somebody has changed its label.
_NOTE_ORPHANS = """
WITH stray AS MATERIALIZED (
    SELECT seen.* FROM unnest($1::text[], $2::text[], $3::text[], $4::uuid[]) AS seen (uid, namespace, name, id)
    WHERE NOT EXISTS (
        SELECT FROM deployment d WHERE d.namespace = seen.namespace AND d.name = seen.name
            AND (d.id = seen.id OR d.applied->>'uid' = seen.uid)
    )
), forgotten AS (
    DELETE FROM orphan o
    WHERE {within} AND NOT EXISTS (SELECT FROM stray WHERE stray.uid = o.uid)
)
INSERT INTO orphan (uid, namespace, name, deployment_id)
SELECT uid, namespace, name, coalesce(id::text, '') FROM stray
ON CONFLICT (uid) DO NOTHING
RETURNING uid, namespace, name, deployment_id
"""


async def mark_unseen(database: Database, namespace: str) -> int:
    """Implements DeploymentQueue.mark_unseen, except that nobody is woken."""
    within, place = _within(namespace, "namespace = $2")
    return await database.execute(_MARK_UNSEEN.format(within=within), NO_ACCESS, *place)


async def compare(database: Database, namespace: str, objects: Sequence[OwnedObject]) -> int:
    """Implements DeploymentQueue.compare, except that nobody is woken."""
    ids = [seen.deployment_id for seen in objects]
    places = [seen.namespace for seen in objects], [seen.name for seen in objects]
    uids = [seen.uid for seen in objects]
    generations = [seen.k8s_generation for seen in objects]
    readiness = [seen.is_ready for seen in objects]
    for ahead in await database.fetch(_AHEAD, ids, *places, [seen.revision for seen in objects]):
        await _go_past(database, ahead)
    within, place = _within(namespace, "known.namespace = $8")
    seen = ids, *places, uids, generations, readiness
    statement = _COMPARE.format(within=within, serves_as_before=_SERVES_AS_BEFORE)
    due = await database.execute(statement, *seen, NO_ACCESS, *place)
    within, place = _within(namespace, "o.namespace = $5")
    for orphan in await database.fetch(_NOTE_ORPHANS.format(within=within), uids, *places, ids, *place):
        _log.warning("orphan.found", **orphan)
    return due


def _within(namespace: str, condition: str) -> tuple[str, tuple[str, ...]]:
    """The condition for rows of the namespace, and its parameter. One statement for both cases has poor plans."""
    return ("true", ()) if namespace == EVERYWHERE else (condition, (namespace,))


async def _go_past(database: Database, ahead: Any) -> None:
    """Repeat the restored revision under the next number that the cluster has not seen. With a number that it has seen,
    passes would believe that the object is newer than the row."""
    async with database.transaction() as connection:
        if await connection.execute(_SKIP_LOST, ahead["id"], ahead["revision"]) == "UPDATE 1":
            await add_revision(connection, ahead["project_id"], ahead["id"], Want.PRESENT, None, Cause.RESTORE, "")
