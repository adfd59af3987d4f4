"""Rows about whether KServe has accepted the target revision."""

from __future__ import annotations

from datetime import timedelta

from registry_grpc.domain.decision.presence import has_drift
from registry_grpc.domain.decision.refusals import why_refused
from registry_grpc.domain.decision.situation import Situation
from registry_grpc.domain.decision.verdict import Verdict, failed, stands, why_not_ready
from registry_grpc.domain.deployment import Phase
from registry_grpc.domain.reason import DeploymentReason as Why

_SILENT_BEFORE_STATUS = timedelta(seconds=60)
_SILENT_BEFORE_ROLLOUT = timedelta(minutes=2)
_WARNING_COUNTS_AFTER = timedelta(seconds=30)
_LAGGING = "already exists"
_SILENT = "KServe's controller has done nothing about it"
_INVALID = {
    "NoSupportingRuntime": Why.NO_SUPPORTING_RUNTIME,
    "RuntimeNotRecognized": Why.RUNTIME_NOT_RECOGNIZED,
    "RuntimeDisabled": Why.RUNTIME_DISABLED,
    "InvalidPredictorSpec": Why.INVALID_PREDICTOR_SPEC,
}
"""KServe's reasons with their own DeploymentReason. All others become INVALID_SPEC."""
_NEVER_PASS = {
    "StorageURI not supported": Why.STORAGE_URI_UNSUPPORTED,
    "Knative Services are not available": Why.MODE_UNSUPPORTED,
}
"""Texts of KServe about a spec that can never work, so that there is no need to wait."""


def has_no_conditions(s: Situation) -> bool:
    return s.live is None or not s.live.has_conditions


def no_conditions(s: Situation) -> Verdict:
    if s.since_apply > _SILENT_BEFORE_STATUS:
        return stands(s, Phase.PENDING, Why.CONTROLLER_SILENT, _SILENT)
    return stands(s, Phase.PENDING)


def is_invalid_spec(s: Situation) -> bool:
    return s.seen.transition_status == "InvalidSpec" and s.status_is_newer


def invalid_spec(s: Situation) -> Verdict:
    failure = s.seen.failure
    if failure is None:
        return failed(s, Why.INVALID_SPEC, why_not_ready(s))
    return failed(s, _INVALID.get(failure.reason, Why.INVALID_SPEC), failure.message)


def is_reconcile_failed(s: Situation) -> bool:
    condition = s.seen.predictor_ready
    if condition is None or not condition.is_false or condition.reason != "ReconcileFailed" or not s.status_is_newer:
        return False
    # After a restart, or if the name was used before, KServe's cache lags: its create fails, and it tries again.
    return _LAGGING not in condition.message or s.lasting(condition) > _WARNING_COUNTS_AFTER


def reconcile_failed(s: Situation) -> Verdict:
    condition = s.seen.predictor_ready
    message = condition.message if condition else ""
    return failed(s, why_refused(message, otherwise=Why.RECONCILE_FAILED), message)


def is_warned(s: Situation) -> bool:
    """Whether KServe reports an error in an event only. It counts if it is about this spec and lasts, or cannot pass.

    A repeated event is the old one with a new time, so it may have begun before this spec.
    """
    warning, applied_at = (s.evidence.warning if s.evidence else None), s.deployment.applied_at
    if s.is_fresh or warning is None or applied_at is None or s.evidence is None:
        return False
    about_this_since = applied_at.replace(microsecond=0)
    if warning.last_seen < about_this_since:
        return False
    if warning.first_seen >= about_this_since and _reason_of(warning.message) in _NEVER_PASS.values():
        return True
    return s.evidence.at - max(warning.first_seen, applied_at) > _WARNING_COUNTS_AFTER


def warned(s: Situation) -> Verdict:
    message = s.evidence.warning.message if s.evidence and s.evidence.warning else ""
    return failed(s, _reason_of(message), message)


def _reason_of(message: str) -> Why:
    never = next((reason for text, reason in _NEVER_PASS.items() if text in message), None)
    return never or why_refused(message, otherwise=Why.KSERVE_ERROR)


def is_not_fresh(s: Situation) -> bool:
    """Unless others have changed the number on the pods of a revision that serves on."""
    is_renumbered = has_drift(s) and s.has_served_target and s.rollout is not None and s.rollout.is_available
    return not s.is_fresh and not is_renumbered


def not_fresh(s: Situation) -> Verdict:
    phase = Phase.UPDATING if s.serves_earlier or s.is_ready else Phase.PENDING
    if s.since_apply > _SILENT_BEFORE_ROLLOUT:
        return stands(s, phase, Why.CONTROLLER_SILENT, _SILENT)
    return stands(s, phase, message=why_not_ready(s))
