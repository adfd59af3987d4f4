"""What a pass concludes, and when it is worth looking again."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta

from registry_grpc.domain.decision.situation import Situation
from registry_grpc.domain.deployment import Phase
from registry_grpc.domain.next_steps import next_step_for

AT_ONCE = timedelta(0)
SLOW = timedelta(minutes=5)
"""For what only somebody else can change: permissions, policies, quotas, custom resource definitions."""
RESYNC = timedelta(hours=1)
"""What is steady is watched, and compared with a list of all objects every ten minutes: looking at each is the rest."""
UNSTEADY = timedelta(seconds=30)
"""The most between two looks at what goes on."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """Where the deployment stands and when to look again. Of a watched object every change also brings a look."""

    phase: Phase
    reason: str = ""
    message: str = ""
    again_in: timedelta | None
    """None: not before something changes."""

    @property
    def next_step(self) -> str:
        return next_step_for(self.phase, self.reason)


def watched(situation: Situation, phase: Phase) -> timedelta:
    """Often at first, when most happens, then every 30 s; what has been so for hours is looked at ever less often,
    or a thousand failed deployments would keep the API server busy for nothing."""
    deployment = situation.deployment
    quiet_for = timedelta(0)
    if phase is deployment.phase:
        quiet_for = situation.now - deployment.phase_since
    most = min(max(UNSTEADY, quiet_for / 30), RESYNC)
    return min(max(quiet_for / 3, timedelta(seconds=1)), most)


def stands(
    situation: Situation, phase: Phase, reason: str = "", message: str = "", *, again_in: timedelta | None = None
) -> Verdict:
    """A verdict that is watched, unless said otherwise."""
    if again_in is None:
        again_in = watched(situation, phase)
    return Verdict(phase=phase, reason=reason, message=message, again_in=again_in)


def says(phase: Phase, reason: str = "", message: str = "") -> Callable[[Situation], Verdict]:
    """The same verdict in every situation."""
    return lambda s: stands(s, phase, reason, message)


def failed(situation: Situation, reason: str, message: str, *, again_in: timedelta | None = None) -> Verdict:
    """FAILED is about the target revision: that an earlier one still serves is the other half of the truth."""
    if situation.serves_earlier:
        message = f"{message} (revision {situation.deployment.serving_generation} is still serving)".strip()
    return stands(situation, Phase.FAILED, reason, message, again_in=again_in)


def upper_snake(words: str) -> str:
    """KServe's reasons are in CamelCase: NoSupportingRuntime becomes NO_SUPPORTING_RUNTIME."""
    return "".join(f"_{c}" if c.isupper() and i else c for i, c in enumerate(words)).upper()


def why_not_ready(situation: Situation) -> str:
    ready = situation.seen.ready
    return ready.message if ready and not ready.is_true else ""
