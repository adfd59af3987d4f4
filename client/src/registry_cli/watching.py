"""Shows how a deployment proceeds, until it is as wanted, has failed, or the time is over."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Literal

from registry_cli.output import line, say
from registry_cli.session import client

if TYPE_CHECKING:
    from registry_client.progress import Listener


def wait(id: str, seconds: float, *, until: Literal["DEPLOYED", "UNDEPLOYED"] = "DEPLOYED") -> Any:
    """The deployment when it is in the phase. A failure ends the wait too, although the registry goes on trying."""
    deployment = client().deployments.get(id)
    with _progress(deployment.name) as tell:
        return deployment.wait(until, timeout=seconds, progress=tell).proto


def can_redraw() -> bool:
    """Whether stderr is a terminal whose lines can be written again."""
    return sys.stderr.isatty() and os.environ.get("TERM") not in {"dumb", "unknown"}


@contextlib.contextmanager
def _progress(name: str) -> Iterator[Listener]:
    """A line that changes on a terminal, and elsewhere a line for each event."""
    if not can_redraw():
        yield lambda event: say(
            f"{event.proto.occurred_at.ToJsonString()} {name} {event.phase} {event.message}".rstrip()
        )
        return
    from rich.console import Console
    from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
    from rich.table import Column

    text = TextColumn("{task.description}", markup=False, table_column=Column(no_wrap=True, overflow="ellipsis"))
    with Progress(SpinnerColumn(), TimeElapsedColumn(), text, console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task(name)

        def tell(event: Any) -> None:
            what = ": ".join(filter(None, (f"{name} {event.phase}", event.message)))
            progress.update(task, description=line(what))

        yield tell
