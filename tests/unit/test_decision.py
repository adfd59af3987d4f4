"""The decision table, row by row: what is seen, and what that means."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from tests.deployments import BORN, a_deployment

from registry_grpc.domain.canary import Canary, CanaryStep, Replicas, Split
from registry_grpc.domain.decision import TABLE, Situation, Verdict, decide
from registry_grpc.domain.decision.table import look_again_in
from registry_grpc.domain.deployment import Applied, FieldDifference, Phase, Want
from registry_grpc.domain.evidence import (
    ApplyRefused,
    Condition,
    ContainerEvidence,
    Evidence,
    LiveObject,
    ModelFailure,
    PodEvidence,
    Rollout,
    WarningEvent,
)
from registry_grpc.domain.reason import DeploymentReason
from registry_grpc.domain.serving_environment import DriftPolicy

NOW = BORN + timedelta(hours=1)
APPLIED_AT = NOW - timedelta(minutes=1)
TRUE = Condition(status="True")
STARTING = Condition(status="False", reason="MinimumReplicasUnavailable", message="no minimum availability")
DRIFT = (FieldDifference("spec.predictor.minReplicas", "1", "3"),)


def ago(**span: float) -> datetime:
    return NOW - timedelta(**span)


ROW = a_deployment(
    generation=2,
    revised_at=APPLIED_AT,
    phase=Phase.DEPLOYING,
    phase_since=APPLIED_AT,
    applied=Applied(uid="u1", k8s_generation=2, resource_version="7", content={}),
    applied_generation=2,
    applied_at=APPLIED_AT,
)
"""Revision 2, applied a minute ago; nothing has served yet."""
LIVE = LiveObject(
    uid="u1",
    k8s_generation=2,
    resource_version="9",
    deployment_id=str(ROW.id),
    registry_id="r",
    revision=2,
    has_conditions=True,
    ready=STARTING,
    predictor_ready=STARTING,
    ingress_ready=TRUE,
    status_written_at=ago(seconds=50),
)
"""An ordinary first start."""
EDITED = replace(LIVE, k8s_generation=3, drift=DRIFT)
READY = replace(LIVE, ready=TRUE, predictor_ready=TRUE)
OTHERS = replace(LIVE, deployment_id="somebody else's", uid="u0")
STARTING_UP = Rollout(revision=2, is_observed=True, is_complete=False)
COMPLETE = replace(STARTING_UP, is_complete=True)
SERVES_EDITED: dict[str, Any] = {"live": replace(READY, drift=DRIFT), "rollout": COMPLETE, "serving_generation": 2}
SCALING = replace(STARTING_UP, is_available=True)
SCALING_OUT = replace(SCALING, has_minimum=True)
OLD = Rollout(revision=1, is_observed=True, is_complete=True)
"""The workload of the revision before."""


def situation(
    *,
    live: LiveObject | None = LIVE,
    rollout: Rollout | None = STARTING_UP,
    warning: WarningEvent | None = None,
    refused: ApplyRefused | None = None,
    share: int | None = None,
    stable: Replicas | None = None,
    **row: Any,
) -> Situation:
    split = Split(percent=share, stable=stable) if "canary" in row else None
    evidence = Evidence(at=NOW, live=live, rollout=rollout, warning=warning, split=split)
    return Situation(deployment=replace(ROW, **row), now=NOW, evidence=evidence, refused=refused)


def unread(refused: ApplyRefused, **row: Any) -> Situation:
    """The cluster could not even be read."""
    return Situation(deployment=replace(ROW, **row), now=NOW, refused=refused)


def refusal(kind: DeploymentReason, message: str = "no", retry_after: float | None = None) -> ApplyRefused:
    return ApplyRefused(kind, message, retry_after)


def repaired(times: int, *, field: str = DRIFT[0].path, applied_at: datetime = APPLIED_AT) -> dict[str, Any]:
    """The row of a deployment under `enforce` whose field was put right this many times."""
    assert ROW.applied is not None
    applied = replace(ROW.applied, repairs={field: times})
    return {"applied": applied, "applied_at": applied_at, "drift_policy": DriftPolicy.ENFORCE}


def since(condition: Condition, moment: datetime) -> Condition:
    return replace(condition, since=moment)


def no_pods(message: str, *, seconds: float = 31) -> Rollout:
    failure = Condition(status="True", reason="FailedCreate", message=message, since=ago(seconds=seconds))
    return replace(STARTING_UP, replica_failure=failure)


def with_pods(*containers: ContainerEvidence, seconds: float = 50, unschedulable: str = "") -> Rollout:
    pod = PodEvidence(name="p", created_at=ago(seconds=seconds), containers=containers, unschedulable=unschedulable)
    return replace(STARTING_UP, pods=(pod,))


def init(**fields: Any) -> ContainerEvidence:
    return ContainerEvidence(name="storage-initializer", is_init=True, **fields)


def server(**fields: Any) -> ContainerEvidence:
    return ContainerEvidence(name="kserve-container", is_init=False, **fields)


WAITING = server(waiting="PodInitializing")
FETCHED = init(last_exit="Completed", exit_code=0)
NOT_FETCHED = init(waiting="CrashLoopBackOff", last_exit="Error", exit_code=1, message="404", restarts=1)
CRASHED = server(waiting="CrashLoopBackOff", last_exit="Error", exit_code=1, message="ValueError", restarts=2)
KILLED = server(last_exit="OOMKilled", exit_code=137, restarts=1)
NO_IMAGE = server(waiting="ImagePullBackOff", message="not found")
NO_CONFIG = server(waiting="CreateContainerConfigError", message="no configmap")
LATE = Condition(status="False", reason="ProgressDeadlineExceeded", message="timed out")
INVALID = replace(
    LIVE, transition_status="InvalidSpec", failure=ModelFailure(reason="NoSupportingRuntime", message="no runtime")
)
IN_THE_WAY = Condition(status="False", reason="ReconcileFailed", message='deployments "iris" already exists')
NOT_RECONCILED = Condition(status="False", reason="ReconcileFailed", message="name too long")
BLOCKED = replace(
    LIVE, transition_status="BlockedByFailedLoad", failure=ModelFailure(reason="ModelLoadFailed", message="no bucket")
)
WARNED = WarningEvent(message="StorageURI not supported: s4://", first_seen=ago(seconds=40), last_seen=ago(seconds=1))
FRESHLY_WARNED = replace(WARNED, first_seen=NOW, last_seen=NOW)
NO_KNATIVE = replace(FRESHLY_WARNED, message="It is not possible: Knative Services are not available")
NO_ROUTE = Condition(status="False", reason="NoGateway", message="no gateway", since=ago(minutes=1))
UNKNOWN = Condition(status="Unknown")
SILENT = "KServe's controller has done nothing about it"
POLICY = "ValidatingAdmissionPolicy 'p' with binding 'b' denied request: no secret named owner not found"
NO_PODS = [
    ("a policy", "ADMISSION", f'pods "p" is forbidden: {POLICY}'),
    ("Pod Security", "ADMISSION", 'pods "p" is forbidden: violates PodSecurity "restricted:latest": runAsNonRoot'),
    ("a LimitRange", "ADMISSION", 'pods "p" is forbidden: maximum cpu usage per Container is 1, but limit is 2'),
    ("a priority class", "PRIORITY_CLASS_NOT_FOUND",
     'pods "p" is forbidden: no PriorityClass with name nope was found'),
    ("a namespace", "NAMESPACE_NOT_FOUND",
     'pods "p" is forbidden: unable to create new content in namespace m because it is being terminated'),
    ("service account", "SERVICE_ACCOUNT_NOT_FOUND",
     'pods "p" is forbidden: error looking up service account m/s: serviceaccount "s" not found'),
]  # fmt: skip
NO_INGRESS = Condition(status="False", reason="Predictor ingress not created")
"""KServe's condition IngressReady as long as the predictor is not ready; Ready is a copy of it."""
UNROUTED = replace(STARTING, reason="Predictor Deployment NotReady", message="Predictor HTTPRoute not created")
UNINGRESSED = replace(LIVE, ready=NO_INGRESS, ingress_ready=NO_INGRESS)


