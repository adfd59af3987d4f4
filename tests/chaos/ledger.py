"""What clients were promised, and what they do not know."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field


@dataclass
class Deployed:
    """A deployment as its client knows it."""

    id: str
    namespace: str
    name: str
    updates: int = 0
    unsure_updates: int = 0
    is_wanted: bool = True
    is_deleted: bool = False


@dataclass
class Ledger:
    """Of all clients. What was answered is a promise; of what was not, nothing is known."""

    models: dict[str, tuple[str, str]] = field(default_factory=dict)
    """Project and name by id."""
    deleted: set[str] = field(default_factory=set)
    unsure: set[str] = field(default_factory=set)
    """Models and services of which the deletion was asked for and not answered."""
    versions: dict[str, str] = field(default_factory=dict)
    """The model of each version that was acknowledged."""
    statuses: dict[str, str] = field(default_factory=dict)
    """The last acknowledged status of a version; without those of which the last change is not known."""
    deployments: dict[str, Deployed] = field(default_factory=dict)
    events: dict[str, list[int]] = field(default_factory=dict)
    """What a watch was told, by deployment."""
    wrong: list[str] = field(default_factory=list)
    """What no client may be answered."""
    longest: float = 0
    """Seconds that somebody waited for an answer."""
    answers: Counter[str] = field(default_factory=Counter)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def count(self, answer: str) -> None:
        with self._lock:
            self.answers[answer] += 1

    @contextmanager
    def timed(self) -> Iterator[None]:
        began = time.monotonic()
        try:
            yield
        finally:
            self.longest = max(self.longest, time.monotonic() - began)

    def complain(self, text: str) -> None:
        with self._lock:
            self.wrong.append(text)
