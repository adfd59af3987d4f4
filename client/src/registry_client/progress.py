"""The progress of a deployment that is waited for, where somebody sees it: in a notebook, or on a terminal."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable
from typing import Any

from registry_client.deploying import DeploymentEvent

Listener = Callable[[DeploymentEvent], None]


class Progress:
    """One line, which is replaced by the next one."""

    def __init__(self, name: str, *, wanted: bool | Listener) -> None:
        self._name = name
        self._listener = wanted if callable(wanted) else None
        self._show: Callable[[str], None] | None = None
        self._end: Callable[[], None] = _nothing
        if wanted is True:
            self._show, self._end = _place()

    def tell(self, event: DeploymentEvent) -> None:
        if self._listener is not None:
            self._listener(event)
        if self._show is not None:
            self._show(": ".join(filter(None, [self._name, event.phase, event.reason, event.message])))

    def end(self) -> None:
        self._end()


def _place() -> tuple[Callable[[str], None] | None, Callable[[], None]]:
    """How to show a line, and how to end that."""
    shell = _notebook()
    if shell is not None:
        return _Cell().show, _nothing
    if sys.stderr.isatty():
        return _terminal_line, lambda: print(file=sys.stderr)  # noqa: T201 - ends the line
    return None, _nothing


def _notebook() -> Any:
    """The shell of a notebook; None elsewhere, also in the IPython of a terminal."""
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython is not None else None
    return shell if shell is not None and hasattr(shell, "kernel") else None


class _Cell:
    """A line of the output of a cell."""

    def __init__(self) -> None:
        self._display: Any = sys.modules["IPython.display"].display
        self._handle: Any = None

    def show(self, line: str) -> None:
        content = {"text/plain": line}
        if self._handle is None:
            self._handle = self._display(content, raw=True, display_id=True)
        else:
            self._handle.update(content, raw=True)


def _terminal_line(line: str) -> None:
    width = shutil.get_terminal_size().columns - 1
    short = " ".join(line.split())[:width]
    print(f"\r\x1b[2K{short}", end="", file=sys.stderr, flush=True)  # noqa: T201


def _nothing() -> None: ...
