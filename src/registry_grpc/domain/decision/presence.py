"""Rows about whether the object exists as it should, and why not."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from registry_grpc.domain.decision.repairs import A_FIGHT, is_undone, next_repair_in, repairs_in_a_row
from registry_grpc.domain.decision.situation import Situation, is_withdrawn
from registry_grpc.domain.decision.verdict import AT_ONCE, RESYNC, UNSTEADY, Verdict, failed, stands, with_earlier
from registry_grpc.domain.deployment import Phase, Want
from registry_grpc.domain.evidence import ApplyRefused
from registry_grpc.domain.reason import DeploymentReason as Why

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
    return stands(s, Phase.DRIFTED, Why.FIELD_CONFLICT, with_earlier(s, _refusal(s).message), again_in=UNSTEADY)


def queued(s: Situation) -> Verdict:
    return Verdict(phase=_phase_as_far_as_known(s), reason=Why.QUEUED, again_in=AT_ONCE)


def not_visible(s: Situation) -> Verdict:
    """What was seen before stays as it was. But a revision that was never applied cannot be deployed."""
    error = _refusal(s)
    if s.deployment.applied is None and s.wants(Want.PRESENT):
        return failed(s, Why.FORBIDDEN, error.message)
    if s.wants(Want.ABSENT):
        return stands(s, Phase.DELETING, error.reason, error.message)
    return Verdict(phase=_phase_as_far_as_known(s), reason=error.reason, message=error.message, again_in=UNSTEADY)


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
    return failed(s, error.reason, error.message)


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


def is_put_right_now(s: Situation) -> bool:
    """Drift that stays, under `report` or until the next repair in a fight, must not hide how the revision starts,
    serves or fails: `with_changes`."""
    return _is_to_be_put_right(s) and s.evidence is not None and not next_repair_in(s.deployment, s.evidence)


def _is_to_be_put_right(s: Situation) -> bool:
    return s.live is not None and any(is_undone(s.deployment, difference) for difference in s.live.drift)


def spec_changed(s: Situation) -> Verdict:
    """Reported before it is undone, so that it is in the log under both policies."""
    if s.evidence is None or not _is_to_be_put_right(s):
        return stands(s, Phase.DRIFTED, Why.SPEC_CHANGED, _changes(s), again_in=UNSTEADY)
    again_in, by = next_repair_in(s.deployment, s.evidence), s.seen.changed_by or "somebody"
    of_fields, of_object = repairs_in_a_row(s.deployment, s.evidence)
    if of_fields >= A_FIGHT:
        message = f"{by} has changed {_fields(s)} again after each of the last {of_fields} repairs"
    elif of_object >= A_FIGHT:
        message = f"{by} changes other fields after each repair, now {_fields(s)}"
    else:
        return stands(s, Phase.DRIFTED, Why.SPEC_CHANGED, _changes(s), again_in=again_in)
    return stands(s, Phase.DRIFTED, Why.DRIFT_FIGHT, message, again_in=again_in)


def with_changes(s: Situation, verdict: Verdict) -> Verdict:
    """The verdict, whose message also tells drift that the verdict is not about."""
    is_told = verdict.phase is Phase.DRIFTED or s.refused is not None or s.wants(Want.ABSENT)
    if is_told or not has_drift(s) or is_being_deleted(s):
        return verdict
    if not verdict.message:
        return replace(verdict, message=_changes(s))
    return replace(verdict, message=f"{verdict.message.rstrip('.')}. It was also {_changes(s)}")


def _changes(s: Situation) -> str:
    by = s.seen.changed_by
    return f"changed by {by}: {_fields(s)}" if by else f"changed: {_fields(s)}"


def _fields(s: Situation) -> str:
    return ", ".join(difference.path for difference in s.seen.drift)


def is_stopped(s: Situation) -> bool:
    return s.live is not None and s.live.is_stopped


def stopped(s: Situation) -> Verdict:
    return stands(s, Phase.STOPPED, Why.STOPPED, again_in=RESYNC)
