"""Rows about a canary, and when its step ends. A gate that promotes or aborts by itself belongs here, too."""

from __future__ import annotations

from datetime import timedelta

from registry_grpc.domain.canary import CanaryStep
from registry_grpc.domain.decision.repairs import of_canary
from registry_grpc.domain.decision.situation import Situation
from registry_grpc.domain.decision.verdict import Verdict, failed, stands, why_not_ready
from registry_grpc.domain.deployment import Phase
from registry_grpc.domain.reason import DeploymentReason as Why

_ROUTED_WITHIN = timedelta(seconds=30)
_LOOK_FOR_ROUTE_IN = timedelta(seconds=2)
"""Routes are not watched."""


def is_aborted(s: Situation) -> bool:
    return s.canary is not None and s.canary.step is CanaryStep.ABORT


def aborted(s: Situation) -> Verdict:
    still = "an unknown share" if s.share is None else f"{s.share} %"
    message = f"revision {s.deployment.generation} is aborted; it still gets {still} of the requests"
    return stands(s, Phase.UPDATING, Why.CANARY_ENDING, message)


def is_tried(s: Situation) -> bool:
    """Whether the target is up beside the stable revision. Until then, the rows before and after tell how it starts."""
    return s.canary is not None and s.is_rolled_out


def tried(s: Situation) -> Verdict:
    canary, target = s.canary, s.deployment.generation
    assert canary is not None  # noqa: S101 - the row asks for it
    if not s.is_ready:
        return stands(s, Phase.DEGRADED, Why.NOT_READY, why_not_ready(s))
    if s.share != canary.share:
        message = f"revision {target} gets {s.share or 0} % of the requests instead of {canary.share} %"
        # KServe routes to a canary when its pods are ready, however long they took to start.
        available = s.rollout.available if s.rollout else None
        if s.since_apply > _ROUTED_WITHIN and (available is None or s.lasting(available) > _ROUTED_WITHIN):
            return failed(s, Why.CANARY_UNROUTED, message)
        return stands(s, Phase.UPDATING, Why.ROUTE_PENDING, message, again_in=_LOOK_FOR_ROUTE_IN)
    if canary.step is CanaryStep.PROMOTE:
        return stands(s, Phase.UPDATING, Why.CANARY_ENDING, f"revision {target} is promoted; it gets all requests")
    message = f"revision {target} gets {s.share} % of the requests, and revision {canary.stable_generation} the others"
    return stands(s, Phase.UPDATING, Why.CANARY, message)


def ended(s: Situation) -> CanaryStep | None:
    """PROMOTE or ABORT when the cluster is where that step leads, so that the canary can end; None before.

    Promoted: the target gets all requests with all its replicas. Aborted: it gets none, and if the stable revision had
    to be started again, that is up. An object that others have deleted is created again without the canary, with the
    revision that was to get everything.
    """
    canary, rollout = s.canary, s.rollout
    if canary is None or s.refused is not None or s.evidence is None:
        return None
    if s.live is None or s.deployment.applied is None or s.live.uid != s.deployment.applied.uid:
        return CanaryStep.PROMOTE if canary.step is CanaryStep.PROMOTE else CanaryStep.ABORT
    if not s.deployment.is_applied or any(map(of_canary, s.live.drift)) or s.share != canary.share:
        return None
    if canary.step is CanaryStep.PROMOTE and s.is_rolled_out:
        return CanaryStep.PROMOTE
    is_stable_up = rollout is None or rollout.revision == s.deployment.stamp or rollout.is_complete
    return CanaryStep.ABORT if canary.step is CanaryStep.ABORT and is_stable_up else None
