"""Decides whether a pass works on a deployment at all, and whether it applies the object."""

from __future__ import annotations

from datetime import datetime, timedelta

from registry_grpc.domain.decision.judgement import PassResult
from registry_grpc.domain.decision.repairs import is_undone, next_repair_in
from registry_grpc.domain.decision.situation import is_withdrawn
from registry_grpc.domain.deployment import Deployment, Phase, Want
from registry_grpc.domain.evidence import ApplyRefused, Evidence, LiveObject
from registry_grpc.domain.preflight import findings
from registry_grpc.domain.reason import DeploymentReason as Why

_NEWER_GOES_FIRST = timedelta(seconds=30)
_STEADY = {Phase.DEPLOYED, Phase.DEGRADED, Phase.DRIFTED, Phase.FAILED}


def is_left_to_newer_release(deployment: Deployment, now: datetime) -> bool:
    """Whether a newer release should process the revision, because this one does not know some of its options. After a
    while without the newer release, this one reports that it cannot."""
    is_news = deployment.want is Want.PRESENT and deployment.applied_generation < deployment.generation
    return bool(deployment.spec.unknown) and is_news and now - deployment.revised_at < _NEWER_GOES_FIRST


def is_overtaken(deployment: Deployment, live: LiveObject) -> bool:
    """Whether a newer revision than that of this row was applied, so that this pass must not write."""
    return live.is_of(deployment) and live.revision > deployment.generation


def _is_overwritten(deployment: Deployment, live: LiveObject) -> bool:
    """Whether a late pass on an earlier revision has overwritten the object. `is_overtaken` could not hold it back, if
    the object had an earlier stamp than its revision."""
    stamp = (deployment.applied.predictor_stamp if deployment.applied else 0) or deployment.stamp
    return live.revision not in {0, stamp} and not live.changed_by


def needs_apply(deployment: Deployment, evidence: Evidence) -> bool:
    live, applied = evidence.live, deployment.applied
    if live is not None and (live.deleting_since is not None or is_overtaken(deployment, live)):
        return False  # wait until it is deleted
    if applied is None or is_withdrawn(deployment):
        return True
    if live is None or live.uid != applied.uid:
        return False  # the row `deleted by others` reports and forgets it, and the next pass creates it again
    # The row `changed by others` reports drift before it is undone, so that it is in the log.
    was_told = deployment.phase is Phase.DRIFTED and deployment.reason in {Why.SPEC_CHANGED, Why.DRIFT_FIGHT}
    is_repair = was_told and any(is_undone(deployment, difference) for difference in live.drift)
    is_applied = deployment.is_applied and not _is_overwritten(deployment, live)
    return not is_applied or (is_repair and not next_repair_in(deployment, evidence))


def may_lack_secret(deployment: Deployment, result: PassResult) -> bool:
    """Whether to write the Secret again: the registry may not read Secrets, so it cannot know whether it is still
    there. Not in the many passes of a rollout, unless pods lack the Secret."""
    if result.applied is None or result.applied_generation != deployment.generation:
        return False
    stays_up = (result.phase in _STEADY and result.reason is not Why.BEING_DELETED) or result.reason is Why.CANARY
    lacks_it = result.reason in {Why.SECRET_MISSING, Why.CONTAINER_CONFIG}
    return bool(result.applied.content.get("secrets")) and (stays_up or lacks_it)


def check_before_apply(deployment: Deployment, *, has_credentials: bool) -> None:
    """Raises ApplyRefused for blocking findings, because KServe would accept the object and fail later silently."""
    found = findings(deployment.name, deployment.namespace, deployment.spec, has_credentials=has_credentials)
    if blocking := [finding for finding in found if finding.blocking]:
        raise ApplyRefused(blocking[0].code, "; ".join(finding.message for finding in blocking))
