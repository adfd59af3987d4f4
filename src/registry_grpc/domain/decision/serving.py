"""Rows about a target revision that serves, or is about to."""

from __future__ import annotations

from datetime import timedelta

from registry_grpc.domain.decision.presence import has_drift
from registry_grpc.domain.decision.repairs import of_canary
from registry_grpc.domain.decision.situation import Situation
from registry_grpc.domain.decision.verdict import RESYNC, Verdict, failed, of_rollout, stands, why_not_ready
from registry_grpc.domain.decision.workload import first_signs
from registry_grpc.domain.deployment import Phase
from registry_grpc.domain.reason import DeploymentReason as Why

_INGRESS_FAILS_AFTER = timedelta(minutes=5)


def lacks_route(s: Situation) -> bool:
    return s.lacks_only_a_route


def route_pending(s: Situation) -> Verdict:
    route = s.seen.ingress_ready
    message = (route.message or route.reason) if route else ""
    if s.lasting(route) > _INGRESS_FAILS_AFTER:
        return failed(s, Why.INGRESS, message)
    return stands(s, of_rollout(s), Why.ROUTE_PENDING, message)


def serves(s: Situation) -> bool:
    """Whether the target revision serves. After it has served, it also does while the number of replicas changes, as by
    autoscaling. But KServe calls a Deployment without replicas Ready too."""
    has_replicas = s.rollout is not None and s.rollout.is_available
    if s.is_ready:
        return s.is_rolled_out or (s.has_served_target and has_replicas)
    return s.has_served_target and _is_scaling_out(s)


def _is_scaling_out(s: Situation) -> bool:
    """Whether only replicas are missing that an autoscaler has added: the minimum number is available. Then KServe
    calls the object not Ready. The new ones have as long to start as a revision has."""
    has_enough = s.is_fresh and s.rollout is not None and s.rollout.has_minimum
    deadline = s.deployment.spec.options.deadline_seconds
    return has_enough and _lacks_replicas(s) and s.lasting(s.obstacle).total_seconds() <= deadline


def _lacks_replicas(s: Situation) -> bool:
    return s.obstacle is not None and s.obstacle.reason == "MinimumReplicasUnavailable"


def serves_with_changes(s: Situation) -> bool:
    """A canary tells how it does, and what else was changed, unless its own share was: others may have ended it."""
    if s.canary is not None:
        return s.live is not None and s.is_ready and any(map(of_canary, s.live.drift))
    return has_drift(s) and serves(s) and not lacks_route(s)


def deployed(s: Situation) -> Verdict:
    return stands(s, Phase.DEPLOYED, again_in=RESYNC)


def is_updating(s: Situation) -> bool:
    return s.serves_earlier


def updating(s: Situation) -> Verdict:
    return stands(s, Phase.UPDATING, *first_signs(s))


def is_degraded(s: Situation) -> bool:
    return s.has_served_target


def degraded(s: Situation) -> Verdict:
    """What ends it is watched. If hundreds lost their pods and were asked all the time, others would have to wait."""
    if s.is_ready:
        return stands(s, Phase.DEGRADED, Why.NO_REPLICAS, "no replica is available", again_in=RESYNC)
    reason = Why.MINIMUM_REPLICAS_UNAVAILABLE if _lacks_replicas(s) else Why.NOT_READY
    return stands(s, Phase.DEGRADED, reason, why_not_ready(s), again_in=RESYNC)


def deploying(s: Situation) -> Verdict:
    reason, message = first_signs(s)
    return stands(s, Phase.DEPLOYING, reason, message or why_not_ready(s))
