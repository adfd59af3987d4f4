"""Tells on stderr how far a long command is, and how long the rest may take."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from types import TracebackType
from typing import Self, TextIO

_PAUSE_SECONDS = 10.0
_TERMINAL_PAUSE_SECONDS = 0.5


class Progress:
    """On a terminal one line that is written again and again, elsewhere a line every ten seconds. A command that is
    done sooner says nothing."""

    def __init__(self, stream: TextIO | None = None, clock: Callable[[], float] = time.monotonic) -> None:
        self._stream, self._clock = stream or sys.stderr, clock
        self._is_terminal = self._stream.isatty()
        self._pause = _TERMINAL_PAUSE_SECONDS if self._is_terminal else _PAUSE_SECONDS
        self._told = clock()
        self._what, self._began, self._first = "", 0.0, 0
        self._has_line = False

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._has_line:
            self._write("\r\x1b[K")

    def tell(self, what: str, done: int, total: int | None = None) -> None:
        """`what` names the work and its unit. The remaining time counts from the first call for this work."""
        now = self._clock()
        if what != self._what:
            self._what, self._began, self._first = what, now, done
        if now - self._told < self._pause:
            return
        self._told = now
        text = f"{what}: {done}" if total is None else f"{what}: {done} of {total}"
        if total is not None and done > self._first:
            left = (now - self._began) / (done - self._first) * (total - done)
            text += f", about {_duration(left)} left"
        self._has_line = self._is_terminal
        self._write(f"\r\x1b[K{text}" if self._is_terminal else f"{text}\n")

    def _write(self, text: str) -> None:
        self._stream.write(text)
        self._stream.flush()


def _duration(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"
