"""Stores deployments, their revisions and their events in PostgreSQL."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from registry_grpc.adapters.postgres.columns import TOUCHED, of_table, select_list
from registry_grpc.adapters.postgres.database import Database
from registry_grpc.adapters.postgres.deployment_requests import lock, remember, requested
from registry_grpc.adapters.postgres.deployment_rows import (
    DEPLOYMENT_COLUMNS,
    DEPLOYMENT_JOINS,
    DEPLOYMENT_READ,
    EVENT_FIELDS,
    REVISION_FIELDS,
    deployment_from,
    event_from,
    revision_from,
    spec_from,
    spec_to_json,
)
from registry_grpc.adapters.postgres.epoch import EPOCH
from registry_grpc.adapters.postgres.errors import unavailable
from registry_grpc.adapters.postgres.inference_services import insert_service, update_service
from registry_grpc.adapters.postgres.listing import Conditions, Listing, bytes_of, checked, fitting, total_of
from registry_grpc.domain.canary import CanaryStep
from registry_grpc.domain.deploy_request import RequestKey
from registry_grpc.domain.deployment import (
    Cause,
    Deployment,
    DeploymentEvent,
    DeploymentRevision,
    DeploymentSpec,
    Orphan,
    Want,
    check_version_kept,
)
from registry_grpc.domain.errors import (
    ConcurrentChange,
    EventLogChanged,
    HistoryForgotten,
    InvalidRequest,
    NotFound,
    Reason,
    Violation,
)
from registry_grpc.domain.inference_service import InferenceService, InferenceServicePatch
from registry_grpc.domain.paging import Cursor, Page, Slice, Sort
from registry_grpc.domain.patch import UNSET
from registry_grpc.domain.serve_model import ServeModel
from registry_grpc.ports.deployments import DeploymentFilter, NewIntent

CHANNEL = "deployment"
EVENT_CHANNEL = "deployment_event"
_LONGEST_SEQUENCE = 18

_GET = f"SELECT {DEPLOYMENT_COLUMNS} FROM deployment d {DEPLOYMENT_JOINS} WHERE d.id = $1 AND d.project_id = $2"
# The request that stores an intent makes the first pass itself. If it does not, a controller does after 2 seconds.
_INSERT = """
INSERT INTO deployment (
    id, project_id, serving_environment_id, registered_model_id, namespace, name, want, spec, next_at
)
VALUES ($1, $2, $3, $4, $5, $6, 'PRESENT', $7, now() + interval '2 seconds')
"""
_INSERT_REVISION = """
INSERT INTO deployment_revision (deployment_id, generation, created_by, cause, spec)
SELECT id, generation, $2, $3, spec FROM deployment WHERE id = $1
"""
# Only the revision before this one can be pending, because it has superseded those before it.
_SUPERSEDE = """
UPDATE deployment_revision SET outcome = 'SUPERSEDED'
WHERE deployment_id = $1 AND outcome = 'PENDING' AND generation = (
    SELECT max(generation) FROM deployment_revision
    WHERE deployment_id = $1 AND generation < (SELECT generation FROM deployment WHERE id = $1)
)
"""
_INSERT_EVENT = """
INSERT INTO deployment_event (deployment_id, generation, serving_generation, phase, reason, message, next_step)
SELECT id, generation, serving_generation, phase, reason, message, next_step FROM deployment WHERE id = $1
"""
# Every transaction that writes a deployment and its service locks the deployment first.
_LOCK_WANTED = """
SELECT want, (coalesce((
    SELECT r.spec FROM deployment_revision r
    WHERE r.deployment_id = d.id AND r.generation = d.stable_generation AND d.canary_step <> 'PROMOTE'
), spec)->>'model_version_id')::uuid AS model_version_id
FROM deployment d WHERE id = $1 AND project_id = $2 FOR UPDATE
"""
# A new revision begins without the reason and message of the one before. An undeployment also clears the url and the
# applied generation; a redeployment then knows that the object was not deleted by somebody else. A revision without a
# share ends the canary, and repeats the stable one if it has no spec of its own; one with a share does not replace a
# canary that is being promoted or aborted. No number is given twice, also after a canary was aborted. Returns the
# number of the revision that is no longer tried, or 0.
_REVISE = f"""
UPDATE deployment SET
    generation = greatest(
        generation, (SELECT max(generation) FROM deployment_revision WHERE deployment_id = $1)
    ) + 1,
    revised_at = now(), want = $3, attempts = 0,
    spec = coalesce($4, (
        SELECT r.spec FROM deployment_revision r
        WHERE r.deployment_id = $1 AND r.generation = deployment.stable_generation
    ), spec),
    stable_generation = CASE WHEN $6::int IS NOT NULL THEN coalesce(stable_generation, generation) END,
    canary_step = CASE WHEN $6::int IS NOT NULL THEN 'TRY' END, canary_percent = $6, split = NULL,
    applied_generation = CASE WHEN $3 = 'ABSENT' THEN 0 ELSE applied_generation END,
    phase = CASE
        WHEN $3 = 'ABSENT' THEN 'DELETING'
        WHEN want = 'ABSENT' OR serving_generation IS NULL THEN 'PENDING'
        ELSE 'UPDATING'
    END,
    phase_since = now(),
    reason = '', message = '', next_step = '', url = CASE WHEN $3 = 'ABSENT' THEN '' ELSE url END,
    next_at = now() + interval '2 seconds', dirty_at = now(), {TOUCHED}
