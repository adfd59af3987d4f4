"""Shows how a deployment proceeds, until it is as wanted, has failed, or the time is over."""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any, Literal

from registry_cli.errors import DEPLOYMENT_FAILED, TIMED_OUT, CommandError
from registry_cli.output import say, word
from registry_cli.session import call, events


def wait(deployment: Any, seconds: float, *, until: Literal["DEPLOYED", "UNDEPLOYED"]) -> None:
    """Return when the target revision is in the phase. A failure ends it too, although the registry goes on trying."""
    deadline = time.monotonic() + seconds
    with _progress(deployment.name) as tell:
        for event in events("deployment.WatchDeployment", seconds=seconds, id=deployment.id):
            if event.target_revision < deployment.target_revision and until == "DEPLOYED":
                continue
            phase = word(event, "phase")
            tell(phase, event)
            if phase == until and (until == "UNDEPLOYED" or event.serving_revision == event.target_revision):
                return
            if phase == "FAILED" and until == "DEPLOYED":
                raise CommandError(_reason(event), hint=event.next_step, status=DEPLOYMENT_FAILED)
            if time.monotonic() > deadline:
                break
    now = call("deployment.GetDeployment", id=deployment.id).deployment
    raise CommandError(
        f"{deployment.name} is still {word(now, 'phase')} after {seconds:g} s: {_reason(now)}",
        hint=f"It goes on nevertheless. See why it takes so long with: registry deployments explain {deployment.name}",
        status=TIMED_OUT,
    )


def _reason(event: Any) -> str:
    return ": ".join(text for text in (word(event, "reason"), event.message) if text) or "no reason is known yet"


@contextlib.contextmanager
def _progress(name: str) -> Iterator[Callable[[str, Any], None]]:
    """A line that changes on a terminal, and elsewhere a line for each event."""
    if not sys.stderr.isatty():
        yield lambda phase, event: say(f"{event.occurred_at.ToJsonString()} {name} {phase} {event.message}".rstrip())
        return
    from rich.console import Console
    from rich.markup import escape

    began = time.monotonic()
    with Console(stderr=True, highlight=False).status(f"{escape(name)}: waits") as status:

        def tell(phase: str, event: Any) -> None:
            why = f": {event.message}" if event.message else ""
            status.update(f"[bold]{escape(name)}[/] {phase} {escape(why)} [dim]({time.monotonic() - began:.0f} s)[/]")

        yield tell
