"""Reads the event log."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass
from uuid import UUID

from registry_grpc.domain.event import Event, EventFilter
from registry_grpc.domain.paging import Page, Slice
from registry_grpc.ports.events import EventLog

_EVENTS_AT_ONCE = 100


@dataclass(frozen=True, slots=True)
class Bookmark:
    """A watch has passed all events up to this token."""

    resume_token: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Events:
    """Use cases on the event log."""

    log: EventLog

    async def list(self, project_id: UUID, filter: EventFilter, slice: Slice, *, oldest_first: bool) -> Page[Event]:
        """As EventLog.list."""
        return await self.log.list(project_id, filter, slice, oldest_first=oldest_first)

    async def watch(
        self, project_id: UUID, filter: EventFilter, token: str | None
    ) -> AsyncGenerator[Event | Bookmark, None]:
        """Yields all matching events after the token in order, and then each new one, without end. Without a token, it
        begins with what happens from now on. Where nothing matches, it yields bookmarks, of which one comes first.

        Raises as EventLog.after and EventLog.listen, at any time. A caller can continue with the last token it saw.
        """
        is_first = True
        async with aclosing(self.log.listen(project_id)) as news:
            async for _ in news:
                has_more = True
                while has_more:
                    batch = await self.log.after(project_id, filter, token, _EVENTS_AT_ONCE)
                    for event in batch.events:
                        yield event
                    if not batch.events and (is_first or batch.resume_token != token):
                        yield Bookmark(batch.resume_token)
                    token, has_more, is_first = batch.resume_token, batch.has_more, False

    def stop_watches(self) -> None:
        """End every watch with Unavailable (SHUTTING_DOWN)."""
        self.log.stop_listening()
