"""The event log in memory. Tests add events to it, because the other fakes write none."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any
from uuid import UUID, uuid4

from tests.fakes.filtering import matches

from registry_grpc.domain.errors import EventLogChanged, InvalidRequest, Reason, Unavailable, Violation
from registry_grpc.domain.event import Event, EventFilter
from registry_grpc.domain.paging import Cursor, Page, Slice
from registry_grpc.ports.events import Batch


@dataclass
class InMemoryEventLog:
    """Implements ports.events.EventLog."""

    rows: list[tuple[int, UUID | None, Event]] = field(default_factory=list)
    """The position, the project and the event."""
    epoch: str = "first"
    _positions: Any = field(default_factory=lambda: count(1))
    _news: asyncio.Event = field(default_factory=asyncio.Event)
    _is_closed: bool = False

    def __post_init__(self) -> None:
        self.add(None, "log.started")

    def add(self, project_id: UUID | None, type_: str, **fields: Any) -> Event:
        position = next(self._positions)
        values: dict[str, Any] = {
            "id": str(position),
            "resume_token": f"{self.epoch}-{position}",
            "occurred_at": datetime.now(UTC),
            "type": type_,
            "resource_id": uuid4(),
            "registered_model_id": None,
            "name": "",
            "actor": "external",
            "changed_fields": (),
            "details": {},
        }
        event = Event(**values | fields)
        self.rows.append((position, project_id, event))
        return event

    def wake(self) -> None:
        self._news.set()
        self._news = asyncio.Event()

    async def list(self, project_id: UUID, filter: EventFilter, slice: Slice, *, oldest_first: bool) -> Page[Event]:
        rows = [row for row in self.rows if row[1] == project_id and _matches(row[2], filter)]
        rows = rows if oldest_first else rows[::-1]
        if slice.after:
            place = slice.after.value
            rows = [row for row in rows if (row[0] > place if oldest_first else row[0] < place)]
        page = rows[: slice.limit]
        has_more = len(rows) > len(page)
        return Page(tuple(row[2] for row in page), next=Cursor(page[-1][0], UUID(int=0)) if has_more else None)

    async def after(self, project_id: UUID, filter: EventFilter, token: str | None, limit: int) -> Batch:
        end = self.rows[-1][2].resume_token
        if token is None:
            return Batch([], end, has_more=False)
        before, _, position = token.rpartition("-")
        if not before or not position.isdecimal():
            raise InvalidRequest([Violation("resume_token", "must have been returned by EventService")])
        if token not in (known := [row[2].resume_token for row in self.rows]):
            raise EventLogChanged
        rows = self.rows[known.index(token) + 1 :]
        events = [event for _, project, event in rows if project == project_id and _matches(event, filter)][:limit]
        is_cut = len(events) == limit
        return Batch(events, events[-1].resume_token if is_cut else end, is_cut)

    async def listen(self, project_id: UUID) -> AsyncGenerator[None, None]:
        while not self._is_closed:
            news = self._news
            yield None
            if not self._is_closed:
                await news.wait()
        raise Unavailable(Reason.SHUTTING_DOWN)

    def stop_listening(self) -> None:
        self._is_closed = True
        self.wake()

    async def forget(self, age: timedelta) -> None:
        old = [row for row in self.rows if row[2].occurred_at < datetime.now(UTC) - age]
        if old:
            self.rows[:] = [row for row in self.rows if row[0] >= old[-1][0]]


def _matches(event: Event, filter: EventFilter) -> bool:
    return (
        (not filter.types or bool({event.type, event.type.partition(".")[0]} & set(filter.types)))
        and matches(filter.where, event)
        and filter.resource_id in {None, event.resource_id}
        and filter.registered_model_id in {None, event.registered_model_id}
        and (filter.occurred_from is None or event.occurred_at >= filter.occurred_from)
        and (filter.occurred_before is None or event.occurred_at < filter.occurred_before)
    )
