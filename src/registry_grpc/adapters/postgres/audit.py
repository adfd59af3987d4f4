"""The audit log in PostgreSQL, which sequence_events seals (see migrations/20261130001000_events.up.sql)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Sequence
from datetime import timedelta
from typing import Any
from uuid import UUID

import orjson

from registry_grpc.adapters.postgres.channel import Channel
from registry_grpc.adapters.postgres.database import Database
from registry_grpc.adapters.postgres.event_log import SEQUENCE, position_after, sequence
from registry_grpc.adapters.postgres.filtering import condition_of, filter_columns
from registry_grpc.adapters.postgres.listing import Conditions
from registry_grpc.domain.audit import FILTER_FIELDS, AuditEntry, Refused
from registry_grpc.domain.filter.fields import Filter, required
from registry_grpc.domain.paging import Cursor, Page, Slice

_CHANNEL = "audit"
_BEAT_SECONDS = 0.5
_POLL_SECONDS = 15.0
_SCANNED_AT_ONCE = 5000
_FORGOTTEN_AT_ONCE = 500
_PAUSE_SECONDS = 0.05
_BEYOND = 2**62
_NO_ID = UUID(int=0)
_FIELDS = (
    "position", "occurred_at", "project_id", "type", "resource_id", "name", "actor", "authentication", "rpc",
    "request_id", "address", "details",
)  # fmt: skip
_COLUMNS = f"""
    {", ".join(f"f.{name}" for name in _FIELDS)}, f.changed AS changed_fields, f.before::text AS before,
    f.after::text AS after, encode(f.hash, 'hex') AS hash
"""
# Of rows that match the conditions with an index, only a bounded part is searched for those that match the filter.
_READ = f"""
WITH scanned AS MATERIALIZED (
    SELECT * FROM audit_entry e WHERE {{conditions}} ORDER BY position {{order}} LIMIT $2
), found AS (SELECT * FROM scanned WHERE {{filter}} ORDER BY position {{order}} LIMIT $1)
SELECT size.is_full, size.reached, {_COLUMNS}
FROM (SELECT count(*) = $2 AS is_full, {{last}}(position) AS reached FROM scanned) AS size LEFT JOIN found AS f ON true
ORDER BY f.position {{order}}
"""
_FILTER_COLUMNS = filter_columns(FILTER_FIELDS, changed_fields="to_jsonb({t}.changed)")
_END = "SELECT coalesce(max(position), 0) AS position FROM audit_entry"
_NOTE = "SELECT record_refusal($1, $2, $3, $4)"
_FORGET = "SELECT forget_audit($1, $2) AS forgotten"


class PostgresAuditLog:
    """Implements ports.audit.AuditLog."""

    def __init__(self, database: Database) -> None:
        self._database = database.share("audit")
        self._news = Channel(database, _CHANNEL, poll_seconds=_POLL_SECONDS, beat=SEQUENCE, beat_seconds=_BEAT_SECONDS)

    async def list(self, project_id: UUID | None, where: Filter | None, slice: Slice) -> Page[AuditEntry]:
        await sequence(self._database)
        start = position_after(slice, _BEYOND)
        rows = await self._read(project_id, where, start, slice.limit + 1, is_ascending=False)
        found = [_entry_from(row) for row in rows if row["position"] is not None]
        items = tuple(found[: slice.limit])
        if len(found) > slice.limit:
            return Page(items, next=Cursor(items[-1].position, _NO_ID))
        return Page(items, next=Cursor(rows[0]["reached"], _NO_ID) if rows[0]["is_full"] else None)

    async def after(
        self, project_id: UUID | None, where: Filter | None, position: int, limit: int
    ) -> tuple[Sequence[AuditEntry], int]:
        await sequence(self._database)
        rows = await self._read(project_id, where, position, limit, is_ascending=True)
        found = [_entry_from(row) for row in rows if row["position"] is not None]
        reached = found[-1].position if len(found) == limit else rows[0]["reached"]
        return found, reached or position

    def listen(self) -> AsyncGenerator[None, None]:
        return self._news.wake_ups()

    def stop_listening(self) -> None:
        self._news.close()

    async def end(self) -> int:
        await sequence(self._database)
        row = await self._database.fetchrow(_END)
        return row["position"] if row else 0

    async def note(self, refused: Refused) -> None:
        origin = refused.origin._asdict()
        await self._database.fetchrow(_NOTE, refused.project_id, refused.actor, origin, dict(refused.details))

    async def forget(self, age: timedelta) -> None:
        forgotten = _FORGOTTEN_AT_ONCE
        while forgotten >= _FORGOTTEN_AT_ONCE:
            row = await self._database.fetchrow(_FORGET, age, _FORGOTTEN_AT_ONCE)
            forgotten = row["forgotten"] if row else 0
            await asyncio.sleep(_PAUSE_SECONDS)

    async def _read(
        self, project_id: UUID | None, where: Filter | None, position: int, limit: int, *, is_ascending: bool
    ) -> Sequence[Any]:
        conditions = Conditions(args=[limit, _SCANNED_AT_ONCE if where else limit])
        conditions.add("{t}.position > {}" if is_ascending else "{t}.position < {}", position)
        conditions.add_equal(project_id=project_id, resource_id=required(where, "resource_id"))
        filter_ = condition_of(where, conditions, _FILTER_COLUMNS).replace("{t}", "scanned") if where else "true"
        order, last = ("ASC", "max") if is_ascending else ("DESC", "min")
        statement = _READ.format(conditions=conditions.on("e"), filter=filter_, order=order, last=last)
        return await self._database.fetch(statement, *conditions.args)


def _entry_from(row: Any) -> AuditEntry:
    values = {name: row[name] for name in (*_FIELDS, "before", "after", "hash")}
    return AuditEntry(**values, changed_fields=tuple(row["changed_fields"]))


def entry_line(entry: AuditEntry) -> bytes:
    """The entry as a line of JSON."""
    values = {name: getattr(entry, name) for name in AuditEntry.__slots__}
    values |= {"before": orjson.loads(entry.before), "after": orjson.loads(entry.after)}
    return orjson.dumps(values, default=str, option=orjson.OPT_APPEND_NEWLINE | orjson.OPT_UTC_Z)
