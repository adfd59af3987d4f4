"""All deployments beside all objects of a relist: which differ, and which objects belong to none."""

from __future__ import annotations

from collections.abc import Sequence

from registry_grpc.adapters.postgres.database import Database
from registry_grpc.ports.cluster import OwnedObject

# An object that is missing, changed or not as ready as the row says makes its deployment due, and so does an API server
# that answers again those who could not reach it; all others cost nothing. A copy of an object has its labels, but
# another place.
_COMPARE = """
WITH differing AS MATERIALIZED (
    SELECT known.id FROM deployment known
    LEFT JOIN unnest($1::uuid[], $2::text[], $3::text[], $4::text[], $5::bigint[], $6::bool[])
        AS seen (id, namespace, name, uid, k8s_generation, is_ready)
        ON seen.id = known.id AND seen.namespace = known.namespace AND seen.name = known.name
    WHERE known.attempts > 0
        OR (known.want = 'PRESENT' AND known.applied IS NOT NULL
            AND (seen.uid IS DISTINCT FROM known.applied->>'uid'
                OR seen.k8s_generation IS DISTINCT FROM (known.applied->>'k8s_generation')::bigint
                OR seen.is_ready IS DISTINCT FROM (known.phase = 'DEPLOYED')))
        OR (known.want = 'ABSENT' AND (seen.id IS NOT NULL OR known.phase <> 'UNDEPLOYED'))
)
UPDATE deployment SET dirty_at = now(), next_at = least(coalesce(next_at, now()), now())
WHERE id = ANY(ARRAY(
    SELECT id FROM deployment WHERE id = ANY(ARRAY(SELECT id FROM differing)) ORDER BY id FOR UPDATE
))
"""
_NOTE_ORPHANS = """
INSERT INTO orphan (uid, namespace, name, deployment_id)
SELECT seen.uid, seen.namespace, seen.name, coalesce(seen.id::text, '')
FROM unnest($1::text[], $2::text[], $3::text[], $4::uuid[]) AS seen (uid, namespace, name, id)
WHERE NOT EXISTS (
    SELECT FROM deployment d WHERE d.id = seen.id AND d.namespace = seen.namespace AND d.name = seen.name
)
ON CONFLICT (uid) DO NOTHING
"""
# Not `uid <> ALL($1)`, which compares each orphan with every object.
_FORGET_ORPHANS = """
DELETE FROM orphan o WHERE NOT EXISTS (SELECT FROM unnest($1::text[]) AS seen (uid) WHERE seen.uid = o.uid)
"""


async def compare(database: Database, objects: Sequence[OwnedObject]) -> int:
    """As ports.deployments.DeploymentQueue.compare, but that nobody is woken."""
    ids = [seen.deployment_id for seen in objects]
    places = [seen.namespace for seen in objects], [seen.name for seen in objects]
    uids = [seen.uid for seen in objects]
    generations = [seen.k8s_generation for seen in objects]
    readiness = [seen.is_ready for seen in objects]
    due = await database.execute(_COMPARE, ids, *places, uids, generations, readiness)
    await database.execute(_NOTE_ORPHANS, uids, *places, ids)
    await database.execute(_FORGET_ORPHANS, uids)
    return due
