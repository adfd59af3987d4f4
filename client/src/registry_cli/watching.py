"""Shows how a deployment proceeds, until it is as wanted, has failed, or the time is over."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Literal

from registry_cli import progress
from registry_cli.output import line, say
from registry_cli.session import client

if TYPE_CHECKING:
    from registry_client.progress import Listener


def wait(id: str, seconds: float, *, until: Literal["DEPLOYED", "UNDEPLOYED"] = "DEPLOYED") -> Any:
    """The deployment when it is in the phase. A failure ends the wait too, although the registry goes on trying."""
    deployment = client().deployments.get(id)
    with _progress(deployment.name) as tell:
        return deployment.wait(until, timeout=seconds, progress=tell).proto


@contextlib.contextmanager
def _progress(name: str) -> Iterator[Listener]:
    """A line that changes on a terminal, and elsewhere a line for each event."""
    if progress.can_redraw():
        with progress.changing_line(name) as change:
            yield lambda event: change(line(": ".join(filter(None, (f"{name} {event.phase}", event.message)))))
    else:
        yield lambda event: say(
            f"{event.proto.occurred_at.ToJsonString()} {name} {event.phase} {event.message}".rstrip()
        )
