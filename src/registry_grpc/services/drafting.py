"""What a deployment shall serve, checked before it becomes an intent: against the registry, the operator's policy, and
what is in the cluster already."""

from __future__ import annotations

from collections.abc import Awaitable, Iterable, Iterator
from dataclasses import dataclass, replace
from typing import TypeVar
from uuid import UUID, uuid4

from registry_grpc.domain.deploy_request import NewDeployment
from registry_grpc.domain.deployment import Deployment, DeploymentMode, DeploymentOptions, DeploymentSpec
from registry_grpc.domain.errors import (
    DeploymentBlocked,
    FailedPrecondition,
    InvalidRequest,
    NotFound,
    Reason,
    RegistryError,
    Violation,
)
from registry_grpc.domain.inference_service import InferenceService, NewInferenceService
from registry_grpc.domain.model_version import ModelVersion
from registry_grpc.domain.naming import deployment_name
from registry_grpc.domain.policy import DeploymentPolicy
from registry_grpc.domain.preflight import unknown_findings
from registry_grpc.domain.reason import DeploymentReason
from registry_grpc.domain.registered_model import ARCHIVED, RegisteredModel
from registry_grpc.domain.serve_model import ServeModel
from registry_grpc.ports.deployments import DeploymentRepository
from registry_grpc.ports.repositories import (
    ModelVersionRepository,
    RegisteredModelRepository,
    ServingEnvironmentRepository,
)

T = TypeVar("T")

_ARCHIVED = {Reason.REGISTERED_MODEL_ARCHIVED, Reason.MODEL_VERSION_ARCHIVED}


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """A deployment that was checked against the registry and could be stored."""

    service: InferenceService
    served: tuple[ServeModel, ...]
    namespace: str
    spec: DeploymentSpec
    refusals: tuple[FailedPrecondition, ...]
    """Why its versions or its model may not be deployed now."""

    def check(self, *, ignore_archived: bool = False) -> None:
        """Raises the first refusal. The contract does not look at ARCHIVED (quirk Q47)."""
        for refusal in self.refusals:
            if not (ignore_archived and refusal.reason in _ARCHIVED):
                raise refusal


