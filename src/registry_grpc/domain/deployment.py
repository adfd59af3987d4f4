"""Deployments: the intent to serve a version, stored as a row to which a controller keeps the cluster (docs/kserve.md).

A deployment has the id of its inference service. Every change of the intent is an immutable revision, numbered by
`generation`. `applied_generation` is the one last applied to the cluster, `serving_generation` the one that serves.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from typing import Any, NamedTuple, Self
from uuid import UUID

from registry_grpc.domain.canary import Canary, CanaryStep, Split
from registry_grpc.domain.deployment_options import DeploymentOptions
from registry_grpc.domain.errors import FailedPrecondition, Reason, Stale
from registry_grpc.domain.filter.fields import declared, word
from registry_grpc.domain.inference_service import InferenceServicePatch, ServiceState
from registry_grpc.domain.model_version import COPIED, ModelVersion
from registry_grpc.domain.patch import UNSET, Unset
from registry_grpc.domain.reason import DeploymentReason
from registry_grpc.domain.redaction import redacted
from registry_grpc.domain.serving_environment import DriftPolicy
from registry_grpc.domain.stored_word import StoredWord
from registry_grpc.domain.times import NOT_STORED


class Want(StrEnum):
    """Whether the cluster should have the object."""

    PRESENT = "PRESENT"
    ABSENT = "ABSENT"

    @classmethod
    def of(cls, desired_state: str | Unset) -> Want:
        """The intent of a service's `desired_state`, which is set."""
        return cls.PRESENT if desired_state == ServiceState.DEPLOYED else cls.ABSENT


class Phase(StoredWord):
    """The phase of a deployment. The proto enum DeploymentPhase documents each one."""

    PENDING = "PENDING"
    DEPLOYING = "DEPLOYING"
    DEPLOYED = "DEPLOYED"
    UPDATING = "UPDATING"
    DEGRADED = "DEGRADED"
    DRIFTED = "DRIFTED"
    STOPPED = "STOPPED"
    DELETING = "DELETING"
    UNDEPLOYED = "UNDEPLOYED"
    FAILED = "FAILED"


class Cause(StoredWord):
    """The request that made a revision."""

    DEPLOY = "DEPLOY"
    UPDATE = "UPDATE"
    ROLLBACK = "ROLLBACK"
    REDEPLOY = "REDEPLOY"
    UNDEPLOY = "UNDEPLOY"
    RESTORE = "RESTORE"


class Outcome(StoredWord):
    """The outcome of a revision."""

    PENDING = "PENDING"
    SERVED = "SERVED"
    FAILED = "FAILED"
    SUPERSEDED = "SUPERSEDED"
    ABORTED = "ABORTED"


SORT_FIELDS = ("id", "created_at", "updated_at", "name", "namespace")
FILTER_FIELDS = declared(
    word("phase", Phase, "DEPLOYMENT_PHASE_"),
    word("reason", [reason for reason in DeploymentReason if reason], "DEPLOYMENT_REASON_"),
    id=("id", "registered_model_id", "model_version_id"),
    time=("created_at", "updated_at", "phase_since", "observed_at"),
    text=("name", "namespace", "message", "url"),
    integer=("target_revision", "serving_revision"),
)
REVISION_SORT_FIELDS = ("revision",)
REVISION_FILTER_FIELDS = declared(
    word("cause", Cause, "REVISION_CAUSE_"),
    word("outcome", Outcome, "REVISION_OUTCOME_"),
    word("reason", [reason for reason in DeploymentReason if reason], "DEPLOYMENT_REASON_"),
    id=("model_version_id",),
    time=("created_at", "served_from", "served_until"),
    text=("created_by",),
    integer=("revision",),
)