WHERE id = $1 AND project_id = $2 AND generation = coalesce($5, generation)
    AND ($6::int IS NULL OR coalesce(canary_step, 'TRY') = 'TRY')
RETURNING coalesce((SELECT generation FROM deployment before WHERE id = $1 AND stable_generation IS NOT NULL), 0)
"""
# Does nothing if the canary got no requests.
END_SHARE = """
UPDATE deployment_revision SET served_until = greatest(now(), served_from)
WHERE deployment_id = $1 AND generation = $2 AND served_from IS NOT NULL AND served_until IS NULL
"""
ABORT_REVISION = "UPDATE deployment_revision SET outcome = 'ABORTED' WHERE deployment_id = $1 AND generation = $2"
# `message` says who asked for it. Requests at the same time read the same step, and an abort must win.
_MOVE_CANARY = f"""
UPDATE deployment SET
    canary_step = $4, canary_percent = coalesce($5, canary_percent), attempts = 0, phase = 'UPDATING',
    phase_since = now(), reason = '', message = $6, next_step = '', next_at = now() + interval '2 seconds',
    dirty_at = now(), {TOUCHED}
WHERE id = $1 AND project_id = $2 AND generation = $3
    AND (canary_step = 'TRY' OR canary_step IS NOT NULL AND $4 = 'ABORT')
RETURNING (CASE WHEN $4 = 'PROMOTE' THEN spec ELSE (
    SELECT r.spec FROM deployment_revision r
    WHERE r.deployment_id = $1 AND r.generation = deployment.stable_generation
) END->>'model_version_id')::uuid
"""
_FOLLOW_REVISION = f"""
UPDATE inference_service SET
    desired_state = CASE WHEN $2 = 'ABSENT' THEN 'UNDEPLOYED' ELSE 'DEPLOYED' END,
    model_version_id = coalesce($3, model_version_id), {TOUCHED}
WHERE id = $1
"""
_ADD_SERVED = """
INSERT INTO serve_model (id, project_id, inference_service_id, model_version_id)
SELECT gen_random_uuid(), $2, $1, version FROM unnest($3::uuid[]) AS version
ON CONFLICT (inference_service_id, model_version_id) DO NOTHING
"""
_UNDEPLOY_SERVICE = f"""
UPDATE inference_service SET
    desired_state = 'UNDEPLOYED', current_state = 'UNDEPLOYED', url = '', external_id = '', {TOUCHED}
WHERE id = $1 AND project_id = $2
RETURNING id
"""
_RESET_SERVED = f"""
UPDATE serve_model SET last_known_state = 'PENDING', {TOUCHED}
WHERE inference_service_id = $1 AND last_known_state <> 'PENDING'
"""
_REVISION_READ = of_table("r", REVISION_FIELDS)
_REVISION_COLUMNS = select_list(_REVISION_READ)
_OF_PROJECT = "deployment_revision r JOIN deployment d ON d.id = r.deployment_id"
_REVISION = f"""
SELECT {_REVISION_COLUMNS} FROM {_OF_PROJECT} WHERE d.id = $1 AND d.project_id = $2 AND r.generation = $3
"""
_LAST_SERVED = f"""
SELECT {_REVISION_COLUMNS} FROM {_OF_PROJECT}
WHERE d.id = $1 AND d.project_id = $2 AND r.generation < d.generation AND r.served_from IS NOT NULL
    AND r.outcome <> 'ABORTED'
