"""The audit log in memory. Tests add entries to it, because the other fakes write none."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any
from uuid import UUID

from tests.fakes.filtering import matches

from registry_grpc.domain.audit import NO_PROJECT, AuditEntry, Refused
from registry_grpc.domain.errors import Overloaded, Reason, Unavailable
from registry_grpc.domain.filter.fields import Filter
from registry_grpc.domain.paging import Cursor, Page, Slice


@dataclass
class InMemoryAuditLog:
    """Implements ports.audit.AuditLog."""

    rows: list[AuditEntry] = field(default_factory=list)
    most_listeners: int = 1000
    _chains: dict[UUID, str] = field(default_factory=dict)
    _positions: Any = field(default_factory=lambda: count(1))
    _news: asyncio.Event = field(default_factory=asyncio.Event)
    _listeners: int = 0
    _is_closed: bool = False

    def add(self, project_id: UUID, type_: str, **fields: Any) -> AuditEntry:
        values: dict[str, Any] = {
            "occurred_at": datetime.now(UTC), "resource_id": NO_PROJECT, "name": "", "actor": "external",
            "authentication": "", "rpc": "", "request_id": "", "address": "", "changed_fields": (), "before": "{}",
            "after": "{}", "details": {},
        }  # fmt: skip
        entry = AuditEntry(
            position=next(self._positions), project_id=project_id, type=type_, hash="", **values | fields
        )
        content = f"{self._chains.get(project_id, '')} {replace(entry, position=0)}"
        entry = replace(entry, hash=hashlib.sha256(content.encode()).hexdigest())
        self._chains[project_id] = entry.hash
        self.rows.append(entry)
        self._wake()
        return entry

    async def list(self, project_id: UUID | None, where: Filter | None, slice: Slice) -> Page[AuditEntry]:
        before = slice.after.value if slice.after else None
        rows = [row for row in self._of(project_id, where)[::-1] if before is None or row.position < before]
        page = tuple(rows[: slice.limit])
        has_more = len(rows) > len(page)
        return Page(page, next=Cursor(page[-1].position, NO_PROJECT) if has_more else None)

    async def after(
        self, project_id: UUID | None, where: Filter | None, position: int, limit: int
    ) -> tuple[Sequence[AuditEntry], int]:
        rows = [row for row in self._of(project_id, where) if row.position > position]
        if len(rows) >= limit:
            return rows[:limit], rows[limit - 1].position
        return rows, max([position, *(row.position for row in self._of(project_id, None))])

    async def listen(self) -> AsyncGenerator[None, None]:
        if self._listeners >= self.most_listeners:
            raise Overloaded
        self._listeners += 1
        try:
            while not self._is_closed:
                news = self._news
                yield None
                if not self._is_closed:
                    await news.wait()
            raise Unavailable(Reason.SHUTTING_DOWN)
        finally:
            self._listeners -= 1

    def stop_listening(self) -> None:
        self._is_closed = True
        self._wake()

    async def end(self) -> int:
        return self.rows[-1].position if self.rows else 0

    async def note(self, refused: Refused) -> None:
        said = {**refused.origin._asdict(), "details": dict(refused.details)}
        self.add(refused.project_id, "call.refused", actor=refused.actor, **said)

    async def forget(self, age: timedelta) -> None:
        old = [row.position for row in self.rows if row.occurred_at < datetime.now(UTC) - age]
        if old:
            self.rows[:] = [row for row in self.rows if row.position >= old[-1]]

    def _of(self, project_id: UUID | None, where: Filter | None) -> Sequence[AuditEntry]:
        return [row for row in self.rows if project_id in {None, row.project_id} and matches(where, row)]

    def _wake(self) -> None:
        self._news.set()
        self._news = asyncio.Event()
