"""Reads deployments, their revisions and their events from PostgreSQL."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from registry_grpc.adapters.postgres.columns import of_table, select_list
from registry_grpc.adapters.postgres.database import Database
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
)
from registry_grpc.adapters.postgres.epoch import EPOCH
from registry_grpc.adapters.postgres.errors import unavailable
from registry_grpc.adapters.postgres.filtering import add_filter, filter_columns
from registry_grpc.adapters.postgres.listing import Conditions, Listing, add_ids, bytes_of, sort_columns
from registry_grpc.domain.deployment import (
    FILTER_FIELDS,
    REVISION_FILTER_FIELDS,
    SORT_FIELDS,
    Deployment,
    DeploymentEvent,
    DeploymentRevision,
    DeploymentSpec,
    Orphan,
)
from registry_grpc.domain.errors import EventLogChanged, HistoryForgotten, InvalidRequest, NotFound, Reason, Violation
from registry_grpc.domain.filter.fields import Filter
from registry_grpc.domain.paging import NEWEST_FIRST, Page, Slice, Sort
from registry_grpc.ports.deployments import NEWEST_REVISION_FIRST, DeploymentFilter

_LONGEST_SEQUENCE = 18

GET = f"SELECT {DEPLOYMENT_COLUMNS} FROM deployment d {DEPLOYMENT_JOINS} WHERE d.id = $1 AND d.project_id = $2"
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
    sort_columns=sort_columns("d", SORT_FIELDS),
)
_VERSION = "({t}.spec->>'model_version_id')::uuid"
_FILTER_COLUMNS = filter_columns(
    FILTER_FIELDS,
    model_version_id=_VERSION,
    target_revision="{t}.generation",
    serving_revision="{t}.serving_generation",
)
_REVISIONS = Listing(
    columns=_REVISION_READ | {"id": "r.id"},
    large=bytes_of("r", json=["spec"]),
    source="(SELECT *, deployment_id AS id FROM deployment_revision) r",
    table="r",
    sort_columns={"revision": "r.generation"},
)
_REVISION_FILTER_COLUMNS = filter_columns(REVISION_FILTER_FIELDS, model_version_id=_VERSION, revision="{t}.generation")


class DeploymentReads:
    """The part of ports.deployments.DeploymentRepository that only reads."""

    def __init__(self, database: Database) -> None:
        self._database = database.share("deployment")

    async def get(self, project_id: UUID, id: UUID) -> Deployment:
        record = await self._database.fetchrow(GET, id, project_id)
        if record is None:
            raise deployment_not_found(id)
        return deployment_from(record)

    async def list(
        self, project_id: UUID, filter: DeploymentFilter, slice: Slice, sort: Sort = NEWEST_FIRST
    ) -> Page[Deployment]:
        conditions = Conditions.equal(
            project_id=project_id, registered_model_id=filter.registered_model_id, phase=filter.phase
        )
        add_ids(conditions, filter.ids)
        add_filter(conditions, filter.where, _FILTER_COLUMNS)
        return await _LISTING.page(self._database, conditions, sort, slice, total=None, item=deployment_from)

    async def revisions(
        self,
        project_id: UUID,
        id: UUID,
        slice: Slice,
        sort: Sort = NEWEST_REVISION_FIRST,
        where: Filter | None = None,
    ) -> Page[DeploymentRevision]:
        await self.get(project_id, id)
        conditions = Conditions.equal(deployment_id=id)
        add_filter(conditions, where, _REVISION_FILTER_COLUMNS)
        return await _REVISIONS.page(self._database, conditions, sort, slice, total=None, item=revision_from)

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
                raise deployment_not_found(id)
            known_from = deployment["served_known_from"]
            if at and known_from and at < known_from:
                raise HistoryForgotten(id, known_from)
            return None
        return revision_from(record)

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
            raise deployment_not_found(id)
        return [event_from(row) for row in rows if row["sequence"] is not None]

    async def orphans(self, project_id: UUID) -> Sequence[Orphan]:
        return [Orphan(**row) for row in await self._database.fetch(_ORPHANS, project_id)]


def _sequence_in(token: str) -> int:
    before, _, sequence = token.rpartition("-")
    if not before or not sequence.isdecimal() or len(sequence) > _LONGEST_SEQUENCE:
        raise InvalidRequest([Violation("resume_token", "must be the resume_token of an event from WatchDeployment")])
    return int(sequence)


def deployment_not_found(id: UUID) -> NotFound:
    """The refusal for a deployment that the project does not have."""
    return NotFound.of(Reason.DEPLOYMENT_NOT_FOUND, id)
