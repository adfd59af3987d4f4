"""What was seen in the cluster about one deployment. Facts only; domain.decision draws the conclusions.

The facts are KServe's, read where they are true: the rollout from the Deployment (or Knative Service) and the pods
of its newest ReplicaSet, because the InferenceService itself stays Ready while an update fails.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from registry_grpc.domain.deployment import Deployment, FieldDifference
from registry_grpc.domain.reason import DeploymentReason


@dataclass(frozen=True, slots=True, kw_only=True)
class Condition:
    """A status condition; `status` is True, False or Unknown as text, `since` its last transition."""

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
class ModelFailure:
    """`status.modelStatus.lastFailureInfo`. Sticky in KServe: only to be trusted with the right transition status."""

    reason: str
    message: str = ""
    exit_code: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ContainerEvidence:
    """A container of a pod: why it waits, how it ended last, how often it was restarted."""

    name: str
    is_init: bool
    waiting: str = ""
    message: str = ""
    last_exit: str = ""
    """The reason of the last termination: Error, OOMKilled, Completed…; empty when it never ended."""
    exit_code: int | None = None
    is_ready: bool = False
    restarts: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class PodEvidence:
    """A pod of the newest ReplicaSet."""

    name: str
    created_at: datetime
    unschedulable: str = ""
    """The scheduler's message when it found no node."""
    containers: tuple[ContainerEvidence, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Rollout:
    """The workload that KServe made: a Deployment, or a Knative Service."""

    revision: int
    """The one in the annotation of the pod template; 0 without it."""
    is_observed: bool
    """Whether the workload's own controller has seen the latest template."""
    is_complete: bool
    """Whether all wanted replicas are of this template and available (Knative: latest created is latest ready)."""
    is_available: bool = False
    """Whether any replica serves, of this template or of one before."""
    replica_failure: Condition | None = None
    progressing: Condition | None = None
    pods: tuple[PodEvidence, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class WarningEvent:
    """A Warning event on the InferenceService about an error that no status tells."""

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
    """The value of our identity label, or, of an object that the Go service made, of its inference service's id;
    empty when there is neither."""
    registry_id: str
    revision: int = 0
    """The one it was applied with last, perhaps by a pass that overtook ours; 0 for an object of the Go service."""
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
    """When KServe wrote the status last (managedFields)."""
    url: str = ""
    drift: tuple[FieldDifference, ...] = ()
    """How it differs from what was applied last."""
    changed_by: str = ""
    """The field manager of the newest change that is neither ours nor a status."""

    def is_of(self, deployment: Deployment) -> bool:
        return self.deployment_id == str(deployment.id)


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """All that was seen in one look; `live` is None when there is no object of that name.

    `at` is the cluster's time of the look (the Date header of the API server), because all times in it are.
    """

    at: datetime
    live: LiveObject | None = None
    rollout: Rollout | None = None
    warning: WarningEvent | None = None


class ApplyRefused(Exception):
    """An apply or a delete was not done. `message` is the API server's own text, where it was asked; `retry_after` is
    in seconds, when it said so."""

    def __init__(self, reason: DeploymentReason, message: str, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.reason = reason
        self.message = message
        self.retry_after = retry_after
