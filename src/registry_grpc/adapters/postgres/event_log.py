"""Reads the event log, which triggers write (see migrations/20261130001000_events.up.sql).

Changes wait in an inbox until a reader gives them positions, so no process has to run for it. A list does it before it
reads. For watches, one session per process does it several times a second, and PostgreSQL notifies all processes.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Sequence
from datetime import timedelta
from typing import Any
from uuid import UUID

from registry_grpc.adapters.postgres.channel import Channel
from registry_grpc.adapters.postgres.database import Database
from registry_grpc.adapters.postgres.epoch import EPOCH
from registry_grpc.adapters.postgres.errors import unavailable
from registry_grpc.adapters.postgres.filtering import condition_of, filter_columns
from registry_grpc.adapters.postgres.listing import Conditions
from registry_grpc.domain.errors import EventLogChanged, InvalidPageToken, InvalidRequest, Violation
from registry_grpc.domain.event import FILTER_FIELDS, Event, EventFilter
from registry_grpc.domain.filter.fields import required
from registry_grpc.domain.paging import Cursor, Page, Slice
from registry_grpc.ports.events import Batch

_CHANNEL = "event"
_BEAT_SECONDS = 0.25
_POLL_SECONDS = 15.0
_SEQUENCED_AT_ONCE = 1000
_SCANNED_AT_ONCE = 5000
_FORGOTTEN_AT_ONCE = 500
_PAUSE_SECONDS = 0.05
_BEYOND = 2**62
_LONGEST_POSITION = 18
_NO_ID = UUID(int=0)
_PLACE = "(extract(epoch FROM {0}.occurred_at) * 1000000)::bigint, {0}.position"
# The time is in it because positions can be given again, if a disk is set back.
EVENT_ID = f"concat_ws('-', {_PLACE})".format("found")
_TOKEN = f"concat_ws('-', here.epoch, {_PLACE})"
EVENT_COLUMNS = f"""
    {EVENT_ID} AS id, {_TOKEN.format("found")} AS resume_token, found.position, found.occurred_at, found.type,
    found.resource_id, found.model_id, found.name, found.actor, found.changed, found.details
"""

# Moves nothing during a restore, which would give the positions again.
SEQUENCE = f"SELECT here.epoch, sequence_events({_SEQUENCED_AT_ONCE}) AS moved FROM ({EPOCH}) here"
# Returns at least one row, except during a restore. One statement reads everything, or it could mix two histories.
# Of rows that match the conditions with an index, only a bounded part is searched for those that match the others:
# `reached` tells where it ends, which is the end of the log if all were searched.
_READ = f"""
WITH scanned AS MATERIALIZED (
    SELECT * FROM event e WHERE {{conditions}} ORDER BY position {{order}} LIMIT $2
), found AS (
    SELECT * FROM scanned
    WHERE ($3::text[] = '{{{{}}}}' OR type = ANY($3) OR split_part(type, '.', 1) = ANY($3))
        AND occurred_at >= coalesce($4::timestamptz, '-infinity')
        AND occurred_at < coalesce($5::timestamptz, 'infinity') AND {{filter}}
    ORDER BY position {{order}} LIMIT $1
), size AS (SELECT count(*) = $2 AS is_full FROM scanned)
SELECT size.is_full, reached.position AS reached, {_TOKEN.format("reached")} AS reached_token,
    $6::text IS NULL OR EXISTS (
        SELECT FROM event known WHERE position = $7 AND {_TOKEN.format("known")} = $6
    ) AS goes_on,
    {EVENT_COLUMNS}
