"""Shows how something proceeds: on a terminal in one line, which goes away at the end."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, Literal

from registry_cli.output import line, say
from registry_cli.session import client

if TYPE_CHECKING:
    from registry_client.progress import Listener


def wait(id: str, seconds: float, *, until: Literal["DEPLOYED", "UNDEPLOYED"] = "DEPLOYED") -> Any:
    """The deployment when it is in the phase. A failure ends the wait too, although the registry goes on trying."""
    deployment = client().deployments.get(id)
    with _events(deployment.name) as tell:
        return deployment.wait(until, timeout=seconds, progress=tell).proto


@contextlib.contextmanager
def byte_count(word: str, size: int | None) -> Iterator[Callable[[int], None]]:
    """Yields what is told the number of further bytes. Only terminals show it."""
    if not _can_redraw():
        yield lambda _: None
        return
    from rich.filesize import decimal

    done = 0
    of = f" of {decimal(size)}" if size else ""
    with _changing_line(word) as change:

        def tell(more: int) -> None:
            nonlocal done
            done += more
            change(f"{word} {decimal(done)}{of}")

        yield tell


@contextlib.contextmanager
def _events(name: str) -> Iterator[Listener]:
    """Where the line cannot change, there is one for each event."""
    if _can_redraw():
        with _changing_line(name) as change:
            yield lambda event: change(line(": ".join(filter(None, (f"{name} {event.phase}", event.message)))))
    else:
        yield lambda event: say(
            f"{event.proto.occurred_at.ToJsonString()} {name} {event.phase} {event.message}".rstrip()
        )


@contextlib.contextmanager
def _changing_line(text: str) -> Iterator[Callable[[str], None]]:
    """Yields what changes the text. The line also tells for how long it has been there, and is cut to the terminal."""
    from rich.console import Console
    from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
    from rich.table import Column

    rest = Column(ratio=1, no_wrap=True, overflow="ellipsis")  # so that a long text leaves room for the others
    columns = (SpinnerColumn(), TimeElapsedColumn(), TextColumn("{task.description}", markup=False, table_column=rest))
    with Progress(*columns, console=Console(stderr=True), transient=True, expand=True) as progress:
        task = progress.add_task(text)
        yield lambda changed: progress.update(task, description=changed)


def _can_redraw() -> bool:
    """Whether stderr is a terminal whose lines can be written again."""
    return sys.stderr.isatty() and os.environ.get("TERM") not in {"dumb", "unknown"}
