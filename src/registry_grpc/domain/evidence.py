"""Evidence: the observed state of one deployment in the cluster, from which domain.decision draws conclusions.

The rollout is read from the Deployment (or Knative Service) and the pods of its newest ReplicaSet, because the
InferenceService itself stays Ready while an update fails.

Texts that others have written lose what looks like a secret here, because later they are stored, shown and logged.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from registry_grpc.domain.canary import Split
from registry_grpc.domain.deployment import Deployment, FieldDifference
from registry_grpc.domain.reason import DeploymentReason
from registry_grpc.domain.redaction import redacted


class _Heard:
    """Has a message that others have written."""

    __slots__ = ()
    message: str

    def __post_init__(self) -> None:
        object.__setattr__(self, "message", redacted(self.message))


@dataclass(frozen=True, slots=True, kw_only=True)
class Condition(_Heard):
    """A status condition. `status` is True, False or Unknown as text, and `since` its last transition."""

    status: str
    reason: str = ""
    message: str = ""
    since: datetime | None = None

    @property
    def is_true(self) -> bool:
        return self.status == "True"

    @property
    def is_false(self) -> bool:
        return self.status == "False"


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelFailure(_Heard):
    """`status.modelStatus.lastFailureInfo`. KServe keeps old ones, so it needs the right transition status."""

    reason: str
    message: str = ""
    exit_code: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ContainerEvidence(_Heard):
    """A container of a pod: why it waits, how it last ended, and how often it was restarted."""

    name: str
    is_init: bool
    waiting: str = ""
    message: str = ""
    last_exit: str = ""
    """The reason of the last termination: Error, OOMKilled, Completed…; empty if it never ended."""
    exit_code: int | None = None
    is_ready: bool = False
    restarts: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class PodEvidence:
    """A pod of the newest ReplicaSet."""

    name: str
    created_at: datetime
    unschedulable: str = ""
    """The scheduler's message if it found no node."""
    containers: tuple[ContainerEvidence, ...] = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "unschedulable", redacted(self.unschedulable))


@dataclass(frozen=True, slots=True, kw_only=True)
class Rollout:
    """The workload that KServe made: a Deployment, or a Knative Service."""

    revision: int
    """The revision in the annotation of the pod template; 0 without it."""
    is_observed: bool
    """Whether the workload's own controller has seen the latest template."""
    is_complete: bool
    """Whether all wanted replicas have this template and are available (Knative: the latest created is ready)."""
    is_available: bool = False
    """Whether any replica serves, with this template or an earlier one."""
    has_minimum: bool = False
    """Whether the minimum number of replicas is available, all of this template. An autoscaler may want more."""
    available: Condition | None = None
    """Whether enough replicas are available, and since when. A Knative Service has no such condition."""
    replica_failure: Condition | None = None
    progressing: Condition | None = None
    pods: tuple[PodEvidence, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class WarningEvent(_Heard):
    """A Warning event of the InferenceService about an error that is in no status."""

    message: str
    first_seen: datetime
    last_seen: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class LiveObject:
    """The InferenceService as it is in the cluster."""

    uid: str
    k8s_generation: int
    resource_version: str
    deployment_id: str
    """The value of our identity label, or the id of the inference service if the Go service made the object; empty if
    there is neither."""
    registry_id: str
    is_foreign: bool = False
    """Whether it has the mark of another installation, such as that of which this database is a copy."""
    revision: int = 0
    """The revision that was last applied, perhaps by a pass that overtook ours; 0 for an object of the Go service."""
    deleting_since: datetime | None = None
    finalizers: tuple[str, ...] = ()
    is_stopped: bool = False
    has_conditions: bool = False
    ready: Condition | None = None
    predictor_ready: Condition | None = None
    ingress_ready: Condition | None = None
    transition_status: str = ""
    failure: ModelFailure | None = None
    status_written_at: datetime | None = None
    """When KServe last wrote the status (managedFields)."""
    url: str = ""
    drift: tuple[FieldDifference, ...] = ()
    """The differences from what was last applied."""
    changed_by: str = ""
    """The field manager of the newest change that is neither ours nor one of the status."""

    def is_applied(self, deployment: Deployment) -> bool:
        """Whether it is the object that was applied, no matter what others have written into it since."""
        return deployment.applied is not None and deployment.applied.uid == self.uid

    def is_of(self, deployment: Deployment) -> bool:
        """Whether it belongs to the deployment: by its uid if that is known, or else by its label. A copy of a database
        knows both of its original's objects, but has another installation id."""
        return not self.is_foreign and (self.is_applied(deployment) or self.deployment_id == str(deployment.id))


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """The result of one observation. `live` is None if there is no object with this name.

    `at` is the cluster's time (the Date header of the API server), like all times in it. During a canary, `rollout` is
    that of the target's own workload, and `split` says how the requests are divided.
    """

    at: datetime
    live: LiveObject | None = None
    namespace_is_gone: bool = False
    """Then nothing is there, and nothing can be written. Only known where the namespace cannot be read."""
    rollout: Rollout | None = None
    split: Split | None = None
    warning: WarningEvent | None = None


class ApplyRefused(Exception):
    """An apply or a delete was refused. `message` is the API server's text if it was asked, and `retry_after` the
    number of seconds before the next try, if the server gave one."""

    def __init__(self, reason: DeploymentReason, message: str, retry_after: float | None = None) -> None:
        self.reason = reason
        self.message = redacted(message)
        super().__init__(self.message)
        self.retry_after = retry_after
