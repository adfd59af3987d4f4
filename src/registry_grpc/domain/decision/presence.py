"""Rows about whether the object exists as it should, and why not."""

from __future__ import annotations

from datetime import timedelta

from registry_grpc.domain.decision.repairs import A_FIGHT, most_repairs, next_repair_in
from registry_grpc.domain.decision.situation import Situation, is_withdrawn
from registry_grpc.domain.decision.verdict import AT_ONCE, RESYNC, UNSTEADY, Verdict, failed, retried, stands
from registry_grpc.domain.deployment import Phase, Want
from registry_grpc.domain.evidence import ApplyRefused
from registry_grpc.domain.reason import DeploymentReason as Why
from registry_grpc.domain.serving_environment import DriftPolicy

# gone as wanted, going (the rows for refusals report a delete that was refused) ---------------------------------------

_STUCK_AFTER = timedelta(minutes=10)
_DELETE_AGAIN_IN = timedelta(minutes=1)


def is_gone_as_wanted(s: Situation) -> bool:
    return s.wants(Want.ABSENT) and s.refused is None and s.live is None


def undeployed(_: Situation) -> Verdict:
    return Verdict(phase=Phase.UNDEPLOYED, again_in=None)


def shall_go(s: Situation) -> bool:
    return s.wants(Want.ABSENT) and s.refused is None


def deleting(s: Situation) -> Verdict:
    if s.deployment.phase is Phase.DELETING and s.now - s.deployment.phase_since > _STUCK_AFTER:
        waiting_for = ", ".join(s.seen.finalizers) or "its dependents"
        message = f"the object still waits for {waiting_for}"
        return stands(s, Phase.DELETING, Why.DELETE_STUCK, message, again_in=_DELETE_AGAIN_IN)
    return stands(s, Phase.DELETING)


# name being released, field conflict, queued, not visible, try again, refused: not done, or the API server refused it -

_TRIES_BEFORE_TELLING = 3
_LONGEST_BACKOFF = timedelta(minutes=5)
_DOUBLINGS = 9
"""2^9 s is more than the longest backoff, and 2^1000 s would be too large for a timedelta."""


def name_is_being_released(s: Situation) -> bool:
    """Whether an object that is being deleted still has the name: somebody else's, or our own old one."""
    if s.refused is not None and not s.was_refused(Why.NAME_TAKEN):
        return False
    ours = s.live if is_withdrawn(s.deployment) else None
    holder = s.others or ours
    return holder is not None and holder.deleting_since is not None


def name_being_released(s: Situation) -> Verdict:
    return stands(s, Phase.PENDING, Why.NAME_BEING_RELEASED, "the object with this name is still being deleted")


def field_conflict(s: Situation) -> Verdict:
    # Observed again soon, because a change of the drift policy makes nothing due.
    return stands(s, Phase.DRIFTED, Why.FIELD_CONFLICT, _refusal(s).message, again_in=UNSTEADY)


def queued(s: Situation) -> Verdict:
    return Verdict(phase=_phase_as_far_as_known(s), reason=Why.QUEUED, again_in=AT_ONCE)


def not_visible(s: Situation) -> Verdict:
    """What was seen before stays as it was. But a revision that was never applied cannot be deployed."""
    error = _refusal(s)
    if s.deployment.applied is None and s.wants(Want.PRESENT):
        return failed(s, Why.FORBIDDEN, error.message, again_in=retried(s))
    if s.wants(Want.ABSENT):
        return stands(s, Phase.DELETING, error.reason, error.message)
    again_in = retried(s, since=s.deployment.observed_at)
    return Verdict(phase=_phase_as_far_as_known(s), reason=error.reason, message=error.message, again_in=again_in)


def try_again(s: Situation) -> Verdict:
    deployment, error = s.deployment, _refusal(s)
    backoff = min(timedelta(seconds=2 ** min(deployment.attempts, _DOUBLINGS)), _LONGEST_BACKOFF)
    again_in = max(backoff, timedelta(seconds=error.retry_after or 0))
    # The request that deploys answers the error of the first attempt (contract 2.4), so it is reported at once.
    is_first_try = deployment.applied is None and s.wants(Want.PRESENT) and s.was_refused(Why.API_UNAVAILABLE)
    if not is_first_try and deployment.attempts + 1 < _TRIES_BEFORE_TELLING:
        reason, message = deployment.reason, deployment.message
    else:
        reason, message = error.reason, error.message
    return Verdict(phase=_phase_as_far_as_known(s), reason=reason, message=message, again_in=again_in)


def _phase_as_far_as_known(s: Situation) -> Phase:
    """Keep the last observed phase; an unapplied revision must not inherit its predecessor's."""
    deployment = s.deployment
    if s.wants(Want.ABSENT) or deployment.applied_generation == deployment.generation:
        return deployment.phase
    return Phase.PENDING if deployment.serving_generation is None else Phase.UPDATING


def is_refused(s: Situation) -> bool:
    return s.refused is not None


def refused(s: Situation) -> Verdict:
    error = _refusal(s)
    return failed(s, error.reason, error.message, again_in=retried(s))


def _refusal(s: Situation) -> ApplyRefused:
    assert s.refused is not None  # noqa: S101 - the rows for refusals ask for it
    return s.refused


# deleted by others, being deleted, changed by others, stopped: somebody else did it -----------------------------------


def was_deleted(s: Situation) -> bool:
    applied = s.deployment.applied
    if applied is None or is_withdrawn(s.deployment):
        return False
    return s.live is None or s.live.uid != applied.uid


def deleted_externally(s: Situation) -> Verdict:
    message = "the object was deleted by somebody else"
    return stands(s, Phase.DRIFTED, Why.DELETED_EXTERNALLY, message, again_in=AT_ONCE)


def is_being_deleted(s: Situation) -> bool:
    return s.live is not None and s.live.deleting_since is not None


def being_deleted(s: Situation) -> Verdict:
    return stands(s, Phase.DRIFTED, Why.BEING_DELETED, "the object is being deleted by somebody else")


def has_drift(s: Situation) -> bool:
    return s.live is not None and bool(s.live.drift)


def is_drifted(s: Situation) -> bool:
    """What others had added before this revision was applied, and is to stay, does not hide how the revision starts."""
    is_told_later = s.is_as_left and not s.has_served_target and s.deployment.drift_policy is DriftPolicy.REPORT
    return has_drift(s) and not is_told_later


def spec_changed(s: Situation) -> Verdict:
    """Reported before it is undone, so that it is in the log under both policies."""
    fields, by = ", ".join(difference.path for difference in s.seen.drift), s.seen.changed_by
    if s.evidence is None or s.deployment.drift_policy is DriftPolicy.REPORT:
        again_in, repairs = UNSTEADY, 0
    else:
        again_in, repairs = next_repair_in(s.deployment, s.evidence), most_repairs(s.deployment, s.evidence)
    if repairs >= A_FIGHT:
        message = f"{by or 'somebody'} has changed {fields} again after each of the last {repairs} repairs"
        return stands(s, Phase.DRIFTED, Why.DRIFT_FIGHT, message, again_in=again_in)
    message = f"changed by {by}: {fields}" if by else f"changed: {fields}"
    return stands(s, Phase.DRIFTED, Why.SPEC_CHANGED, message, again_in=again_in)


def is_stopped(s: Situation) -> bool:
    return s.live is not None and s.live.is_stopped


def stopped(s: Situation) -> Verdict:
    return stands(s, Phase.STOPPED, Why.STOPPED, again_in=RESYNC)