class VersionCopy(NamedTuple):
    """What a version was when a revision was made: its id and the fields of `COPIED`."""

    model_version_id: UUID
    uri: str
    model_framework: str
    model_framework_version: str
    container_image: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DeploymentSpec:
    """What a revision serves. It is copied from the versions when the revision is made, and never changes.

    `served_version_ids` are all versions recorded as serve models; the first one, `model_version_id`, is deployed.
    `others` are the copies of those after it; revisions that were made before there were copies have none.
    `requested_version`: what the request called the deployed version, and its number, if it did not give the id.
    `needs_keys`: the deployed version had storage keys, so that the revision is not applied without keys.
    """

    registered_model_id: UUID
    model_version_id: UUID
    served_version_ids: tuple[UUID, ...]
    model_format: str
    model_format_version: str
    storage_uri: str
    container_image: str
    others: tuple[VersionCopy, ...] = ()
    needs_keys: bool = False
    requested_version: str = ""
    labels: Mapping[str, str] = field(default_factory=dict)
    options: DeploymentOptions = field(default_factory=DeploymentOptions)
    unknown: Mapping[str, Any] = field(default_factory=dict)
    """Fields of a newer release that this one does not know, by their path (`options.x`). They are kept, and the spec
    is never applied without them."""

    @classmethod
    def serving(
        cls,
        versions: tuple[ModelVersion, ...],
        labels: Mapping[str, str],
        options: DeploymentOptions,
        requested: UUID | str | None = None,
    ) -> Self:
        """`requested` is what the request called the deployed version."""
        version = versions[0]
        named = requested and not isinstance(requested, UUID)
        return cls(
            requested_version=f"{requested} → version {version.number}" if named else "",
            registered_model_id=version.registered_model_id,
            model_version_id=version.id,
            served_version_ids=tuple(v.id for v in versions),
            model_format=version.model_framework,
            model_format_version=version.model_framework_version,
            storage_uri=version.uri,
            container_image=version.container_image,
            others=tuple(VersionCopy(v.id, *(getattr(v, name) for name in COPIED)) for v in versions[1:]),
            labels=labels,
            options=options,
        )

    @property
    def versions(self) -> tuple[VersionCopy, ...]:
        """The copies of the served versions, the deployed one first."""
        deployed = self.storage_uri, self.model_format, self.model_format_version, self.container_image
        return VersionCopy(self.model_version_id, *deployed), *self.others

    def edited_fields(self, now: Mapping[UUID, Sequence[str]]) -> tuple[str, ...]:
        """The fields of `COPIED` that differ from `now`, the current values by version: the names of those of the
        deployed version, and `<id>.<name>` for the others."""
        return tuple(
            name if id_ == self.model_version_id else f"{id_}.{name}"
            for id_, *copied in self.versions
            for name, then, value in zip(COPIED, copied, now.get(id_, copied), strict=True)
            if value != then
        )

    @property
    def runtime(self) -> str:
        """The serving runtime; empty lets KServe choose one by the model format."""
        return self.options.runtime or self.container_image


def check_version_kept(id: UUID, model_version_id: UUID, patch: InferenceServicePatch) -> None:
    """Refuse another version for a service that is deployed with this one and stays so: it would say one version and
    serve another."""
    stays = patch.desired_state is UNSET or Want.of(patch.desired_state) is Want.PRESENT
    if stays and patch.model_version_id not in {UNSET, model_version_id}:
        raise FailedPrecondition(Reason.DEPLOYED_VERSION_FIXED, id=str(id), model_version_id=str(model_version_id))


@dataclass(frozen=True, slots=True)
class FieldDifference:
    """A field that differs from what was applied. Values are JSON; empty if the field is absent."""

    path: str
    applied: str
    found: str

    def __post_init__(self) -> None:
        for name in ("applied", "found"):
            object.__setattr__(self, name, redacted(getattr(self, name)))


@dataclass(frozen=True, slots=True, kw_only=True)
class Applied:
    """The API server's answer to the last apply.

    `content` is the stored object: {"spec", "ours", "labels", "annotations", "secrets"}. `spec` has the defaults set by
    webhooks, but not what others have added; `ours` is what was sent, and `secrets` names the Secrets made for it.
    `repairs` has the fields that were put right lately under the policy `enforce`, by path, and how often, and
    under an empty path the object.
    `stamp`: the revision stamped on the target's pods; 0 for the applied one. `split` is that of the deployment
    (`Deployment.wanted_split`), with `predictor_stamp`: the revision stamped on the pods of the object's predictor.
    """

    uid: str
    k8s_generation: int
    resource_version: str
    content: Mapping[str, Any]
    stamp: int = 0
    predictor_stamp: int = 0
    split: str = ""
    repairs: Mapping[str, int] = field(default_factory=dict)

    @property
    def ours(self) -> Any:
        """The spec that was sent. Until 2026-11-29 only the stored one was kept."""
        return self.content.get("ours", self.content["spec"])


