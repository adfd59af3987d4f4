"""What a pass has to do before it can judge: whether to work at all, and whether to apply."""

from __future__ import annotations

from datetime import datetime, timedelta

from registry_grpc.domain.decision.situation import is_withdrawn
from registry_grpc.domain.deployment import Deployment, Phase, Want
from registry_grpc.domain.evidence import ApplyRefused, Evidence, LiveObject
from registry_grpc.domain.preflight import findings
from registry_grpc.domain.reason import DeploymentReason as Why
from registry_grpc.domain.serving_environment import DriftPolicy

_NEWER_GOES_FIRST = timedelta(seconds=30)


def is_left_to_newer_release(deployment: Deployment, now: datetime) -> bool:
    """While two releases run side by side, the newer one brings about what this one does not know. Only when it has not
    done so for a while, this one says that it cannot."""
    is_news = deployment.want is Want.PRESENT and deployment.applied_generation < deployment.generation
    return bool(deployment.spec.unknown) and is_news and now - deployment.revised_at < _NEWER_GOES_FIRST


def is_overtaken(deployment: Deployment, live: LiveObject) -> bool:
    """Whether somebody with a newer row has applied the object; who has this row knows too little to write."""
    return live.is_of(deployment) and live.revision > deployment.generation


def needs_apply(deployment: Deployment, evidence: Evidence) -> bool:
    live, applied = evidence.live, deployment.applied
    if live is not None and (live.deleting_since is not None or is_overtaken(deployment, live)):
        return False  # what is being deleted is waited for
    if applied is None or is_withdrawn(deployment):
        return True
    if live is None or live.uid != applied.uid:
        return False  # the row `deleted by others` tells that it is gone and forgets it; the next pass makes it again
    # Drift is told by the row `changed by others` before it is put right, so that the log knows of it.
    was_told = deployment.phase is Phase.DRIFTED and deployment.reason is Why.SPEC_CHANGED
    is_enforced = deployment.drift_policy is DriftPolicy.ENFORCE
    return deployment.applied_generation < deployment.generation or (bool(live.drift) and is_enforced and was_told)


def check_before_apply(deployment: Deployment, *, has_credentials: bool) -> None:
    """Raises ApplyRefused for what is sure to fail: KServe would accept it and fail later, without a word."""
    found = findings(deployment.name, deployment.namespace, deployment.spec, has_credentials=has_credentials)
    if blocking := [finding for finding in found if finding.blocking]:
        raise ApplyRefused(blocking[0].code, "; ".join(finding.message for finding in blocking))