ORDER BY r.generation DESC LIMIT 1
"""
# All revisions with this version belong to one project. There is an index for the first version of a revision, and a
# small one for the others. Without the order of each, all revisions would be read.
_NEWEST = "ORDER BY created_at DESC, generation DESC, deployment_id DESC LIMIT 1"
_GIVE_NEW_KEYS = """
UPDATE deployment SET dirty_at = now(), next_at = least(coalesce(next_at, now()), now())
WHERE id = ANY(ARRAY(
    SELECT d.id FROM deployment_revision r JOIN deployment d ON d.id = r.deployment_id AND d.generation = r.generation
    WHERE r.spec->>'model_version_id' = $1 AND d.project_id = $2 AND d.want = 'PRESENT' ORDER BY d.id FOR UPDATE OF d
))
"""
_LAST_COPY = f"""
SELECT r.spec FROM (
    (SELECT * FROM deployment_revision WHERE spec->>'model_version_id' = $1 {_NEWEST})
    UNION ALL
    (SELECT * FROM deployment_revision
     WHERE jsonb_array_length(spec->'served_version_ids') > 1 AND spec->'served_version_ids' ? $1 {_NEWEST})
    {_NEWEST}
) r JOIN deployment d ON d.id = r.deployment_id AND d.project_id = $2
"""
# Without a time, the period that did not end, because its beginning may be later than now() after a failover.
_SERVED_AT = f"""
SELECT {select_list(_REVISION_READ | of_table("period", ("served_from", "served_until")))}
FROM deployment d JOIN LATERAL (
    SELECT * FROM deployment_serving
    WHERE deployment_id = d.id AND served_from <= coalesce($3, 'infinity'::timestamptz)
    ORDER BY served_from DESC LIMIT 1
) period ON period.served_until IS NULL OR period.served_until > coalesce($3, 'infinity')
JOIN deployment_revision r ON r.deployment_id = period.deployment_id AND r.generation = period.generation
WHERE d.id = $1 AND d.project_id = $2 AND coalesce($3, 'infinity') >= coalesce(d.served_known_from, '-infinity')
"""
_KNOWN_FROM = "SELECT served_known_from FROM deployment WHERE id = $1 AND project_id = $2"
_REVISIONS = f"""
SELECT {_REVISION_COLUMNS},
    r.generation AS sorted_by, r.deployment_id AS id, {total_of(bytes_of("r", json=["spec"]))} AS bytes
FROM deployment_revision r
WHERE r.deployment_id = $1 AND r.generation < $2 ORDER BY r.generation DESC LIMIT $3
"""
# A token includes the time, because numbers can be given again within an epoch, if a disk is set back.
_TOKEN = "concat_ws('-', here.epoch, (extract(epoch FROM occurred_at) * 1000000)::bigint, sequence)"  # noqa: S105 - no password
# Returns at least one row. One statement reads everything, or it could mix events of two histories.
_EVENTS_OF = f"""
SELECT {", ".join(f"event.{name}" for name in EVENT_FIELDS)}, d.id IS NOT NULL AS is_there,
    $3::text IS NULL AND ($4::bigint <= 0 OR d.id IS NULL) OR EXISTS (
        SELECT FROM deployment_event WHERE deployment_id = d.id AND sequence = $4 AND coalesce($3, {_TOKEN}) = {_TOKEN}
    ) AS goes_on