@dataclass(frozen=True)
class Case:
    """What is seen, and what that means."""

    row: str
    evidence: str
    situation: Situation
    phase: Phase
    reason: str = ""
    message: str | None = None
    """None for any."""

    def __str__(self) -> str:
        return f"{self.row}: {self.evidence}"


P, R = Phase, DeploymentReason
WANTED: dict[str, Any] = {"want": Want.ABSENT, "phase": Phase.DELETING}

BESIDE = Canary(stable_generation=1, stable_version_id=UUID(int=1), percent=25)
TRIED: dict[str, Any] = {"canary": BESIDE, "serving_generation": 1, "live": READY, "rollout": COMPLETE}
UP_FOR = {
    seconds: replace(COMPLETE, available=Condition(status="True", since=ago(seconds=seconds))) for seconds in (30, 31)
}
RESHARED = replace(READY, drift=(FieldDifference("spec.canary", "25", "0"),))
ABORTING: dict[str, Any] = TRIED | {"canary": replace(BESIDE, step=CanaryStep.ABORT)}
PROMOTING: dict[str, Any] = TRIED | {"canary": replace(BESIDE, step=CanaryStep.PROMOTE)}

CASES = [
    Case("canary is aborted", "the target still gets its share", situation(**ABORTING, share=25), P.UPDATING,
         "CANARY_ENDING", "revision 2 is aborted; it still gets 25 % of the requests"),
    Case("canary is aborted", "… nobody knows which", situation(**ABORTING), P.UPDATING, "CANARY_ENDING",
         "revision 2 is aborted; it still gets an unknown share of the requests"),
    Case("canary", "the target gets its share", situation(**TRIED, share=25), P.UPDATING, "CANARY",
         "revision 2 gets 25 % of the requests, and revision 1 the others"),
    Case("canary", "… and others have changed something else",
         situation(**TRIED | {"live": replace(READY, drift=DRIFT)}, share=25), P.UPDATING, "CANARY",
         "revision 2 gets 25 % of the requests, and revision 1 the others. "
         "It was also changed: spec.predictor.minReplicas"),
    Case("serving with changes", "… the share of a canary", situation(**TRIED | {"live": RESHARED}, share=90),
         P.DRIFTED, "SPEC_CHANGED"),
    Case("serving with changes", "… to nothing, so that its pods are gone, however long ago it began",
         situation(**TRIED | {"live": RESHARED, "rollout": STARTING_UP}, share=0, revised_at=ago(hours=1),
         applied_at=ago(hours=1)), P.DRIFTED, "SPEC_CHANGED", "changed: spec.canary"),
    Case("canary", "… another one, just applied", situation(**TRIED, share=10, applied_at=ago(seconds=30)),
         P.UPDATING, "ROUTE_PENDING", "revision 2 gets 10 % of the requests instead of 25 %"),
    Case("canary", "… for long", situation(**TRIED, applied_at=ago(seconds=31)), P.FAILED, "CANARY_UNROUTED",
         "revision 2 gets 0 % of the requests instead of 25 % (revision 1 is still serving)"),
    Case("canary", "… for long, and its pods are up for 30 s", situation(**TRIED | {"rollout": UP_FOR[30]}, share=0,
         applied_at=ago(minutes=9)), P.UPDATING, "ROUTE_PENDING"),
    Case("canary", "… for 31 s", situation(**TRIED | {"rollout": UP_FOR[31]}, share=0, applied_at=ago(minutes=9)),
         P.FAILED, "CANARY_UNROUTED"),
    Case("canary", "the target gets everything", situation(**PROMOTING, share=100), P.UPDATING, "CANARY_ENDING",
         "revision 2 is promoted; it gets all requests"),
    Case("canary", "the stable revision has no pods", situation(**TRIED | {"live": LIVE}, share=25), P.DEGRADED,
         "NOT_READY", "no minimum availability"),
    Case("unschedulable", "a canary beside a stable revision that lacks a pod",
         situation(**TRIED | {"live": LIVE, "rollout": with_pods(unschedulable="0/4 nodes")}, share=0,
         stable=Replicas(2, 1)), P.UPDATING, "UNSCHEDULABLE"),
    Case("unschedulable", "… which has none", situation(**TRIED | {"live": LIVE,
         "rollout": with_pods(unschedulable="0/4 nodes")}, share=0, stable=Replicas(2, 0)), P.PENDING, "UNSCHEDULABLE"),
    Case("updating", "a canary starts", situation(**TRIED | {"rollout": STARTING_UP}, share=0), P.UPDATING),
    Case("gone as wanted", "want ABSENT, no object",
         situation(live=None, rollout=None, want=Want.ABSENT), P.UNDEPLOYED),
    Case("gone as wanted", "want ABSENT, the name has gone to others",
         situation(live=OTHERS, want=Want.ABSENT), P.UNDEPLOYED),
    Case("going", "want ABSENT, object there", situation(want=Want.ABSENT), P.DELETING),
    Case("going", "… for 10 min", situation(**WANTED, phase_since=ago(minutes=10)), P.DELETING),
    Case("going", "… for more, with finalizers", situation(live=replace(LIVE, finalizers=("a", "b")), **WANTED,
         phase_since=ago(minutes=10, seconds=1)), P.DELETING, "DELETE_STUCK", "the object still waits for a, b"),
    Case("going", "… and without", situation(**WANTED, phase_since=ago(minutes=11)),
         P.DELETING, "DELETE_STUCK", "the object still waits for its dependents"),
    Case("refused", "apply -> 422, 400 or denied", situation(refused=refusal(R.REJECTED)), P.FAILED, "REJECTED", "no"),
    Case("refused", "apply -> 403", situation(refused=refusal(R.FORBIDDEN)), P.FAILED, "FORBIDDEN", "no"),
    Case("refused", "apply -> quota", situation(refused=refusal(R.QUOTA)), P.FAILED, "QUOTA", "no"),
    Case("refused", "delete -> 403",
         situation(refused=refusal(R.FORBIDDEN), want=Want.ABSENT), P.FAILED, "FORBIDDEN", "no"),
    Case("refused", "apply refused, old revision serves", situation(live=READY, refused=refusal(R.REJECTED),
         serving_generation=1), P.FAILED, "REJECTED", "no (revision 1 is still serving)"),
    Case("refused", "apply -> 404, no such kind", situation(live=None, refused=refusal(R.KSERVE_NOT_INSTALLED)),
         P.FAILED, "KSERVE_NOT_INSTALLED", "no"),
    Case("refused", "apply -> 404, no namespace", situation(live=None, refused=refusal(R.NAMESPACE_NOT_FOUND)),
         P.FAILED, "NAMESPACE_NOT_FOUND", "no"),
    Case("refused", "the name is somebody else's", situation(live=OTHERS, refused=refusal(R.NAME_TAKEN), applied=None),
         P.FAILED, "NAME_TAKEN", "no"),
    Case("name being released", "… whose object is going",
         situation(live=replace(OTHERS, deleting_since=NOW), applied=None),
         P.PENDING, "NAME_BEING_RELEASED"),
    Case("name being released", "our own object is going, after an undeployment",
         situation(live=replace(LIVE, deleting_since=NOW),
         applied_generation=0), P.PENDING, "NAME_BEING_RELEASED"),
    Case("field conflict", "apply -> 409, field manager",
         situation(refused=refusal(R.FIELD_CONFLICT, "kubectl: .spec")),
         P.DRIFTED, "FIELD_CONFLICT", "kubectl: .spec"),
    Case("field conflict", "… the old revision serving", situation(refused=refusal(R.FIELD_CONFLICT, "kubectl: .spec"),
         live=READY, rollout=OLD, applied_generation=1, serving_generation=1),
         P.DRIFTED, "FIELD_CONFLICT", "kubectl: .spec (revision 1 is still serving)"),
    Case("field conflict", "… and failing meanwhile", situation(refused=refusal(R.FIELD_CONFLICT, "kubectl: .spec"),
         rollout=replace(OLD, is_complete=False), applied_generation=1, serving_generation=1),
         P.DRIFTED, "FIELD_CONFLICT", "kubectl: .spec (revision 1 does not serve either: no minimum availability)"),
    Case("queued", "nothing was asked yet", unread(refusal(R.QUEUED), applied=None, phase=P.PENDING),
         P.PENDING, "QUEUED"),
    Case("queued", "… the old revision serving", unread(refusal(R.QUEUED), applied_generation=1, serving_generation=1,
         phase=P.DEPLOYED), P.UPDATING, "QUEUED"),
    Case("queued", "an undeployment", unread(refusal(R.QUEUED), **WANTED), P.DELETING, "QUEUED"),
    Case("not visible", "read -> 403", unread(refusal(R.NAMESPACE_NOT_VISIBLE), phase=P.DEPLOYED),
         P.DEPLOYED, "NAMESPACE_NOT_VISIBLE", "no"),
    Case("not visible", "… after a failure, which may be over", unread(refusal(R.NAMESPACE_NOT_VISIBLE),
         phase=P.FAILED), P.FAILED, "NAMESPACE_NOT_VISIBLE", "no"),
    Case("not visible", "… before an update", unread(refusal(R.NAMESPACE_NOT_VISIBLE), applied_generation=1,
         serving_generation=1, phase=P.DEPLOYED), P.UPDATING, "NAMESPACE_NOT_VISIBLE", "no"),
    Case("not visible", "… before the first apply", unread(refusal(R.NAMESPACE_NOT_VISIBLE), applied=None),
         P.FAILED, "FORBIDDEN", "no"),
    Case("not visible", "… is no sign that it is gone", unread(refusal(R.NAMESPACE_NOT_VISIBLE), want=Want.ABSENT,
         applied=None, phase=P.FAILED), P.DELETING, "NAMESPACE_NOT_VISIBLE", "no"),
    Case("try again", "apply -> 409, resource version", situation(refused=refusal(R.OVERTAKEN)), P.DEPLOYING),
    Case("try again", "the very first try, which the request that deploys waits for",
         situation(refused=refusal(R.API_UNAVAILABLE), applied=None, phase=P.PENDING),
         P.PENDING, "API_UNAVAILABLE", "no"),
    Case("try again", "apply -> 429, 5xx, timeout",
         situation(refused=refusal(R.API_UNAVAILABLE), attempts=1), P.DEPLOYING),
    Case("try again", "… for the third time, never applied", situation(refused=refusal(R.API_UNAVAILABLE), attempts=2,
         applied_generation=1), P.PENDING, "API_UNAVAILABLE", "no"),
    Case("try again", "… the old revision serving",
         situation(refused=refusal(R.API_UNAVAILABLE), attempts=2, applied_generation=1,
         serving_generation=1, phase=P.DEPLOYED), P.UPDATING, "API_UNAVAILABLE", "no"),
    Case("try again", "… at once, so that the target does not pass for deployed", unread(refusal(R.API_UNAVAILABLE),
         applied_generation=1, serving_generation=1, phase=P.DEPLOYED), P.UPDATING),
    Case("try again", "… nor for failed",
         unread(refusal(R.API_UNAVAILABLE), applied_generation=1, phase=P.FAILED), P.PENDING),
    Case("try again", "… of what was seen serving", unread(refusal(R.API_UNAVAILABLE), attempts=9, phase=P.DEPLOYED),
         P.DEPLOYED, "API_UNAVAILABLE", "no"),
    Case("try again", "no answer is no sign that it is gone", unread(refusal(R.API_UNAVAILABLE), **WANTED), P.DELETING),
    Case("deleted by others", "applied, and now gone",
         situation(live=None, rollout=None), P.DRIFTED, "DELETED_EXTERNALLY"),
    Case("deleted by others", "applied, and now another object", situation(live=replace(LIVE, uid="u2")),
         P.DRIFTED, "DELETED_EXTERNALLY"),
    Case("deleted by others", "applied, and now somebody else's object",
         situation(live=OTHERS), P.DRIFTED, "DELETED_EXTERNALLY"),
    Case("being deleted", "deletionTimestamp",
         situation(live=replace(LIVE, deleting_since=NOW)), P.DRIFTED, "BEING_DELETED"),
    Case("changed by others", "spec changed by others",
         situation(live=replace(LIVE, drift=DRIFT, changed_by="kubectl-edit"), drift_policy=DriftPolicy.ENFORCE),
         P.DRIFTED, "SPEC_CHANGED", "changed by kubectl-edit: spec.predictor.minReplicas"),
    Case("changed by others", "… again, as after two repairs",
         situation(live=replace(LIVE, k8s_generation=3, drift=DRIFT, changed_by="argocd"), **repaired(2)),
         P.DRIFTED, "SPEC_CHANGED"),
    Case("changed by others", "… again, as after three repairs",
         situation(live=replace(LIVE, k8s_generation=3, drift=DRIFT, changed_by="argocd"), **repaired(3)),
         P.DRIFTED, "DRIFT_FIGHT",
         "argocd has changed spec.predictor.minReplicas again after each of the last 3 repairs"),
    Case("changed by others", "… by nobody knows whom",
         situation(live=EDITED, **repaired(3)),
         P.DRIFTED, "DRIFT_FIGHT",
         "somebody has changed spec.predictor.minReplicas again after each of the last 3 repairs"),
    Case("changed by others", "… but an hour later",
         situation(live=EDITED, **repaired(3, applied_at=ago(hours=1))),
         P.DRIFTED, "SPEC_CHANGED"),
    Case("changed by others", "… but other fields",
         situation(live=EDITED, **repaired(3, field="spec.predictor.timeout")),
         P.DRIFTED, "SPEC_CHANGED"),
    Case("server crashes", "… until the next repair in a fight",
         situation(live=EDITED, rollout=with_pods(server(waiting="CrashLoopBackOff", exit_code=1)),
         **repaired(6, applied_at=ago(seconds=50))), P.FAILED, "MODEL_LOAD",
         "kserve-container: exit code 1. It was also changed: spec.predictor.minReplicas"),
    Case("serving with changes", "… until the next repair in a fight",
         situation(**SERVES_EDITED, **repaired(6, applied_at=ago(seconds=50))), P.DRIFTED, "DRIFT_FIGHT",
         "somebody has changed spec.predictor.minReplicas again after each of the last 6 repairs"),
    Case("stopped", "stopped", situation(live=replace(LIVE, is_stopped=True)), P.STOPPED, "STOPPED", ""),
    Case("stopped", "… and changed", situation(live=replace(EDITED, is_stopped=True)), P.STOPPED, "STOPPED",
         "changed: spec.predictor.minReplicas"),
    Case("no status yet", "no conditions", situation(live=replace(LIVE, has_conditions=False)), P.PENDING),
    Case("no status yet", "… 60 s after the apply",
         situation(live=replace(LIVE, has_conditions=False), applied_at=ago(seconds=61)),
         P.PENDING, "CONTROLLER_SILENT", "KServe's controller has done nothing about it"),
    Case("invalid spec", "InvalidSpec",
         situation(live=INVALID, rollout=None), P.FAILED, "NO_SUPPORTING_RUNTIME", "no runtime"),
    Case("invalid spec", "… the old revision serving", situation(live=replace(INVALID, ready=TRUE), rollout=OLD,
         serving_generation=1), P.FAILED, "NO_SUPPORTING_RUNTIME", "no runtime (revision 1 is still serving)"),
    Case("invalid spec", "… without a word", situation(live=replace(INVALID, failure=None), rollout=None), P.FAILED,
         "INVALID_SPEC", "no minimum availability"),
    Case("reconcile failed", "ReconcileFailed",
         situation(live=replace(LIVE, predictor_ready=NOT_RECONCILED), rollout=None),
         P.FAILED, "RECONCILE_FAILED", "name too long"),
    Case("reconcile failed", "… of what stays in KServe's way",
         situation(live=replace(LIVE, predictor_ready=since(IN_THE_WAY,
         ago(seconds=31))), rollout=None), P.FAILED, "RECONCILE_FAILED", IN_THE_WAY.message),
    Case("reconcile failed", "… because of a policy", situation(rollout=None, live=replace(LIVE,
         predictor_ready=replace(NOT_RECONCILED, message=f"fails to create: {POLICY}"))), P.FAILED, "ADMISSION"),
    Case("warned in an event", "… of a policy", situation(rollout=None, warning=replace(WARNED, message=POLICY)),
         P.FAILED, "ADMISSION", POLICY),
    Case("warned in an event", "warned of the URI", situation(rollout=None, warning=WARNED),
         P.FAILED, "STORAGE_URI_UNSUPPORTED", "StorageURI not supported: s4://"),
    Case("warned in an event", "… just now", situation(rollout=None, applied_at=NOW, warning=FRESHLY_WARNED),
         P.FAILED, "STORAGE_URI_UNSUPPORTED"),
    Case("warned in an event", "warned of the mode just now",
         situation(rollout=None, applied_at=NOW, warning=NO_KNATIVE),
         P.FAILED, "MODE_UNSUPPORTED", NO_KNATIVE.message),
    Case("warned in an event", "warned of something else",
         situation(rollout=OLD, warning=replace(WARNED, message="boom")),
         P.FAILED, "KSERVE_ERROR", "boom"),
    Case("not taken up yet", "not fresh, old revision Ready",
         situation(live=READY, rollout=OLD, serving_generation=1), P.UPDATING),
    Case("not taken up yet", "… short of pods",
         situation(rollout=replace(OLD, is_available=True), serving_generation=1), P.UPDATING),
    Case("not taken up yet", "not fresh, not Ready", situation(rollout=None), P.PENDING, "", "no minimum availability"),
    Case("not taken up yet", "template not observed yet",
         situation(rollout=replace(COMPLETE, is_observed=False)), P.PENDING,
         "", "no minimum availability"),
    Case("not taken up yet", "changed by others, and its workload is gone", situation(live=EDITED, rollout=None,
         serving_generation=2), P.PENDING, "",
         "no minimum availability. It was also changed: spec.predictor.minReplicas"),
    Case("not taken up yet", "… and nobody makes another", situation(live=EDITED, rollout=None, serving_generation=2,
         applied_at=ago(minutes=3)), P.PENDING, "CONTROLLER_SILENT", f"{SILENT}. It was also changed: {DRIFT[0].path}"),
    Case("not taken up yet", "changed by others, the old pods serve", situation(live=replace(READY, drift=DRIFT),
         rollout=replace(OLD, is_available=True), serving_generation=1), P.UPDATING),
    Case("not taken up yet", "… for 2 min", situation(rollout=None, applied_at=ago(minutes=2, seconds=1)),
         P.PENDING, "CONTROLLER_SILENT", "KServe's controller has done nothing about it"),
    Case("not taken up yet", "… the old revision Ready", situation(live=READY, rollout=OLD, serving_generation=1,
         applied_at=ago(minutes=3)), P.UPDATING, "CONTROLLER_SILENT"),
    Case("no pods made", "no pods: quota", situation(rollout=no_pods('pods "p" is forbidden: exceeded quota: q')),
         P.FAILED, "QUOTA", 'pods "p" is forbidden: exceeded quota: q'),
    Case("no pods made", "no pods: forbidden",
         situation(rollout=no_pods('pods "p" is forbidden: User "rs" cannot create resource "pods" in API group ""')),
         P.FAILED, "FORBIDDEN"),
    *(Case("no pods made", f"no pods: {what}", situation(rollout=no_pods(text)), P.FAILED, reason, text)
      for what, reason, text in NO_PODS),
    Case("no pods made", "no pods: secret",
         situation(rollout=no_pods('webhook "w" denied the request: secrets "s" not found')),
         P.FAILED, "SECRET_MISSING"),
    Case("no pods made", "no pods: policy",
         situation(rollout=no_pods('webhook "w" denied the request: no latest images')),
         P.FAILED, "ADMISSION"),
    Case("no pods made", "… while the old revision serves",
         situation(rollout=replace(no_pods("exceeded quota"), is_available=True),
         serving_generation=1), P.FAILED, "QUOTA", "exceeded quota (revision 1 is still serving)"),
    Case("no pods made", "… while other pods of it serve",
         situation(rollout=replace(no_pods("exceeded quota"), is_available=True),
         serving_generation=2), P.DEGRADED, "QUOTA", "exceeded quota"),
    Case("no pods made", "no pods: else",
         situation(rollout=no_pods("disk full")), P.FAILED, "FAILED_CREATE", "disk full"),
    Case("download failed", "initializer failed again", situation(rollout=with_pods(NOT_FETCHED, WAITING)),
         P.FAILED, "MODEL_DOWNLOAD", "404"),
    Case("download failed", "BlockedByFailedLoad before the server",
         situation(live=BLOCKED, rollout=with_pods(init(), WAITING)),
         P.FAILED, "MODEL_DOWNLOAD", "no bucket"),
    Case("download failed", "BlockedByFailedLoad, no pod to be seen",
         situation(live=BLOCKED), P.FAILED, "MODEL_DOWNLOAD"),
    Case("server crashes", "server in CrashLoopBackOff", situation(live=BLOCKED, rollout=with_pods(FETCHED, CRASHED)),
         P.FAILED, "MODEL_LOAD", "kserve-container: exit code 1: ValueError"),
    Case("server crashes", "… and others have changed it before",
         situation(live=replace(EDITED, changed_by="kubectl-edit"), rollout=with_pods(FETCHED, CRASHED),
         serving_generation=2), P.FAILED, "MODEL_LOAD", "kserve-container: exit code 1: ValueError. It was also "
         "changed by kubectl-edit: spec.predictor.minReplicas"),
    Case("server crashes", "server OOMKilled", situation(rollout=with_pods(FETCHED, KILLED)),
         P.FAILED, "OUT_OF_MEMORY", "kserve-container: exit code 137"),
    Case("server crashes", "… while the old revision serves", situation(live=READY, rollout=with_pods(FETCHED, CRASHED),
         serving_generation=1), P.FAILED, "MODEL_LOAD",
         "kserve-container: exit code 1: ValueError (revision 1 is still serving)"),
    Case("server crashes", "… while others of it serve", situation(live=READY, rollout=with_pods(FETCHED, CRASHED),
         serving_generation=2), P.DEGRADED, "MODEL_LOAD", "kserve-container: exit code 1: ValueError"),
    Case("server crashes", "… which served alone", situation(rollout=with_pods(FETCHED, KILLED), serving_generation=2),
         P.FAILED, "OUT_OF_MEMORY", "kserve-container: exit code 137"),
    Case("container cannot start", "no image for 60 s", situation(rollout=with_pods(NO_IMAGE, seconds=61)),
         P.FAILED, "IMAGE_PULL", "kserve-container: ImagePullBackOff: not found"),
    Case("container cannot start", "no config for 60 s", situation(rollout=with_pods(NO_CONFIG, seconds=61)),
         P.FAILED, "CONTAINER_CONFIG", "kserve-container: CreateContainerConfigError: no configmap"),
    Case("unschedulable", "unschedulable", situation(rollout=with_pods(unschedulable="no cpu")), P.PENDING,
         "UNSCHEDULABLE", "no cpu"),
    Case("unschedulable", "… while the old revision serves", situation(live=READY,
         rollout=with_pods(unschedulable="no cpu"), serving_generation=1), P.UPDATING, "UNSCHEDULABLE", "no cpu"),
    Case("unschedulable", "… over the deadline", situation(rollout=with_pods(unschedulable="no cpu", seconds=901),
         revised_at=ago(seconds=901), applied_at=ago(seconds=901)), P.FAILED, "UNSCHEDULABLE", "no cpu"),
    Case("unschedulable", "… of one more than serve", situation(live=READY, rollout=with_pods(unschedulable="no cpu"),
         serving_generation=2), P.DEGRADED, "UNSCHEDULABLE", "no cpu"),
    Case("unschedulable", "… of the only one that served", situation(rollout=with_pods(unschedulable="no cpu"),
         serving_generation=2), P.PENDING, "UNSCHEDULABLE", "no cpu"),
    Case("over the deadline", "ProgressDeadlineExceeded", situation(rollout=replace(STARTING_UP, progressing=LATE)),
         P.FAILED, "DEADLINE", "no minimum availability"),
    Case("over the deadline", "… with a cause that is too recent to count",
         situation(rollout=replace(with_pods(NO_IMAGE), progressing=LATE)),
         P.FAILED, "DEADLINE", "kserve-container: ImagePullBackOff: not found"),
    Case("over the deadline", "the pods are up, but not to KServe", situation(live=UNINGRESSED, rollout=COMPLETE,
         revised_at=ago(seconds=901), applied_at=ago(seconds=901)), P.FAILED, "DEADLINE", "no minimum availability"),
    Case("over the deadline", "our own deadline", situation(revised_at=ago(seconds=901), applied_at=ago(seconds=901)),
         P.FAILED, "DEADLINE"),
    Case("no route", "rolled out, no route yet",
         situation(live=replace(READY, ingress_ready=NO_ROUTE), rollout=COMPLETE),
         P.DEPLOYING, "ROUTE_PENDING", "no gateway"),
    Case("no route", "… nothing said of one", situation(live=replace(READY, ingress_ready=None), rollout=COMPLETE),
         P.DEPLOYING, "ROUTE_PENDING"),
    Case("no route", "… for 5 min",
         situation(live=replace(READY, ingress_ready=since(NO_ROUTE, ago(minutes=5, seconds=1))),
         rollout=COMPLETE), P.FAILED, "INGRESS", "no gateway"),
    Case("serving with changes", "others have changed it",
         situation(live=replace(READY, drift=DRIFT, changed_by="kubectl-edit"), rollout=COMPLETE),
         P.DRIFTED, "SPEC_CHANGED", "changed by kubectl-edit: spec.predictor.minReplicas"),
    Case("serving with changes", "… again, after repairs under another policy",
         situation(**repaired(3) | {"drift_policy": DriftPolicy.REPORT, "live": replace(READY, drift=DRIFT),
         "rollout": COMPLETE}), P.DRIFTED, "SPEC_CHANGED"),
    Case("serving with changes", "… also the number on its pods", situation(live=replace(READY, drift=DRIFT),
         rollout=replace(OLD, is_available=True), serving_generation=2), P.DRIFTED, "SPEC_CHANGED"),
    Case("updating", "others have changed it, and it does not serve yet",
         situation(live=replace(READY, drift=DRIFT), serving_generation=1),
         P.UPDATING, "", "changed: spec.predictor.minReplicas"),
    Case("degraded", "others have changed also the number on the pods", situation(live=EDITED,
         rollout=replace(OLD, is_available=True), serving_generation=2), P.DEGRADED, "MINIMUM_REPLICAS_UNAVAILABLE",
         "no minimum availability. It was also changed: spec.predictor.minReplicas"),
    Case("no route", "… any more, and others have changed it", situation(live=replace(READY, ingress_ready=NO_ROUTE,
         drift=DRIFT), rollout=COMPLETE, serving_generation=2), P.DEGRADED, "ROUTE_PENDING",
         "no gateway. It was also changed: spec.predictor.minReplicas"),
    Case("no route", "… without a message", situation(live=replace(READY, ingress_ready=NO_INGRESS), rollout=COMPLETE),
         P.DEPLOYING, "ROUTE_PENDING", "Predictor ingress not created"),
    Case("no route", "… to an update", situation(live=replace(READY, ingress_ready=NO_ROUTE), rollout=COMPLETE,
         serving_generation=1), P.UPDATING, "ROUTE_PENDING", "no gateway"),
    Case("no route", "… any more", situation(live=replace(READY, ingress_ready=NO_ROUTE), rollout=COMPLETE,
         serving_generation=2), P.DEGRADED, "ROUTE_PENDING", "no gateway"),
    Case("serving", "an autoscaler adds so many that KServe takes it for not Ready",
         situation(live=UNINGRESSED, rollout=SCALING_OUT, serving_generation=2), P.DEPLOYED),
    Case("serving", "rolled out and Ready", situation(live=READY, rollout=COMPLETE), P.DEPLOYED),
    Case("serving", "an autoscaler adds replicas",
         situation(live=READY, rollout=SCALING, serving_generation=2), P.DEPLOYED),
    Case("serving", "… not observed yet", situation(live=READY, rollout=replace(SCALING, is_observed=False),
         serving_generation=2), P.DEPLOYED),
    Case("updating", "rolling out, old revision Ready", situation(live=READY, serving_generation=1), P.UPDATING),
    Case("updating", "… which KServe does not call Ready for want of pods", situation(rollout=replace(
         no_pods("exceeded quota", seconds=1), is_available=True), serving_generation=1), P.UPDATING, "QUOTA"),
    Case("updating", "… with trouble", situation(live=READY, rollout=with_pods(NO_IMAGE), serving_generation=1),
         P.UPDATING, "IMAGE_PULL", "kserve-container: ImagePullBackOff: not found"),
    Case("degraded", "was DEPLOYED, not Ready", situation(serving_generation=2),
         P.DEGRADED, "MINIMUM_REPLICAS_UNAVAILABLE", "no minimum availability"),
    Case("degraded", "… with fewer than the minimum", situation(rollout=SCALING, serving_generation=2),
         P.DEGRADED, "MINIMUM_REPLICAS_UNAVAILABLE", "no minimum availability"),
    Case("degraded", "… because an autoscaler's pods do not come up",
         situation(rollout=SCALING_OUT, serving_generation=2,
         live=replace(UNINGRESSED, predictor_ready=since(STARTING, ago(seconds=901)))),
         P.DEGRADED, "MINIMUM_REPLICAS_UNAVAILABLE", "no minimum availability"),
    Case("degraded", "… although it has its pods", situation(rollout=SCALING_OUT, serving_generation=2,
         live=replace(LIVE, predictor_ready=replace(STARTING, reason="X"))), P.DEGRADED, "NOT_READY"),
    Case("degraded", "was DEPLOYED, scaled to zero, which is Ready to KServe",
         situation(live=READY, serving_generation=2),
         P.DEGRADED, "NO_REPLICAS", "no replica is available"),
    Case("degraded", "… nobody says why", situation(live=replace(LIVE, ready=UNKNOWN, predictor_ready=UNKNOWN),
         serving_generation=2), P.DEGRADED, "NOT_READY"),
    Case("degraded", "… although past all deadlines", situation(serving_generation=2, revised_at=ago(days=1),
         applied_at=ago(days=1)), P.DEGRADED, "MINIMUM_REPLICAS_UNAVAILABLE"),
    Case("deploying", "otherwise", situation(), P.DEPLOYING, "", "no minimum availability"),
    Case("deploying", "Ready only repeats that there is no ingress", situation(live=UNINGRESSED),
         P.DEPLOYING, "", "no minimum availability"),
    Case("deploying", "… and the predictor says nothing yet",
         situation(live=replace(UNINGRESSED, predictor_ready=UNKNOWN)), P.DEPLOYING, "", ""),
    Case("deploying", "… while the others say only that they wait for it",
         situation(live=replace(LIVE, predictor_ready=UNKNOWN, ingress_ready=UNROUTED, ready=UNROUTED)),
         P.DEPLOYING, "", ""),
    Case("deploying", "… with trouble", situation(rollout=no_pods("exceeded quota", seconds=1)),
         P.DEPLOYING, "QUOTA", "exceeded quota"),
    Case("deploying", "Ready, but nothing of ours has served", situation(live=READY), P.DEPLOYING),
]  # fmt: skip


