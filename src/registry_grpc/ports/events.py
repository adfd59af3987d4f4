"""The port of the event log. It has every change of every writer once, and the changes of a resource in their order.

Nothing appears in the log before an event that was already there, so that a reader who continues after the last event
that he has seen misses nothing. Every method may raise Unavailable or Overloaded.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Protocol
from uuid import UUID

from registry_grpc.domain.event import Event, EventFilter
from registry_grpc.domain.paging import Page, Slice


@dataclass(frozen=True, slots=True)
class Batch:
    """Consecutive events that match a filter. All matching events up to `resume_token` are in it."""

    events: Sequence[Event]
    resume_token: str
    has_more: bool
    """Whether events may follow that are in the log already."""


class EventLog(Protocol):
    """Reads the events of a project."""

    async def list(self, project_id: UUID, filter: EventFilter, slice: Slice, *, oldest_first: bool) -> Page[Event]:
        """Everything that was committed before the call can be found. A page may be shorter than asked for, or even
        empty, although more events follow: a call reads a bounded part of the log."""

    async def after(self, project_id: UUID, filter: EventFilter, token: str | None, limit: int) -> Batch:
        """The events after the one with this resume token, in order; None: no events, but the token of the newest one.
        Raises EventLogChanged when the log does not have this event, and InvalidRequest if the text is not a token."""

    def listen(self, project_id: UUID) -> AsyncGenerator[None, None]:
        """Yields once at the start, then after new events of the project and every few seconds.

        Raises Overloaded when too many are listening, and Unavailable (SHUTTING_DOWN) after `stop_listening`."""

    def stop_listening(self) -> None:
        """End every `listen`, because this process is about to stop. Clients can continue on another one."""

    async def forget(self, age: timedelta) -> None:
        """Delete older events in batches. The age of an event counts from the next one, so the newest one stays."""
