"""Records the acknowledged changes of clients, and those of which they do not know the result."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field


@dataclass
class Deployed:
    """The state of a deployment from its client's point of view."""

    id: str
    namespace: str
    name: str
    updates: int = 0
    unsure_updates: int = 0
    is_wanted: bool = True
    is_deleted: bool = False


@dataclass
class Ledger:
    """The records of all clients. An acknowledged change must last; one without an answer may have happened or not."""

    models: dict[str, tuple[str, str]] = field(default_factory=dict)
    """Project and name by id."""
    deleted: set[str] = field(default_factory=set)
    unsure: set[str] = field(default_factory=set)
    """Models and services whose deletion or undeployment was requested but not acknowledged."""
    versions: dict[str, str] = field(default_factory=dict)
    """The model of each version that was acknowledged."""
    statuses: dict[str, str] = field(default_factory=dict)
    """The last acknowledged status of each version, except where the result of a later change is unknown."""
    deployments: dict[str, Deployed] = field(default_factory=dict)
    events: dict[str, list[int]] = field(default_factory=dict)
    """The sequence numbers that a watch has received, by deployment."""
    wrong: list[str] = field(default_factory=list)
    """Answers that no client may get."""
    longest: float = 0
    """The longest time in seconds that a client waited for an answer."""
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
