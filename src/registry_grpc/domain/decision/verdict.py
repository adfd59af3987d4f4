"""Verdicts: phase, reason and message, and when to observe the deployment again."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from registry_grpc.domain.decision.situation import Situation
from registry_grpc.domain.deployment import Phase
from registry_grpc.domain.reason import DeploymentReason as Why

AT_ONCE = timedelta(0)
RESYNC = timedelta(hours=1)
"""For steady deployments: the watch and the relist every ten minutes notice their changes earlier."""
UNSTEADY = timedelta(seconds=30)
"""The longest time between two observations while something is going on."""
_WITHIN_A_MINUTE = timedelta(seconds=45)
"""Passes have jitter, and take a while."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """The conclusion about a deployment, and when to observe it again. Changes of the object make it due earlier."""

    phase: Phase
    reason: Why = Why.NONE
    message: str = ""
    again_in: timedelta | None
    """None: only when something changes."""


def watched(situation: Situation, phase: Phase) -> timedelta:
    """When to observe again: often at first, then every 30 s. While nothing changes for hours, the intervals grow,
    because a thousand failed deployments would keep the API server busy for nothing."""
    quiet_for = _quiet_for(situation, phase)
    most = min(max(UNSTEADY, quiet_for / 30), RESYNC)
    return min(max(quiet_for / 3, timedelta(seconds=1)), most)


def retried(situation: Situation, since: datetime | None = None) -> timedelta:
    """When to try again what only others can allow: permissions, policies, quotas, custom resource definitions. At
    first within a minute; then the intervals grow, or hundreds of refused deployments would keep the API server busy.

    `since`: when it was refused first; None if the deployment is FAILED since then.
    """
    quiet_for = situation.now - since if since else _quiet_for(situation, Phase.FAILED)
    return min(max(min(quiet_for / 3, _WITHIN_A_MINUTE), quiet_for / 12, timedelta(seconds=5)), RESYNC)


def _quiet_for(situation: Situation, phase: Phase) -> timedelta:
    deployment = situation.deployment
    return situation.now - deployment.phase_since if phase is deployment.phase else timedelta(0)


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
    """FAILED is about the target revision. The message adds that an earlier one still serves."""
    if situation.serves_earlier:
        message = f"{message} (revision {situation.deployment.serving_generation} is still serving)".strip()
    return stands(situation, Phase.FAILED, reason, message, again_in=again_in)


def why_not_ready(situation: Situation) -> str:
    obstacle = situation.obstacle
    return (obstacle.message or obstacle.reason) if obstacle else ""
