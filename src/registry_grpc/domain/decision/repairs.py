"""Two writers under the policy `enforce`: fields that are changed again and again are put right ever less often."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta

from registry_grpc.domain.deployment import Deployment
from registry_grpc.domain.evidence import Evidence
from registry_grpc.domain.serving_environment import DriftPolicy

A_FIGHT = 3
"""After this many repairs of a field, it is no longer somebody who tries something out."""
_FORGOTTEN_AFTER = timedelta(hours=1)
_LONGEST_WAIT = timedelta(minutes=5)
_DOUBLINGS = 9


def repairs_with(deployment: Deployment, evidence: Evidence) -> Mapping[str, int]:
    """How often each field has been put right lately, including by an apply that is based on this evidence."""
    lately, is_enforced = _lately(deployment, evidence), deployment.drift_policy is DriftPolicy.ENFORCE
    return {**lately, **{path: lately.get(path, 0) + 1 for path in _drifted(evidence) if is_enforced}}


def most_repairs(deployment: Deployment, evidence: Evidence) -> int:
    """How often one of the fields that are different now has been put right."""
    lately = _lately(deployment, evidence)
    return max((lately.get(path, 0) for path in _drifted(evidence)), default=0)


def next_repair_in(deployment: Deployment, evidence: Evidence) -> timedelta:
    """The first repair of a field is due at once, and each of the next twice as long after the one before."""
    repairs, at = most_repairs(deployment, evidence), deployment.applied_at
    if not repairs or at is None:
        return timedelta(0)
    wait = min(timedelta(seconds=2 ** min(repairs, _DOUBLINGS)), _LONGEST_WAIT)
    return max(wait - (evidence.at - at), timedelta(0))


def _lately(deployment: Deployment, evidence: Evidence) -> Mapping[str, int]:
    applied, at = deployment.applied, deployment.applied_at
    return applied.repairs if applied and at and evidence.at - at < _FORGOTTEN_AFTER else {}


def _drifted(evidence: Evidence) -> tuple[str, ...]:
    return tuple(difference.path for difference in evidence.live.drift) if evidence.live else ()
