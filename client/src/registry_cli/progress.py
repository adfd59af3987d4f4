"""A line on the terminal that tells how something proceeds. It goes away at the end."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Callable, Iterator


def can_redraw() -> bool:
    """Whether stderr is a terminal whose lines can be written again."""
    return sys.stderr.isatty() and os.environ.get("TERM") not in {"dumb", "unknown"}


@contextlib.contextmanager
def changing_line(text: str) -> Iterator[Callable[[str], None]]:
    """Yields what changes the text. The line also tells for how long it has been there, and is cut to the terminal."""
    from rich.console import Console
    from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
    from rich.table import Column

    rest = Column(ratio=1, no_wrap=True, overflow="ellipsis")  # so that a long text leaves room for the others
    columns = (SpinnerColumn(), TimeElapsedColumn(), TextColumn("{task.description}", markup=False, table_column=rest))
    with Progress(*columns, console=Console(stderr=True), transient=True, expand=True) as progress:
        task = progress.add_task(text)
        yield lambda changed: progress.update(task, description=changed)


@contextlib.contextmanager
def byte_count(word: str, size: int | None) -> Iterator[Callable[[int], None]]:
    """Yields what is told the number of further bytes. Only terminals show it."""
    if not can_redraw():
        yield lambda _: None
        return
    from rich.filesize import decimal

    done = 0
    of = f" of {decimal(size)}" if size else ""
    with changing_line(word) as change:

        def tell(more: int) -> None:
            nonlocal done
            done += more
            change(f"{word} {decimal(done)}{of}")

        yield tell
