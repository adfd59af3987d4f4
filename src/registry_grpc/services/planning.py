"""Preflight: what a deployment would do, and everything that speaks against it, without doing it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from uuid import UUID

from registry_grpc.domain.deploy_request import NewDeployment
from registry_grpc.domain.deployment import Deployment, FieldDifference, Want
from registry_grpc.domain.errors import (
    AlreadyExists,
    DeploymentBlocked,
    FailedPrecondition,
    Reason,
    Unavailable,
    Violation,
)
from registry_grpc.domain.evidence import ApplyRefused, Refusal
from registry_grpc.domain.finding import Finding
from registry_grpc.domain.model_version import Credentials
from registry_grpc.domain.preflight import findings
from registry_grpc.domain.times import NOT_STORED
from registry_grpc.ports.cluster import Cluster
from registry_grpc.ports.deployments import DeploymentRepository
from registry_grpc.ports.encryption import SecretUnreadable
from registry_grpc.ports.repositories import ModelVersionRepository
from registry_grpc.services.deployments import Deployed, Deployments
from registry_grpc.services.drafting import Draft

_HINTS = {
    Reason.MODEL_VERSION_NOT_READY: "set the version's status to READY, or deploy another one",
    Reason.REGISTERED_MODEL_ARCHIVED: "set the model's state to LIVE",
    Reason.MODEL_VERSION_ARCHIVED: "set the version's state to LIVE, or deploy another one",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What an apply would do: the object as JSON, how a live object of its name differs, and all findings."""

    manifest: str
    differences: tuple[FieldDifference, ...]
    findings: tuple[Finding, ...]

    @property
    def blocking(self) -> tuple[Finding, ...]:
        return tuple(finding for finding in self.findings if finding.blocking)


class Planning:
    """Plans deployments. `cluster` is None when deploying to Kubernetes is switched off."""

    def __init__(
        self,
        *,
        deployments: Deployments,
        history: DeploymentRepository,
        versions: ModelVersionRepository,
        cluster: Cluster | None = None,
    ) -> None:
        self._deployments = deployments
        self._history = history
        self._versions = versions
        self._cluster = cluster

    async def plan(self, project_id: UUID, new: NewDeployment) -> Plan:
        """Raises as Deployments.draft; FailedPrecondition when deploying is switched off; Unavailable."""
        if self._cluster is None:
            raise FailedPrecondition(Reason.CLUSTER_DISABLED)
        draft = await self._deployments.draft(project_id, new)
        plan = await self._plan(self._cluster, draft)
        plan = replace(plan, findings=(*map(_refusal, draft.refusals), *plan.findings, *await self._edits(draft)))
        if await self._deployments.is_name_taken(draft):
            return replace(plan, findings=(_name_taken(draft), *plan.findings))
        return plan

    async def validate(self, project_id: UUID, new: NewDeployment) -> Deployed:
        """What Deployments.deploy would answer if all went well; nothing is stored.

        Raises as that does, Unavailable, and DeploymentBlocked with all that is sure to fail in the cluster.
        """
        draft = await self._deployments.draft(project_id, new)
        draft.check()
        if await self._deployments.is_name_taken(draft):
            raise AlreadyExists(Reason.INFERENCE_SERVICE_NAME_TAKEN).within("create inference service")
        if self._cluster is not None and (blocking := (await self._plan(self._cluster, draft)).blocking):
            raise DeploymentBlocked(Violation(finding.code, finding.message) for finding in blocking)
        return Deployed(service=draft.service, message="nothing speaks against it")

    async def _edits(self, draft: Draft) -> tuple[Finding, ...]:
        """Whether the version is no longer what was deployed of it before."""
        copy = await self._history.last_copy(draft.service.project_id, draft.spec.model_version_id)
        edited = copy.edited_fields(draft.spec.copied) if copy else ()
        return (_edited(edited),) if edited else ()

    async def _plan(self, cluster: Cluster, draft: Draft) -> Plan:
        deployment = Deployment(
            id=draft.service.id,
            project_id=draft.service.project_id,
            created_at=NOT_STORED,
            updated_at=NOT_STORED,
            namespace=draft.namespace,
            name=draft.service.name,
            want=Want.PRESENT,
            spec=draft.spec,
            revised_at=NOT_STORED,
            phase_since=NOT_STORED,
        )
        try:
            credentials = await self._versions.credentials(
                deployment.project_id, draft.spec.model_version_id, draft.spec.storage_uri
            )
        except SecretUnreadable as error:
            return Plan(manifest="", differences=(), findings=(_unreadable(error),))
        credentials = credentials or Credentials()
        facts = await cluster.facts(draft.namespace, draft.spec.options.service_account)
        found = findings(deployment.name, draft.namespace, draft.spec, has_credentials=bool(credentials), facts=facts)
        manifest = cluster.manifest(deployment, credentials)
        differences: tuple[FieldDifference, ...] = ()
        try:
            differences = (await cluster.dry_run(deployment, credentials)).differences
        except ApplyRefused as refused:
            if refused.refusal is Refusal.UNAVAILABLE:
                raise Unavailable(Reason.CLUSTER_UNAVAILABLE, refused.message) from refused
            found = (*found, _finding(refused))
        return Plan(manifest=manifest, differences=differences, findings=_without_repeats(found))


def _name_taken(draft: Draft) -> Finding:
    return Finding(
        code=Reason.INFERENCE_SERVICE_NAME_TAKEN,
        message=f"the environment has an inference service `{draft.service.name}` already",
        hint="give another `name`; or delete that service, or update its deployment",
        field="name",
    )


def _refusal(error: FailedPrecondition) -> Finding:
    return Finding(code=error.reason, message=error.message, hint=_HINTS[error.reason], field="model_version_id")


def _edited(fields: tuple[str, ...]) -> Finding:
    return Finding(
        code="VERSION_EDITED",
        message=f"{', '.join(fields)} of the version changed since it was deployed last",
        hint="check that this is meant; deployments that exist keep what they serve. Add a version for every change",
        blocking=False,
        field="model_version_id",
    )


def _unreadable(error: SecretUnreadable) -> Finding:
    hint = "configure that encryption key, or give the version its keys again by UpdateModelVersion or PATCH"
    return Finding(code="CREDENTIALS_UNREADABLE", message=str(error), hint=hint)


def _finding(refused: ApplyRefused) -> Finding:
    return Finding(code=refused.reason, message=refused.message, hint="read the message of the API server")


def _without_repeats(found: tuple[Finding, ...]) -> tuple[Finding, ...]:
    """The blocking ones first; what a check and the API server both say, once."""
    by_code: dict[tuple[str, str], Finding] = {}
    for finding in sorted(found, key=lambda finding: not finding.blocking):
        by_code.setdefault((finding.code, finding.field), finding)
    return tuple(by_code.values())