FROM ({EPOCH}) here
LEFT JOIN deployment d ON d.id = $1 AND d.project_id = $2
LEFT JOIN LATERAL (
    SELECT *, {_TOKEN} AS resume_token FROM deployment_event WHERE deployment_id = d.id {{}}
) event ON true
"""
_EVENTS = _EVENTS_OF.format("AND sequence > $4 ORDER BY sequence LIMIT $5")
_NEWEST_EVENT = _EVENTS_OF.format("ORDER BY sequence DESC LIMIT $5")
_ORPHANS = """
SELECT o.namespace, o.name, o.uid, o.deployment_id, o.seen_at FROM orphan o
WHERE o.namespace = ANY(ARRAY(
    SELECT coalesce(nullif(external_id, ''), name) FROM serving_environment WHERE project_id = $1
))
ORDER BY o.seen_at, o.uid
"""

_LISTING = Listing(
    columns=DEPLOYMENT_READ,
    large=bytes_of("d", texts=["message"], json=["spec", "drift", "applied"]),
    has_nulls=True,
    source=f"deployment d {DEPLOYMENT_JOINS}",
    table="d",
    sort_columns={"created_at": "d.created_at"},
)


class PostgresDeploymentRepository:
    """Implements ports.deployments.DeploymentRepository."""

    def __init__(self, database: Database) -> None:
        self._database = database.share("deployment")

    async def deploy(
        self, service: InferenceService, served: Sequence[ServeModel], intent: NewIntent
    ) -> tuple[InferenceService, Deployment]:
        project_id, id_ = service.project_id, service.id
        async with self._database.transaction() as connection:
            if request := intent.request:
                await lock(connection, project_id, request)
                if earlier := await requested(connection, project_id, request):
                    return earlier
            stored = await insert_service(connection, service, served)
            await connection.execute(
                _INSERT,
                id_,
                project_id,
                service.serving_environment_id,
                service.registered_model_id,
                intent.namespace,
                service.name,
                spec_to_json(intent.spec),
            )
            await connection.execute(_INSERT_REVISION, id_, intent.created_by, Cause.DEPLOY)
            if request:
                await remember(connection, project_id, request, id_)
            await _tell(connection, id_)
            return stored, deployment_from(await connection.fetchrow(_GET, id_, project_id))

    async def requested(self, project_id: UUID, request: RequestKey) -> tuple[InferenceService, Deployment] | None:
        return await requested(self._database, project_id, request)

    async def get(self, project_id: UUID, id: UUID) -> Deployment:
        record = await self._database.fetchrow(_GET, id, project_id)
        if record is None:
            raise _not_found(id)
        return deployment_from(record)

    async def list(self, project_id: UUID, filter: DeploymentFilter, slice: Slice) -> Page[Deployment]:
        conditions = Conditions()
        conditions.add_equal(project_id=project_id, registered_model_id=filter.registered_model_id, phase=filter.phase)
        return await _LISTING.page(self._database, conditions, Sort(), slice, total=None, item=deployment_from)

    async def revise(
        self,
        project_id: UUID,
        id: UUID,
        *,
        want: Want,
        spec: DeploymentSpec | None,
        cause: Cause,
        created_by: str,
        after: int | None = None,
        canary_percent: int | None = None,
    ) -> None:
        async with self._database.transaction() as connection:
            await add_revision(connection, project_id, id, want, spec, cause, created_by, after, canary_percent)

    async def move_canary(
        self, project_id: UUID, id: UUID, step: CanaryStep, percent: int | None, *, message: str, after: int
    ) -> None:
        async with self._database.transaction() as connection:
            version_id = await connection.fetchval(_MOVE_CANARY, id, project_id, after, step, percent, message)
            if version_id is None:
                raise ConcurrentChange
            await connection.execute(_FOLLOW_REVISION, id, Want.PRESENT, version_id)
            await _tell(connection, id)

    async def change_service(
        self,
        project_id: UUID,
        id: UUID,
        patch: InferenceServicePatch,
        created_by: str,
        *,
        spec: DeploymentSpec | None = None,
        after: int | None = None,
        keeps_version: bool = False,
    ) -> bool:
        async with self._database.transaction() as connection:
            deployed = await connection.fetchrow(_LOCK_WANTED, id, project_id)
            if keeps_version and deployed and deployed["want"] == Want.PRESENT:
                check_version_kept(id, deployed["model_version_id"], patch)
            await update_service(connection, project_id, id, patch)
            if (
                not deployed
                or patch.desired_state is UNSET
                or (want := Want.of(patch.desired_state)) == deployed["want"]
            ):
                return False
            if want is Want.ABSENT:
                await _undeploy_service(connection, project_id, id)
                await add_revision(connection, project_id, id, want, None, Cause.UNDEPLOY, created_by)
            else:
                await add_revision(connection, project_id, id, want, spec, Cause.REDEPLOY, created_by, after)
            return True

    async def undeploy(self, project_id: UUID, id: UUID, created_by: str) -> bool:
        async with self._database.transaction() as connection:
            wanted = await connection.fetchval(_LOCK_WANTED, id, project_id)
            await _undeploy_service(connection, project_id, id)
            if wanted == Want.PRESENT:
                await add_revision(connection, project_id, id, Want.ABSENT, None, Cause.UNDEPLOY, created_by)
            return wanted is not None

    async def revisions(self, project_id: UUID, id: UUID, slice: Slice) -> Page[DeploymentRevision]:
        await self.get(project_id, id)
        below = slice.after.value if slice.after else 2**62
        statement = fitting(_REVISIONS, _REVISION_READ, "DESC", slice, first=4)
        found = await self._database.fetch(statement, id, below, slice.limit + 1, slice.limit, slice.max_bytes)
        rows, has_more = checked(found, slice)
        items = tuple(revision_from(row) for row in rows)
        return Page(items, next=Cursor(items[-1].generation, id) if has_more else None)

    async def revision(self, project_id: UUID, id: UUID, generation: int | None) -> DeploymentRevision:
        if generation is None:
            record = await self._database.fetchrow(_LAST_SERVED, id, project_id)
        else:
            record = await self._database.fetchrow(_REVISION, id, project_id, generation)
        if record is None:
            await self.get(project_id, id)
            raise NotFound(Reason.REVISION_NOT_FOUND, id=str(id), revision=str(generation or "last served"))
        return revision_from(record)

    async def served_at(self, project_id: UUID, id: UUID, at: datetime | None) -> DeploymentRevision | None:
        record = await self._database.fetchrow(_SERVED_AT, id, project_id, at)
        if record is None:
            deployment = await self._database.fetchrow(_KNOWN_FROM, id, project_id)
            if deployment is None:
                raise _not_found(id)
            known_from = deployment["served_known_from"]
            if at and known_from and at < known_from:
                raise HistoryForgotten(id, known_from)
            return None
        return revision_from(record)

    async def give_new_keys(self, project_id: UUID, model_version_id: UUID) -> None:
        if await self._database.execute(_GIVE_NEW_KEYS, str(model_version_id), project_id):
            await self._database.fetch("SELECT pg_notify($1, '')", CHANNEL)

    async def last_copy(self, project_id: UUID, model_version_id: UUID) -> DeploymentSpec | None:
        record = await self._database.fetchrow(_LAST_COPY, str(model_version_id), project_id)
        return spec_from(record["spec"]) if record else None

    async def events(
        self, project_id: UUID, id: UUID, after: int | str | None, limit: int
    ) -> Sequence[DeploymentEvent]:
        token, sequence = (after, _sequence_in(after)) if isinstance(after, str) else (None, after)
        if sequence is None:
            rows = await self._database.fetch(_NEWEST_EVENT, id, project_id, None, 0, 1)
        else:
            rows = await self._database.fetch(_EVENTS, id, project_id, token, sequence, limit)
        if not rows:
            raise unavailable()  # the database is being restored
        if not rows[0]["goes_on"]:
            raise EventLogChanged
        if not rows[0]["is_there"]:
            raise _not_found(id)
        return [event_from(row) for row in rows if row["sequence"] is not None]

    async def orphans(self, project_id: UUID) -> Sequence[Orphan]:
        return [Orphan(**row) for row in await self._database.fetch(_ORPHANS, project_id)]


def _sequence_in(token: str) -> int:
    before, _, sequence = token.rpartition("-")
    if not before or not sequence.isdecimal() or len(sequence) > _LONGEST_SEQUENCE:
        raise InvalidRequest([Violation("resume_token", "must be the resume_token of an event from WatchDeployment")])
    return int(sequence)


async def add_revision(  # noqa: PLR0917 - the parameters of `revise`
    connection: Any,
    project_id: UUID,
    id: UUID,
    want: Want,
    spec: DeploymentSpec | None,
    cause: Cause,
    created_by: str,
    after: int | None = None,
    canary_percent: int | None = None,
) -> None:
    """Implements DeploymentRepository.revise inside a transaction."""
    stored = spec_to_json(spec) if spec else None
    tried = await connection.fetchval(_REVISE, id, project_id, want, stored, after, canary_percent)
    if tried is None:
        if await connection.fetchval(_LOCK_WANTED, id, project_id) is not None:
            raise ConcurrentChange
        raise _not_found(id)
    if tried:
        await connection.execute(END_SHARE, id, tried)
        await connection.execute(ABORT_REVISION, id, tried)
    await connection.execute(_INSERT_REVISION, id, created_by, cause)
    await connection.execute(_SUPERSEDE, id)
    # The version of the service is the stable one's until the canary is promoted.
    version_id = spec.model_version_id if spec and canary_percent is None else None
    await connection.execute(_FOLLOW_REVISION, id, want, version_id)
    if spec:
        await connection.execute(_ADD_SERVED, id, project_id, list(spec.served_version_ids))
    await _tell(connection, id)


async def _undeploy_service(connection: Any, project_id: UUID, id: UUID) -> None:
    if await connection.fetchval(_UNDEPLOY_SERVICE, id, project_id) is None:
        raise NotFound.of(Reason.INFERENCE_SERVICE_NOT_FOUND, id)
    await connection.execute(_RESET_SERVED, id)


async def _tell(connection: Any, id: UUID) -> None:
    """Add the event and wake controllers and watchers when the transaction commits."""
    await connection.execute(_INSERT_EVENT, id)
    await connection.execute("SELECT pg_notify($1, $3), pg_notify($2, $3)", CHANNEL, EVENT_CHANNEL, str(id))


def _not_found(id: UUID) -> NotFound:
    return NotFound.of(Reason.DEPLOYMENT_NOT_FOUND, id)