FROM ({EPOCH}) here CROSS JOIN size
CROSS JOIN LATERAL (
    (SELECT occurred_at, position FROM scanned WHERE size.is_full ORDER BY position {{reverse}} LIMIT 1)
    UNION ALL
    (SELECT occurred_at, position FROM event WHERE NOT size.is_full ORDER BY position DESC LIMIT 1)
) reached
LEFT JOIN found ON true
ORDER BY found.position {{order}}
"""
EVENT_FILTER_COLUMNS = filter_columns(
    FILTER_FIELDS, registered_model_id="{t}.model_id", changed_fields="to_jsonb({t}.changed)"
)
_FORGET = f"""
WITH read AS MATERIALIZED (
    SELECT position, occurred_at FROM event ORDER BY position LIMIT {_FORGOTTEN_AT_ONCE + 1}
)
DELETE FROM event WHERE position < (SELECT max(position) FROM read WHERE occurred_at < now() - $1::interval)
"""


class PostgresEventLog:
    """Implements ports.events.EventLog for one process."""

    def __init__(self, database: Database) -> None:
        self._database = database.share("event")
        self._news = Channel(database, _CHANNEL, poll_seconds=_POLL_SECONDS, beat=SEQUENCE, beat_seconds=_BEAT_SECONDS)

    async def list(self, project_id: UUID, filter: EventFilter, slice: Slice, *, oldest_first: bool) -> Page[Event]:
        await sequence(self._database)
        start = position_after(slice, 0 if oldest_first else _BEYOND)
        rows = await self._read(project_id, filter, start, slice.limit + 1, is_ascending=oldest_first)
        found = [row for row in rows if row["position"] is not None]
        items = tuple(event_from(row) for row in found[: slice.limit])
        if len(found) > slice.limit:
            return Page(items, next=Cursor(found[slice.limit - 1]["position"], _NO_ID))
        return Page(items, next=Cursor(rows[0]["reached"], _NO_ID) if rows[0]["is_full"] else None)

    async def after(self, project_id: UUID, filter: EventFilter, token: str | None, limit: int) -> Batch:
        position = _BEYOND if token is None else position_in(token, "resume_token")
        rows = await self._read(project_id, filter, position, limit, is_ascending=True, token=token)
        if not rows[0]["goes_on"]:
            raise EventLogChanged
        events = [event_from(row) for row in rows if row["position"] is not None]
        is_cut = len(events) == limit
        end = events[-1].resume_token if is_cut else rows[0]["reached_token"]
        return Batch(events, end, is_cut or rows[0]["is_full"])

    def listen(self, project_id: UUID) -> AsyncGenerator[None, None]:
        return self._news.wake_ups(str(project_id))

    def stop_listening(self) -> None:
        self._news.close()

    async def forget(self, age: timedelta) -> None:
        forgotten = _FORGOTTEN_AT_ONCE
        while forgotten == _FORGOTTEN_AT_ONCE:
            forgotten = await self._database.execute(_FORGET, age)
            await asyncio.sleep(_PAUSE_SECONDS)

    async def _read(
        self,
        project_id: UUID,
        filter: EventFilter,
        position: int,
        limit: int,
        *,
        is_ascending: bool,
        token: str | None = None,
    ) -> Sequence[Any]:
        where = filter.where
        is_scanned = bool(filter.types or filter.occurred_from or filter.occurred_before or where)
        conditions = Conditions(
            args=[
                limit,
                _SCANNED_AT_ONCE if is_scanned else limit,
                list(filter.types),
                filter.occurred_from,
                filter.occurred_before,
                token,
            ]
        )
        conditions.add("{t}.position > {}" if is_ascending else "{t}.position < {}", position)
        conditions.add_equal(
            project_id=project_id,
            resource_id=filter.resource_id or required(where, "resource_id"),
            model_id=filter.registered_model_id or required(where, "registered_model_id"),
        )
        where_text = condition_of(where, conditions, EVENT_FILTER_COLUMNS) if where else "true"
        order, reverse = ("ASC", "DESC") if is_ascending else ("DESC", "ASC")
        found = where_text.replace("{t}", "scanned")
        statement = _READ.format(conditions=conditions.on("e"), filter=found, order=order, reverse=reverse)
        if not (rows := await self._database.fetch(statement, *conditions.args)):
            raise unavailable()  # the database is being restored
        return rows


async def sequence(database: Database) -> None:
    """Give positions to all that was committed, and seal its audit entries. Raises Unavailable during a restore."""
    moved = _SEQUENCED_AT_ONCE
    while moved == _SEQUENCED_AT_ONCE:
        row = await database.fetchrow(SEQUENCE)
        if row is None:
            raise unavailable()
        moved = row["moved"]


def position_after(slice: Slice, start: int) -> int:
    """The position after which a page begins. Raises InvalidPageToken for a forged token."""
    position = slice.after.value if slice.after else start
    if not isinstance(position, int):
        raise InvalidPageToken
    return position


def event_from(row: Any) -> Event:
    """The event in a row with EVENT_COLUMNS, whose statement has the table `found` and EPOCH as `here`."""
    return Event(
        id=row["id"],
        resume_token=row["resume_token"],
        occurred_at=row["occurred_at"],
        type=row["type"],
        resource_id=row["resource_id"],
        registered_model_id=row["model_id"],
        name=row["name"],
        actor=row["actor"],
        changed_fields=tuple(row["changed"]),
        details=row["details"],
    )


def position_in(token: str, field: str) -> int:
    """The position in a resume token, or in the id of an event. Raises InvalidRequest that names the field."""
    before, _, position = token.rpartition("-")
    if not before or not position.isdecimal() or len(position) > _LONGEST_POSITION:
        raise InvalidRequest([Violation(field, "must have been returned by EventService")])
    return int(position)