class Drafting:
    """Makes what can be stored of what is asked for."""

    def __init__(
        self,
        *,
        deployments: DeploymentRepository,
        environments: ServingEnvironmentRepository,
        models: RegisteredModelRepository,
        versions: ModelVersionRepository,
        policy: DeploymentPolicy,
    ) -> None:
        self._deployments = deployments
        self._environments = environments
        self._models = models
        self._versions = versions
        self._policy = policy

    async def draft(self, project_id: UUID, new: NewDeployment) -> Draft:
        """Check a deployment in the order of the contract (2.4): environment, model, versions; then `Draft.check`.

        Raises NotFound, with the step in the text; InvalidRequest for what is not allowed.
        """
        environment_id = new.serving_environment_id
        environment = await within("get serving environment", self._environments.get(project_id, environment_id))
        model = await within("get model", self._models.get(project_id, new.registered_model_id))
        versions = await self._versions_of(model, new.model_version_ids)
        self._policy.check(new.options, environment.namespace)
        service = InferenceService.create(
            NewInferenceService(
                name=new.name or deployment_name(model.slug, versions[0].id, environment.namespace),
                serving_environment_id=environment.id,
                registered_model_id=model.id,
                model_version_ids=tuple(version.id for version in versions),
                labels=new.labels,
            ),
            id=uuid4(),
            project_id=project_id,
        )
        served = ServeModel.create_all(service.id, [version.id for version in versions], project_id=project_id)
        spec = DeploymentSpec.serving(versions, new.labels, new.options)
        refusals = tuple(_refusals(model, versions))
        return Draft(service=service, served=served, namespace=environment.namespace, spec=spec, refusals=refusals)

    async def updated(
        self, deployment: Deployment, model_version_id: UUID | None, options: DeploymentOptions | None
    ) -> DeploymentSpec:
        """What a deployment shall serve with another version or other options. None keeps what it has: without a
        version that is the target revision's copy, whatever was changed of the version since.

        Raises NotFound; InvalidRequest for options; FailedPrecondition, also when options that are kept are no longer
        allowed.
        """
        spec, project_id = deployment.spec, deployment.project_id
        _check_known(spec)
        version = await self._version(project_id, spec.registered_model_id, model_version_id or spec.model_version_id)
        _check_ready(version)
        if model_version_id is not None:
            if version.is_archived:
                raise _archived(version)
            spec = DeploymentSpec.serving((version,), spec.labels, spec.options)
        if options is None:
            self._check_kept(deployment, spec.options)
            return spec
        self._policy.check(options, deployment.namespace)
        if fault := await self._mode_fault(deployment, options.deployment_mode):
            raise InvalidRequest([Violation("options.deployment_mode", fault)])
        return replace(spec, options=options)

    async def check_repeated(self, deployment: Deployment, spec: DeploymentSpec) -> None:
        """What could be deployed once may be forbidden by now.

        Raises NotFound when the version has gone, FailedPrecondition otherwise.
        """
        _check_known(spec)
        _check_ready(await self._version(deployment.project_id, spec.registered_model_id, spec.model_version_id))
        self._check_kept(deployment, spec.options)
        if fault := await self._mode_fault(deployment, spec.options.deployment_mode):
            text = f"options.deployment_mode {fault}"
            raise DeploymentBlocked([Violation(DeploymentReason.DEPLOYMENT_MODE_FIXED, text)])

    def _check_kept(self, deployment: Deployment, options: DeploymentOptions) -> None:
        """Options that the request does not have in it: what is stored is at fault, not the request."""
        if violations := self._policy.violations(options, deployment.namespace):
            raise DeploymentBlocked(
                Violation(DeploymentReason.OPTION_NOT_ALLOWED, f"{v.field} {v.description}") for v in violations
            )

    async def _mode_fault(self, deployment: Deployment, mode: DeploymentMode) -> str:
        """What speaks against a deployment mode: KServe takes no other for an object that is there."""
        if deployment.applied is None:
            return ""
        there = deployment.spec
        if deployment.applied_generation not in {0, deployment.generation}:
            applied = deployment.applied_generation
            there = (await self._deployments.revision(deployment.project_id, deployment.id, applied)).spec
        if mode is there.options.deployment_mode:
            return ""
        return f"cannot be changed from `{there.options.deployment_mode}` to `{mode}`: undeploy it first"

    async def _versions_of(self, model: RegisteredModel, ids: tuple[UUID, ...]) -> tuple[ModelVersion, ...]:
        """Those versions of a model, or the one meant without ids."""
        versions = tuple([await self._version(model.project_id, model.id, id_) for id_ in ids])
        if not versions:
            chosen = model.default_version or model.latest_version
            if chosen is None:
                raise NotFound.of(Reason.MODEL_VERSION_NOT_FOUND)
            versions = (chosen,)
        return versions

    async def _version(self, project_id: UUID, registered_model_id: UUID, id: UUID) -> ModelVersion:
        found = self._versions.get(project_id, id, registered_model_id=registered_model_id)
        return await within(f"get version {id}", found)


def _check_known(spec: DeploymentSpec) -> None:
    """A revision that is made of one with unknown options would lose them."""
    if violations := [Violation(finding.code, finding.message) for finding in unknown_findings(spec)]:
        raise DeploymentBlocked(violations)


def _refusals(model: RegisteredModel, versions: Iterable[ModelVersion]) -> Iterator[FailedPrecondition]:
    yield from (_not_ready(version) for version in versions if not version.is_ready)
    if model.state == ARCHIVED:
        yield FailedPrecondition(Reason.REGISTERED_MODEL_ARCHIVED, registered_model_id=str(model.id))
    yield from (_archived(version) for version in versions if version.is_archived)


def _check_ready(version: ModelVersion) -> None:
    if not version.is_ready:
        raise _not_ready(version)


def _not_ready(version: ModelVersion) -> FailedPrecondition:
    error = FailedPrecondition(Reason.MODEL_VERSION_NOT_READY, model_version_id=str(version.id), status=version.status)
    return error.within(f"version {version.name}")


def _archived(version: ModelVersion) -> FailedPrecondition:
    error = FailedPrecondition(Reason.MODEL_VERSION_ARCHIVED, model_version_id=str(version.id))
    return error.within(f"version {version.name}")


async def within(step: str, work: Awaitable[T]) -> T:
    """Let a refusal say in which step it was."""
    try:
        return await work
    except RegistryError as error:
        raise error.within(step) from error
