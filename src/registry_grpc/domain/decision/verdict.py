"""Verdicts: phase, reason and message, and when to observe the deployment again."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from registry_grpc.domain.decision.situation import Situation
from registry_grpc.domain.deployment import Phase
from registry_grpc.domain.reason import DeploymentReason as Why

AT_ONCE = timedelta(0)
RESYNC = timedelta(hours=1)
"""For steady deployments: the watch and the relist every ten minutes notice their changes earlier."""
UNSTEADY = timedelta(seconds=30)
"""The longest time between two observations while something is going on."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """The conclusion about a deployment, and when to observe it again. Changes of the object make it due earlier."""

    phase: Phase
    reason: Why = Why.NONE
    message: str = ""
    again_in: timedelta | None
    """None: only when something changes."""


def watched(situation: Situation, phase: Phase) -> timedelta:
    """When to observe again: often at first, then every 30 s. While nothing changes for hours, the intervals grow. What
    cannot change by time alone waits for its turn instead (`judgement`)."""
    deployment = situation.deployment
    quiet_for = situation.now - deployment.phase_since if phase is deployment.phase else timedelta(0)
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
    """A verdict; by default, `watched` decides when to observe again."""
    if again_in is None:
        again_in = watched(situation, phase)
    return Verdict(phase=phase, reason=reason, message=message, again_in=again_in)


def of_rollout(situation: Situation) -> Phase:
    """The phase of a rollout that is not complete: as long as an earlier revision serves, it is an update."""
    if situation.has_served_target:
        return Phase.DEGRADED
    return Phase.UPDATING if situation.serves_earlier else Phase.DEPLOYING


def failed(situation: Situation, reason: Why, message: str, *, again_in: timedelta | None = None) -> Verdict:
    """FAILED is about the target revision. The message adds whether an earlier one still serves."""
    return stands(situation, Phase.FAILED, reason, with_earlier(situation, message), again_in=again_in)


def with_earlier(situation: Situation, message: str) -> str:
    """The message, and whether the revision that served before the target still does."""
    serving = situation.deployment.serving_generation
    if situation.serves_earlier:
        return f"{message} (revision {serving} is still serving)".strip()
    if serving is None or situation.has_served_target or situation.live is None:
        return message
    why = why_not_ready(situation) if situation.refused else ""  # otherwise it tells about the target
    return f"{message} (revision {serving} does not serve either{f': {why}' if why else ''})".strip()


def why_not_ready(situation: Situation) -> str:
    obstacle = situation.obstacle
    return (obstacle.message or obstacle.reason) if obstacle else ""
