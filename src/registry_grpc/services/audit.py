"""Reads the audit log, and keeps refused calls in it, so many that nobody can fill it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from dataclasses import dataclass, replace
from uuid import UUID

from registry_grpc.domain.actor import Origin
from registry_grpc.domain.audit import NO_PROJECT, AuditEntry, Refused
from registry_grpc.domain.errors import RegistryError
from registry_grpc.domain.filter.fields import Filter
from registry_grpc.domain.paging import Page, Slice
from registry_grpc.ports.audit import AuditLog

_AT_ONCE = 100
_WINDOW_SECONDS = 60.0
_LONGEST_WINDOW_SECONDS = 3600.0
MOST_OF_A_CALLER = 20
MOST_OF_ALL = 200
_MOST_KEYS = 100
_OF_MANY = Refused(project_id=NO_PROJECT, actor="", origin=Origin("", "", "", ""))
"""Callers beyond those who are counted one by one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Audit:
    """Use cases on the audit log."""

    log: AuditLog

    async def list(self, project_id: UUID | None, where: Filter | None, slice: Slice) -> Page[AuditEntry]:
        """As AuditLog.list."""
        return await self.log.list(project_id, where, slice)

    async def watch(
        self, project_id: UUID | None, where: Filter | None, position: int | None, *, follow: bool = True
    ) -> AsyncGenerator[AuditEntry, None]:
        """Yields all matching entries after the position in order, and then, to `follow`, each new one without end.
        None: from now on. Raises as AuditLog, at any time; a caller can continue after the last position it saw."""
        reached = await self.log.end() if position is None else position
        async with aclosing(self.log.listen()) as news:
            async for _ in news:
                before = None
                while before != reached:
                    before = reached
                    entries, reached = await self.log.after(project_id, where, before, _AT_ONCE)
                    for entry in entries:
                        yield entry
                if not follow:
                    return

    def stop_watches(self) -> None:
        """End every watch with Unavailable (SHUTTING_DOWN)."""
        self.log.stop_listening()


@dataclass(slots=True)
class _Count:
    """The refused calls of a caller in the present window."""

    last: Refused
    written: int = 0
    left_out: int = 0


class Refusals:
    """Keeps refused calls: a bounded number in each window, and how many the others were. A window lasts a minute, and
    twice as long after each one with many, up to an hour, until an hour had none. So a flood does not fill the disk,
    however long it lasts. `report` is called with the errors that kept it from writing."""

    def __init__(
        self,
        log: AuditLog,
        report: Callable[[str, BaseException], None],
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._log = log
        self._report = report
        self._now = now
        self._counts: dict[str, _Count] = {}
        self._written = 0
        self._seconds, self._many_at = _WINDOW_SECONDS, now()
        self._ends = now() + self._seconds

    async def note(self, refused: Refused) -> None:
        """Never raises, because the call is refused in any case."""
        await self.tell_left_out()
        key = refused.actor or refused.origin.address
        if key not in self._counts and len(self._counts) >= _MOST_KEYS:
            key = ""
        count = self._counts.setdefault(key, _Count(refused))
        count.last = refused if key else _OF_MANY
        if count.written >= MOST_OF_A_CALLER or self._written >= MOST_OF_ALL:
            count.left_out += 1
            return
        count.written += 1
        self._written += 1
        await self._write(refused)

    async def tell_left_out(self, *, at_once: bool = False) -> None:
        """Write how many calls of the last window were left out, if it has ended."""
        if self._now() < self._ends and not at_once:
            return
        now = self._now()
        if self._written >= MOST_OF_A_CALLER:
            self._seconds, self._many_at = min(2 * self._seconds, _LONGEST_WINDOW_SECONDS), now
        elif now - self._many_at >= _LONGEST_WINDOW_SECONDS:
            self._seconds = _WINDOW_SECONDS
        counts, self._counts, self._written = self._counts, {}, 0
        self._ends = now + self._seconds
        for count in counts.values():
            if count.left_out:
                details = {**count.last.details, "left_out": str(count.left_out)}
                await self._write(replace(count.last, details=details))

    async def run(self) -> None:
        """Tell what was left out, also when no further call is refused. Ends only by being cancelled."""
        try:
            while True:
                await asyncio.sleep(_WINDOW_SECONDS)
                await self.tell_left_out()
        finally:
            await self.tell_left_out(at_once=True)

    async def _write(self, refused: Refused) -> None:
        try:
            await self._log.note(refused)
        except RegistryError as error:
            self._report("audit", error)
