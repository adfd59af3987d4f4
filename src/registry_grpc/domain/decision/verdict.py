"""Verdicts: phase, reason and message, and when to observe the deployment again."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from registry_grpc.domain.decision.situation import Situation
from registry_grpc.domain.deployment import Phase
from registry_grpc.domain.reason import DeploymentReason as Why

AT_ONCE = timedelta(0)
SLOW = timedelta(minutes=5)
"""For states that only others can change: permissions, policies, quotas, custom resource definitions."""
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
    """When to observe again: often at first, then every 30 s. While nothing changes for hours, the intervals grow,
    because a thousand failed deployments would keep the API server busy for nothing."""
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
    """A verdict; by default, `watched` decides when to observe again."""
    if again_in is None:
        again_in = watched(situation, phase)
    return Verdict(phase=phase, reason=reason, message=message, again_in=again_in)


def failed(situation: Situation, reason: Why, message: str, *, again_in: timedelta | None = None) -> Verdict:
    """FAILED is about the target revision. The message adds that an earlier one still serves."""
    if situation.serves_earlier:
        message = f"{message} (revision {situation.deployment.serving_generation} is still serving)".strip()
    return stands(situation, Phase.FAILED, reason, message, again_in=again_in)


def why_not_ready(situation: Situation) -> str:
    ready = situation.seen.ready
    return ready.message if ready and not ready.is_true else ""
