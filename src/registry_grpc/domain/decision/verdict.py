"""What a pass concludes, and when it is worth looking again."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from registry_grpc.domain.decision.situation import Situation
from registry_grpc.domain.deployment import Phase
from registry_grpc.domain.reason import DeploymentReason as Why

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
    reason: Why = Why.NONE
    message: str = ""
    again_in: timedelta | None
    """None: not before something changes."""


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
    situation: Situation,
    phase: Phase,
    reason: Why = Why.NONE,
    message: str = "",
    *,
    again_in: timedelta | None = None,
) -> Verdict:
    """A verdict that is watched, unless said otherwise."""
    if again_in is None:
        again_in = watched(situation, phase)
    return Verdict(phase=phase, reason=reason, message=message, again_in=again_in)


def failed(situation: Situation, reason: Why, message: str, *, again_in: timedelta | None = None) -> Verdict:
    """FAILED is about the target revision: that an earlier one still serves is the other half of the truth."""
    if situation.serves_earlier:
        message = f"{message} (revision {situation.deployment.serving_generation} is still serving)".strip()
    return stands(situation, Phase.FAILED, reason, message, again_in=again_in)


def why_not_ready(situation: Situation) -> str:
    ready = situation.seen.ready
    return ready.message if ready and not ready.is_true else ""
