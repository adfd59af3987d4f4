"""The clock of the machine."""

from __future__ import annotations

from datetime import UTC, datetime


class SystemClock:
    """Implements ports.clock.Clock."""

    def now(self) -> datetime:
        return datetime.now(UTC)
