"""Preflight: shows what a deployment would do, and every reason why it would fail, without doing it."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace
from uuid import UUID

from registry_grpc.domain.deploy_request import NewDeployment
from registry_grpc.domain.deployment import Deployment, FieldDifference, Want
from registry_grpc.domain.deployment_options import DeploymentOptions
from registry_grpc.domain.errors import (
    AlreadyExists,
    DeploymentBlocked,
    FailedPrecondition,
    NotFound,
    Reason,
    Violation,
)
from registry_grpc.domain.evidence import ApplyRefused
from registry_grpc.domain.finding import Finding
from registry_grpc.domain.inference_service import InferenceService
from registry_grpc.domain.model_version import Credentials
from registry_grpc.domain.preflight import canary_findings, findings
from registry_grpc.domain.reason import DeploymentReason
from registry_grpc.domain.redaction import keys_in, redacted
from registry_grpc.ports.cluster import Cluster
from registry_grpc.ports.deployments import DeploymentRepository
from registry_grpc.ports.encryption import SecretUnreadable
from registry_grpc.ports.repositories import InferenceServiceRepository, ModelVersionRepository
from registry_grpc.services.deployments import Deployed
from registry_grpc.services.drafting import Draft, Drafting


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """The object that would be applied, as JSON, its differences from a live object of this name, and all findings."""

    manifest: str
    differences: tuple[FieldDifference, ...]
    findings: tuple[Finding, ...]

    @property
    def blocking(self) -> tuple[Finding, ...]:
        return tuple(finding for finding in self.findings if finding.blocking)


@dataclass(frozen=True, slots=True, kw_only=True)
class Planning:
    """Plans deployments. `cluster` is None when deploying to Kubernetes is switched off."""

    drafting: Drafting
    services: InferenceServiceRepository
    deployments: DeploymentRepository
    versions: ModelVersionRepository
    cluster: Cluster | None = None
    reserved_labels: tuple[str, ...] = ()

    async def plan(self, project_id: UUID, new: NewDeployment) -> Plan:
        """Raises what Drafting.draft raises; FailedPrecondition when deploying is switched off; Unavailable."""
        if self.cluster is None:
            raise FailedPrecondition(Reason.CLUSTER_DISABLED)
        draft = await self.drafting.draft(project_id, new)
        plan = await self._plan(self.cluster, _drafted(draft))
        plan = replace(plan, findings=(*map(_refusal, draft.refusals), *plan.findings, *await self._edits(draft)))
        if await self._with_its_name(draft):
            return replace(plan, findings=(_name_taken(draft), *plan.findings))
        return plan

    async def validate(self, project_id: UUID, new: NewDeployment) -> Deployed:
        """The answer of Deployments.deploy if the deployment succeeds; nothing is stored.

        Raises what Deployments.deploy raises, Unavailable, and DeploymentBlocked with all blocking findings.
        """
        draft = await self.drafting.draft(project_id, new)
        draft.check()
        if there := await self._with_its_name(draft):
            error = AlreadyExists.held(Reason.INFERENCE_SERVICE_NAME_TAKEN, there.id, there.name)
            raise error.within("create inference service")
        await self.rehearse(_drafted(draft))
        return Deployed(service=draft.service, message="validation passed")

    async def plan_update(
        self,
        project_id: UUID,
        id: UUID,
        *,
        model_version_id: UUID | str | None,
        options: DeploymentOptions | None,
        traffic_percent: int | None,
        option_names: Collection[str] | None = None,
    ) -> Plan:
        """What Deployments.update would do. Raises what that raises, and Unavailable."""
        if self.cluster is None:
            raise FailedPrecondition(Reason.CLUSTER_DISABLED)
        before = await self.deployments.get(project_id, id)
        after = await self.drafting.following(before, model_version_id, options, traffic_percent, option_names)
        return await self._plan(self.cluster, after)

    async def rehearse(self, deployment: Deployment) -> None:
        """Raises DeploymentBlocked with all blocking findings, and Unavailable."""
        if self.cluster is not None and (blocking := (await self._plan(self.cluster, deployment)).blocking):
            raise DeploymentBlocked(Violation(finding.code, finding.message) for finding in blocking)

    async def _with_its_name(self, draft: Draft) -> InferenceService | None:
        new = draft.service
        try:
            return await self.services.find_by_name(new.project_id, new.serving_environment_id, new.name)
        except NotFound:
            return None

    async def _edits(self, draft: Draft) -> tuple[Finding, ...]:
        """A finding for each version that was edited since it was last deployed."""
        found = []
        for id_, *now in draft.spec.versions:
            last = await self.deployments.last_copy(draft.service.project_id, id_)
            if last and (edited := last.edited_fields({id_: now})):
                found.append(_edited(id_, edited))
        return tuple(found)

    async def _plan(self, cluster: Cluster, deployment: Deployment) -> Plan:
        spec, namespace = deployment.spec, deployment.namespace
        try:
            credentials = await self.versions.credentials(
                deployment.project_id, spec.model_version_id, spec.storage_uri
            )
        except SecretUnreadable as error:
            unreadable = Finding(DeploymentReason.CREDENTIALS_UNREADABLE, str(error))
            return Plan(manifest="", differences=(), findings=(unreadable,))
        credentials = credentials or Credentials()
        options, canary_of = spec.options, deployment.name if deployment.canary else ""
        facts = await cluster.facts(namespace, options, canary_of=canary_of)
        found = findings(
            deployment.name,
            namespace,
            spec,
            has_credentials=bool(credentials),
            facts=facts,
            reserved_labels=self.reserved_labels,
        )
        if deployment.canary:
            found = (*found, *canary_findings(deployment, facts))
        manifest = ""
        differences: tuple[FieldDifference, ...] = ()
        try:
            manifest = await cluster.manifest(deployment, credentials)
            differences = await cluster.dry_run(deployment, credentials)
        except ApplyRefused as refused:
            found = (*found, Finding(refused.reason, redacted(refused.message, [credentials, *keys_in(options.env)])))
        return Plan(manifest=manifest, differences=differences, findings=_without_repeats(found))


def _drafted(draft: Draft) -> Deployment:
    return Deployment(
        id=draft.service.id,
        project_id=draft.service.project_id,
        namespace=draft.namespace,
        name=draft.service.name,
        want=Want.PRESENT,
        spec=draft.spec,
    )


def _name_taken(draft: Draft) -> Finding:
    message = f"the environment already has an inference service `{draft.service.name}`"
    return Finding(DeploymentReason.INFERENCE_SERVICE_NAME_TAKEN, message, field="name")


def _refusal(error: FailedPrecondition) -> Finding:
    return Finding(DeploymentReason(error.reason), error.full_message, field="model_version_id")


def _edited(id: UUID, fields: tuple[str, ...]) -> Finding:
    names = ", ".join(field.rpartition(".")[2] for field in fields)
    message = f"{names} of version {id} changed since it was last deployed"
    return Finding(DeploymentReason.VERSION_EDITED, message, blocking=False, field="model_version_id")


def _without_repeats(found: tuple[Finding, ...]) -> tuple[Finding, ...]:
    """The blocking findings first, and each code of a field only once, even if a check and the API server report it."""
    by_code: dict[tuple[str, str], Finding] = {}
    for finding in sorted(found, key=lambda finding: not finding.blocking):
        by_code.setdefault((finding.code, finding.field), finding)
    return tuple(by_code.values())
