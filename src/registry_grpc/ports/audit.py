"""The port of the audit log. Every method may raise Unavailable or Overloaded."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from datetime import timedelta
from typing import Protocol
from uuid import UUID

from registry_grpc.domain.audit import AuditEntry, Refused
from registry_grpc.domain.filter.fields import Filter
from registry_grpc.domain.paging import Page, Slice


class AuditLog(Protocol):
    """Reads the entries that writes leave, and keeps refused calls. A project of None: all."""

    async def list(self, project_id: UUID | None, where: Filter | None, slice: Slice) -> Page[AuditEntry]:
        """Newest first. It finds everything that was committed before the call. A page may be shorter than asked for,
        or even empty, although more entries follow: a call reads a bounded part of the log."""

    async def after(
        self, project_id: UUID | None, where: Filter | None, position: int, limit: int
    ) -> tuple[Sequence[AuditEntry], int]:
        """The entries after the position, oldest first, and the position up to which there are no others."""

    def listen(self) -> AsyncGenerator[None, None]:
        """Yields once at the start, then after new entries and every few seconds.

        Raises Overloaded when too many are listening, and Unavailable (SHUTTING_DOWN) after `stop_listening`."""

    def stop_listening(self) -> None:
        """End every `listen`, because this process is about to stop."""

    async def end(self) -> int:
        """The position of the newest entry, 0 if there is none."""

    async def note(self, refused: Refused) -> None:
        """Keep a refused call, as an entry of type `call.refused`."""

    async def forget(self, age: timedelta) -> None:
        """Delete older entries in batches, from the beginning of the log. The last of them stays."""
