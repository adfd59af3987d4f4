"""The time."""

from __future__ import annotations

from datetime import datetime
from typing import Protocol


class Clock(Protocol):
    """Tells the time, with zone UTC."""

    def now(self) -> datetime: ...
