"""Two writers under the policy `enforce`: fields that are changed again and again are put right ever less often, and
after more repairs also an object of which others change ever new fields."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta

from registry_grpc.domain.canary import CanaryStep
from registry_grpc.domain.deployment import Deployment, FieldDifference
from registry_grpc.domain.evidence import Evidence
from registry_grpc.domain.serving_environment import DriftPolicy

A_FIGHT = 3
"""After this many repairs of a field, it is no longer somebody who tries something out."""
_SESSION = 8
"""So many repairs of different fields within an hour may be caused by somebody at work."""
_MOST_FIELDS = 20
"""So many are remembered: those that were put right most often."""
_OBJECT = ""
"""Under this path, all repairs of the object are counted."""
_FORGOTTEN_AFTER = timedelta(hours=1)
_LONGEST_WAIT = timedelta(minutes=5)
_DOUBLINGS = 9


def takes_over(deployment: Deployment) -> bool:
    """Whether an apply takes its fields from others: under `enforce`, and to move or end a canary, because somebody has
    asked for that, and its requests must not depend on whoever else has written to the object."""
    applied = deployment.applied
    is_moved = applied is not None and applied.split not in {"", deployment.wanted_split}
    return deployment.drift_policy is DriftPolicy.ENFORCE or is_moved or _is_ending(deployment)


def is_undone(deployment: Deployment, difference: FieldDifference) -> bool:
    """Whether what others have changed is put right."""
    return deployment.drift_policy is DriftPolicy.ENFORCE or (_is_ending(deployment) and of_canary(difference))


def of_canary(difference: FieldDifference) -> bool:
    """Whether it is `spec.canary`, or `canaryTrafficPercent`."""
    return "canary" in difference.path


def _is_ending(deployment: Deployment) -> bool:
    return deployment.canary is not None and deployment.canary.step is not CanaryStep.TRY


def repairs_with(deployment: Deployment, evidence: Evidence) -> Mapping[str, int]:
    """How often the object and its fields were put right lately, including by an apply based on this evidence."""
    lately, drift = _lately(deployment, evidence), evidence.live.drift if evidence.live else ()
    drifted = [difference.path for difference in drift if is_undone(deployment, difference)]
    if not drifted:
        return lately
    counts = {**lately, **{path: lately.get(path, 0) + 1 for path in drifted}}
    of_object = counts.pop(_OBJECT, 0) + 1
    most = sorted(counts, key=counts.__getitem__)[-_MOST_FIELDS:]
    return {_OBJECT: of_object, **{path: counts[path] for path in most}}


def repairs_in_a_row(deployment: Deployment, evidence: Evidence) -> tuple[int, int]:
    """How often one of the fields that are different now was put right, and, beyond those of a session, the object."""
    lately = _lately(deployment, evidence)
    of_fields = max((lately.get(path, 0) for path in _drifted(evidence)), default=0)
    return of_fields, max(lately.get(_OBJECT, 0) - _SESSION, 0)


def next_repair_in(deployment: Deployment, evidence: Evidence) -> timedelta:
    """The first repair is due at once, and each of the next twice as long after the one before."""
    repairs, at = max(repairs_in_a_row(deployment, evidence)), deployment.applied_at
    if not repairs or at is None:
        return timedelta(0)
    wait = min(timedelta(seconds=2 ** min(repairs, _DOUBLINGS)), _LONGEST_WAIT)
    return max(wait - (evidence.at - at), timedelta(0))


def _lately(deployment: Deployment, evidence: Evidence) -> Mapping[str, int]:
    applied, at = deployment.applied, deployment.applied_at
    return applied.repairs if applied and at and evidence.at - at < _FORGOTTEN_AFTER else {}


def _drifted(evidence: Evidence) -> tuple[str, ...]:
    return tuple(difference.path for difference in evidence.live.drift) if evidence.live else ()