@dataclass(frozen=True, slots=True, kw_only=True)
class Deployment:
    """The intent and the last observation. Times are those of the database."""

    id: UUID
    project_id: UUID
    created_at: datetime = NOT_STORED
    updated_at: datetime = NOT_STORED
    namespace: str
    name: str
    want: Want
    spec: DeploymentSpec
    generation: int = 1
    revised_at: datetime = NOT_STORED
    """The time when the current generation was made. The deadline counts from here."""
    applied_generation: int = 0
    applied: Applied | None = None
    applied_at: datetime | None = None
    serving_generation: int | None = None
    phase: Phase = Phase.PENDING
    phase_since: datetime = NOT_STORED
    reason: DeploymentReason = DeploymentReason.NONE
    message: str = ""
    next_step: str = ""
    url: str = ""
    drift: tuple[FieldDifference, ...] = ()
    observed_at: datetime | None = None
    attempts: int = 0
    """How many consecutive passes could not reach the API server."""
    drift_policy: DriftPolicy = DriftPolicy.REPORT
    edited_version_fields: tuple[str, ...] = ()
    """The fields of its versions that were changed since they were copied into the spec (`spec.edited_fields`)."""
    canary: Canary | None = None
    split: Split | None = None
    """How the requests were divided when the canary was last observed."""

    def tried(self, spec: DeploymentSpec, percent: int) -> Self:
        """The deployment with a next revision that is tried beside the stable one."""
        beside = self.canary or Canary(
            stable_generation=self.generation, stable_version_id=self.spec.model_version_id, percent=percent
        )
        canary = replace(beside, step=CanaryStep.TRY, percent=percent)
        return replace(self, spec=spec, generation=self.generation + 1, canary=canary, split=None)

    @property
    def canary_name(self) -> str:
        """The name that a canary of the target revision has in the object."""
        return f"r{self.generation}"

    @property
    def wanted_split(self) -> str:
        """Identifies how the object divides the requests; empty without a canary."""
        canary = self.canary
        return f"{canary.step} {canary.share} % beside {canary.stable_generation}" if canary else ""

    @property
    def is_applied(self) -> bool:
        """Whether the last applied object is as the row wants it."""
        applied = self.applied
        is_this = applied is not None and applied.split == self.wanted_split
        return is_this and self.applied_generation == self.generation

    @property
    def stamp(self) -> int:
        """The revision that is stamped on the target revision's pods: an earlier one if it has made the same pods."""
        is_applied = self.applied is not None and self.applied_generation == self.generation
        return (self.applied.stamp if self.applied and is_applied else 0) or self.generation


@dataclass(frozen=True, slots=True, kw_only=True)
class DeploymentRevision:
    """One state of the intent. Its `spec` never changes. It may pause between `served_from` and `served_until`."""

    deployment_id: UUID
    generation: int
    created_at: datetime
    created_by: str
    cause: Cause
    spec: DeploymentSpec
    outcome: Outcome
    reason: DeploymentReason = DeploymentReason.NONE
    served_from: datetime | None = None
    served_until: datetime | None = None

    @property
    def id(self) -> UUID:
        """Lists sort ties by it; revisions of one deployment have none."""
        return self.deployment_id

    @property
    def revision(self) -> int:
        """The name of `generation` for clients."""
        return self.generation


@dataclass(frozen=True, slots=True, kw_only=True)
class DeploymentEvent:
    """One change of a deployment in the append-only log, numbered by `sequence`. `resume_token` is the place after it
    in this history of the log; a restored database gives the same numbers again, but not the same tokens."""

    sequence: int
    resume_token: str
    occurred_at: datetime
    deployment_id: UUID
    generation: int
    serving_generation: int | None
    phase: Phase
    reason: DeploymentReason
    message: str
    next_step: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Orphan:
    """An object in the cluster with this registry's labels but without a deployment. It is reported and never deleted
    automatically."""

    namespace: str
    name: str
    uid: str
    deployment_id: str
    seen_at: datetime


def check_revision(deployment: Deployment, expected: int | None) -> None:
    """Raises Stale if another revision than the expected one is the target."""
    if expected not in {None, deployment.generation}:
        raise Stale.revision(deployment.id, deployment.generation)


def check_may_try(deployment: Deployment, percent: int | None) -> None:
    """Raises FailedPrecondition if an update with this share cannot begin now. A canary needs a revision that serves
    beside it. One that is being promoted or aborted is in the way of every update."""
    canary = deployment.canary
    if canary is not None and canary.step is not CanaryStep.TRY:
        text = f"revision {deployment.generation} is being promoted or aborted: wait until that has ended"
        raise FailedPrecondition(Reason.CANARY_UNDER_WAY, text, revision=str(deployment.generation))
    serves = deployment.want is Want.PRESENT and deployment.serving_generation == deployment.generation
    if percent is not None and canary is None and not (serves and deployment.is_applied):
        text = f"revision {deployment.generation} does not serve, so no other one can be tried beside it"
        raise FailedPrecondition(Reason.CANARY_NOT_POSSIBLE, text, revision=str(deployment.generation))