def row_of(situation: Situation) -> str:
    return next(row.name for row in TABLE if row.holds(situation))


@pytest.mark.parametrize("case", CASES, ids=str)
def test_row(case: Case) -> None:
    assert row_of(case.situation) == case.row
    verdict = decide(case.situation)
    assert (verdict.phase, verdict.reason) == (case.phase, case.reason)
    assert case.message is None or verdict.message == case.message


def test_every_row_has_a_name_of_its_own_and_a_case() -> None:
    names = [row.name for row in TABLE]
    assert sorted(names) == sorted({case.row for case in CASES})


@pytest.mark.parametrize(
    ("situation", "row"),
    [
        # Each has what the later row asks for as well.
        (situation(want=Want.ABSENT, live=replace(LIVE, deleting_since=NOW, drift=DRIFT)), "going"),
        (situation(want=Want.ABSENT, live=None, refused=refusal(R.API_UNAVAILABLE)), "try again"),
        (situation(live=replace(LIVE, uid="u2", deleting_since=NOW)), "deleted by others"),
        (situation(live=replace(LIVE, deleting_since=NOW, drift=DRIFT)), "being deleted"),
        (situation(live=replace(EDITED, is_stopped=True), drift_policy=DriftPolicy.ENFORCE), "changed by others"),
        (situation(live=replace(LIVE, is_stopped=True, has_conditions=False)), "stopped"),
        (situation(live=replace(INVALID, has_conditions=False)), "no status yet"),
        (situation(live=replace(INVALID, predictor_ready=NOT_RECONCILED), rollout=None), "invalid spec"),
        (
            situation(live=replace(LIVE, predictor_ready=NOT_RECONCILED), rollout=None, warning=WARNED),
            "reconcile failed",
        ),
        (situation(rollout=OLD, warning=WARNED), "warned in an event"),
        (situation(rollout=replace(no_pods("exceeded quota"), pods=with_pods(NOT_FETCHED).pods)), "no pods made"),
        (situation(rollout=with_pods(NOT_FETCHED, CRASHED)), "download failed"),
        (situation(rollout=with_pods(CRASHED, NO_IMAGE, seconds=61)), "server crashes"),
        (situation(rollout=with_pods(NO_IMAGE, seconds=61, unschedulable="no cpu")), "container cannot start"),
        (situation(rollout=replace(with_pods(unschedulable="no cpu"), progressing=LATE)), "unschedulable"),
        (
            situation(live=READY, rollout=replace(STARTING_UP, progressing=LATE), serving_generation=1),
            "over the deadline",
        ),
        (situation(live=replace(READY, ingress_ready=NO_ROUTE), rollout=COMPLETE, serving_generation=2), "no route"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_the_first_row_that_holds_decides(situation: Situation, row: str) -> None:
    assert row_of(situation) == row


@pytest.mark.parametrize(
    ("situation", "row"),
    [
        # An old status is not about the new spec, unless it has stood for 10 s.
        (situation(live=replace(INVALID, status_written_at=ago(seconds=60)), applied_at=ago(seconds=9)), "deploying"),
        (situation(live=replace(INVALID, status_written_at=ago(seconds=60)), applied_at=ago(seconds=10)),
         "invalid spec"),
        (situation(live=replace(INVALID, status_written_at=ago(seconds=8)), applied_at=ago(seconds=9)), "invalid spec"),
        # KServe's cache lagging behind.
        (situation(live=replace(LIVE, predictor_ready=since(IN_THE_WAY, ago(seconds=30))), rollout=None),
         "not taken up yet"),
        # A warning that may pass by itself, one about the spec before, and one from before that came again.
        (situation(rollout=None, warning=replace(WARNED, message="boom", first_seen=ago(seconds=30))),
         "not taken up yet"),
        (situation(rollout=None, warning=replace(WARNED, last_seen=ago(seconds=61))), "not taken up yet"),
        (situation(rollout=None, warning=replace(WARNED, first_seen=ago(days=1)), applied_at=ago(seconds=29)),
         "not taken up yet"),
        (situation(rollout=STARTING_UP, warning=WARNED), "deploying"),
        # Trouble that may pass.
        (situation(rollout=no_pods("exceeded quota", seconds=30)), "deploying"),
        (situation(rollout=with_pods(NO_IMAGE, seconds=60)), "deploying"),
        (situation(rollout=with_pods(init(last_exit="Error", exit_code=1), WAITING)), "deploying"),
        (situation(rollout=with_pods(FETCHED, server(last_exit="Error", exit_code=1))), "deploying"),
        # Trouble that has passed.
        (situation(rollout=with_pods(FETCHED, replace(KILLED, is_ready=True))), "deploying"),
        (situation(live=BLOCKED, rollout=with_pods(FETCHED, server())), "deploying"),
        # Old pods say nothing about the new revision.
        (situation(rollout=replace(with_pods(CRASHED), revision=1)), "not taken up yet"),
        (situation(rollout=replace(no_pods("exceeded quota"), revision=1)), "not taken up yet"),
        # The deadline begins anew with an object that is made again, and with pods after a stop.
        (situation(revised_at=ago(days=1)), "deploying"),
        (situation(revised_at=ago(days=1), applied_at=ago(days=1), rollout=with_pods(WAITING)), "deploying"),
        (situation(revised_at=ago(seconds=900), applied_at=ago(seconds=900)), "deploying"),
    ],
)  # fmt: skip
def test_findings_that_do_not_count_yet(situation: Situation, row: str) -> None:
    assert row_of(situation) == row


def test_any_pod_of_the_newest_replica_set_can_hold_a_rollout_up() -> None:
    pods = (*with_pods(FETCHED, server(), seconds=1).pods, *with_pods(FETCHED, CRASHED).pods)
    assert decide(situation(rollout=replace(STARTING_UP, pods=pods))).reason == "MODEL_LOAD"


@pytest.mark.parametrize(
    ("word", "reason"),
    [
        ("RuntimeNotRecognized", R.RUNTIME_NOT_RECOGNIZED),
        ("RuntimeDisabled", R.RUNTIME_DISABLED),
        ("InvalidPredictorSpec", R.INVALID_PREDICTOR_SPEC),
        ("InvalidGPUAllocation", R.INVALID_SPEC),
        ("", R.INVALID_SPEC),
    ],
)
def test_words_of_kserve_become_ours(word: str, reason: DeploymentReason) -> None:
    live = replace(INVALID, failure=ModelFailure(reason=word, message="no"))
    assert decide(situation(live=live, rollout=None)).reason is reason


def again(situation: Situation) -> float | None:
    again_in = decide(situation).again_in
    return None if again_in is None else again_in.total_seconds()


@pytest.mark.parametrize(
    ("situation", "seconds"),
    [
        (situation(live=None, rollout=None, want=Want.ABSENT), None),
        (situation(**WANTED, phase_since=ago(minutes=11)), 60),
        (situation(refused=refusal(R.FIELD_CONFLICT)), 30),
        (situation(live=None, rollout=None), 0),
        (situation(live=replace(READY, drift=DRIFT), rollout=COMPLETE), 30),
        (situation(live=replace(LIVE, drift=DRIFT), drift_policy=DriftPolicy.ENFORCE), 0),
        (situation(live=EDITED, **repaired(1)), 0),
        (situation(**SERVES_EDITED, **repaired(1, applied_at=ago(seconds=1))), 1),
        (situation(**SERVES_EDITED, **repaired(4, applied_at=ago(seconds=1))), 15),
        (situation(**SERVES_EDITED, **repaired(1000, applied_at=ago(seconds=1))), 299),
        (situation(live=READY, rollout=COMPLETE), 3600),
        # What ends these is watched.
        (situation(serving_generation=2), 3600),
        (situation(rollout=replace(no_pods("exceeded quota"), is_available=True), serving_generation=2), 3600),
        # Not whether a Secret could be written again.
        (situation(rollout=replace(no_pods('secret "s" not found'), is_available=True), serving_generation=2), 1),
    ],
)
def test_when_to_look_again(situation: Situation, seconds: float | None) -> None:
    assert again(situation) == seconds


@pytest.mark.parametrize(
    ("situation", "seconds"),
    [
        # Each begins to count when more than its time has passed, by the cluster's whole seconds.
        (situation(rollout=with_pods(NO_IMAGE, seconds=55)), 6),
        (situation(rollout=with_pods(NO_IMAGE, seconds=60)), 1),
        (situation(rollout=no_pods("exceeded quota", seconds=25)), 6),
        (situation(live=replace(LIVE, has_conditions=False), applied_at=ago(seconds=58)), 3),
        (situation(rollout=None, applied_at=ago(seconds=118)), 3),
        (situation(rollout=None, warning=replace(WARNED, message="boom", first_seen=ago(seconds=27))), 4),
        (situation(live=replace(INVALID, status_written_at=ago(seconds=60)), applied_at=ago(seconds=3)), 7),
        (situation(live=replace(READY, ingress_ready=since(NO_ROUTE, ago(seconds=295))), rollout=COMPLETE), 6),
        (situation(revised_at=ago(seconds=890), applied_at=ago(seconds=890)), 11),
        (situation(**WANTED, phase_since=ago(seconds=595)), 6),
        # An autoscaler's pods may take as long as a revision.
        (situation(rollout=SCALING_OUT, serving_generation=2, phase=P.DEPLOYED,
         live=replace(UNINGRESSED, predictor_ready=since(STARTING, ago(seconds=100)))), 801),
        # The next repair in a fight, which a failure must not delay.
        (situation(live=EDITED, rollout=with_pods(server(waiting="CrashLoopBackOff")),
         **repaired(5, applied_at=ago(seconds=20))), 12),
        # Nothing of this is near.
        (situation(rollout=with_pods(NO_IMAGE, seconds=30)), 20),
    ],
)  # fmt: skip
def test_looking_again_when_a_time_has_passed(situation: Situation, seconds: float) -> None:
    verdict = decide(situation)
    situation = replace(situation, deployment=replace(situation.deployment, phase=verdict.phase))
    verdict = decide(situation)
    looked = look_again_in(situation, verdict)
    assert looked == timedelta(seconds=seconds)
    if looked != verdict.again_in:
        assert look_again_in(situation, verdict, spread=1.2) == looked, "a limit is not spread"


@pytest.mark.parametrize("spread", [0.8, 1.2])
def test_looks_are_spread(spread: float) -> None:
    well = situation(live=READY, rollout=COMPLETE)
    assert look_again_in(well, decide(well), spread) == timedelta(hours=spread)


@pytest.mark.parametrize(
    ("attempts", "retry_after", "seconds"),
    [(0, None, 1), (1, None, 2), (5, None, 32), (8, None, 256), (9, None, 300), (10_000, None, 300), (0, 7, 7)],
)
def test_backing_off_from_an_api_that_does_not_answer(attempts: int, retry_after: float | None, seconds: float) -> None:
    refused = refusal(DeploymentReason.API_UNAVAILABLE, retry_after=retry_after)
    assert again(situation(refused=refused, attempts=attempts)) == seconds


@pytest.mark.parametrize(
    ("row", "seconds"),
    [
        ({"phase": Phase.PENDING, "phase_since": ago(days=1)}, 1),  # it has just begun to deploy
        ({"phase_since": ago(seconds=1)}, 1),
        ({"phase_since": ago(seconds=60)}, 20),
        ({"phase_since": ago(minutes=10)}, 30),
        ({"phase_since": ago(hours=1)}, 120),
        ({"phase_since": ago(days=9)}, 3600),
    ],
)
def test_looking_ever_less_often_while_nothing_changes(row: dict[str, Any], seconds: float) -> None:
    recent = {"revised_at": BORN - timedelta(days=30), "applied_at": ago(seconds=20)}
    assert again(situation(**recent | row)) == seconds


def test_every_trouble_comes_with_a_next_step() -> None:
    quiet = {Phase.UNDEPLOYED, Phase.DELETING, Phase.PENDING, Phase.DEPLOYING, Phase.UPDATING, Phase.DEPLOYED}
    verdicts: list[Verdict] = [decide(case.situation) for case in CASES]
    for verdict in verdicts:
        assert verdict.reason.next_step or (verdict.phase in quiet and not verdict.reason), verdict
    assert decide(situation()).reason is R.NONE
