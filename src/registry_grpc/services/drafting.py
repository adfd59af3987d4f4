"""Checks a requested deployment before it becomes an intent: against the registry, the operator's policy, and the
object that is already in the cluster."""

from __future__ import annotations

from collections.abc import Awaitable, Collection, Iterable, Iterator
from dataclasses import dataclass, replace
from typing import TypeVar
from uuid import UUID, uuid4

from registry_grpc.domain.canary import check_percent
from registry_grpc.domain.deploy_request import NewDeployment
from registry_grpc.domain.deployment import Deployment, DeploymentSpec, Want, check_may_try
from registry_grpc.domain.deployment_options import DeploymentMode, DeploymentOptions
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
from registry_grpc.domain.model_version import READY, ModelVersion
from registry_grpc.domain.naming import deployment_name
from registry_grpc.domain.policy import DeploymentPolicy
from registry_grpc.domain.preflight import unknown_findings
from registry_grpc.domain.project import Project
from registry_grpc.domain.reason import DeploymentReason
from registry_grpc.domain.registered_model import ARCHIVED, RegisteredModel
from registry_grpc.domain.serve_model import ServeModel
from registry_grpc.domain.storage import place_of
from registry_grpc.ports.deployments import DeploymentRepository
from registry_grpc.ports.projects import Tenants
from registry_grpc.ports.repositories import (
    ModelVersionRepository,
    RegisteredModelRepository,
    ServingEnvironmentRepository,
)
from registry_grpc.services.projects import tenant

T = TypeVar("T")

_ARCHIVED = {Reason.REGISTERED_MODEL_ARCHIVED, Reason.MODEL_VERSION_ARCHIVED}


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """A deployment that is ready to be stored, and the reasons why it may not be."""

    service: InferenceService
    served: tuple[ServeModel, ...]
    namespace: str
    spec: DeploymentSpec
    refusals: tuple[FailedPrecondition, ...]
    """The reasons why its versions or its model may not be deployed now."""

    def check(self, *, ignore_archived: bool = False) -> None:
        """Raises the first refusal. The contract ignores the state ARCHIVED (quirk Q47)."""
        _check(self.refusals, ignore_archived=ignore_archived)


@dataclass(frozen=True, slots=True, kw_only=True)
class Drafting:
    """Turns requests into drafts and specs, and refuses those that are not allowed."""

    deployments: DeploymentRepository
    environments: ServingEnvironmentRepository
    models: RegisteredModelRepository
    versions: ModelVersionRepository
    policy: DeploymentPolicy
    tenants: Tenants

    async def draft(self, project_id: UUID, new: NewDeployment) -> Draft:
        """Check a deployment in the order of the contract (2.4): environment, model, versions; then `Draft.check`.

        Raises NotFound with a text that names the step; InvalidRequest for options that are not allowed;
        NotAllowed for namespace, uris and runtime.
        """
        environment_id = new.serving_environment_id
        environment = await within("get serving environment", self.environments.get(project_id, environment_id))
        model = await within("get model", self.models.get(project_id, new.registered_model_id))
        versions = await self._versions_of(model, new.model_version_ids or (*filter(None, [new.version]),))
        project = await tenant(self.tenants, project_id)
        self._check_tenant(project, environment.namespace, new.options, [version.uri for version in versions])
        self._policy_of(project).check(new.options, environment.namespace)
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
        spec = DeploymentSpec.serving(versions, new.labels, new.options, new.version)
        spec = await self._with_keys(project_id, spec, is_new_copy=True)
        refusals = tuple(_refusals(model, versions))
        return Draft(service=service, served=served, namespace=environment.namespace, spec=spec, refusals=refusals)

    async def updated(
        self,
        deployment: Deployment,
        version: UUID | str | None,
        options: DeploymentOptions | None,
        *,
        ignore_archived: bool = False,
    ) -> DeploymentSpec:
        """The spec of the deployment with another version, given by its id or by what
        `ModelVersionRepository.named` calls it, or with other options. None keeps the present ones: without a
        version, the deployment keeps its copy of the version, even if the version was edited since or is not READY.
        But if it was undeployed, this deploys it again, and its versions are checked as in `repeated`.

        Raises NotFound; InvalidRequest for the options of the request; FailedPrecondition, also when the deployment
        keeps options that are no longer allowed; NotAllowed.
        """
        spec, project_id = deployment.spec, deployment.project_id
        project = await tenant(self.tenants, project_id)
        _check_known(spec)
        if version is not None:
            copied = await self._version(project_id, spec.registered_model_id, version)
            model = await self.models.get(project_id, spec.registered_model_id)
            _check(_refusals(model, (copied,)), ignore_archived=ignore_archived)
            spec = DeploymentSpec.serving((copied,), spec.labels, spec.options, version)
            spec = await self._with_keys(project_id, spec, is_new_copy=True)
        else:
            if deployment.want is Want.ABSENT:
                await self._check_versions(deployment, spec, ignore_archived=ignore_archived)
            spec = await self._with_keys(project_id, spec)
        self._check_tenant(project, deployment.namespace, options or spec.options, [spec.storage_uri])
        if options is None:
            self._check_kept(project, deployment, spec.options)
            return spec
        self._policy_of(project).check(options, deployment.namespace)
        if fault := await self._mode_fault(deployment, options.deployment_mode):
            raise InvalidRequest([Violation("options.deployment_mode", fault)])
        return replace(spec, options=options)

    async def following(
        self,
        deployment: Deployment,
        version: UUID | str | None,
        options: DeploymentOptions | None,
        traffic_percent: int | None,
        option_names: Collection[str] | None = None,
    ) -> Deployment:
        """The deployment after an update. Of the options, only those with these names change (None: all). It is tried
        beside the stable revision if the update names a share or if a revision is tried already. Without version and
        options, only the share of the present canary changes.

        Raises what `updated` raises; InvalidRequest for the share; FailedPrecondition if nothing can be tried now.
        """
        if options is not None:
            if option_names is not None:
                options = replace(deployment.spec.options, **{name: getattr(options, name) for name in option_names})
            options.check()
        canary, is_share_only = deployment.canary, version is None and options is None
        if traffic_percent is not None:
            check_percent(traffic_percent)
            if is_share_only and canary is None:
                rule = "needs a version or options to try, because no revision is tried now"
                raise InvalidRequest([Violation("traffic_percent", rule)])
        check_may_try(deployment, traffic_percent)
        if canary and traffic_percent is not None and is_share_only:
            (await tenant(self.tenants, deployment.project_id)).check_namespace(deployment.namespace)
            return replace(deployment, canary=replace(canary, percent=traffic_percent))
        spec = await self.updated(deployment, version, options)
        percent = traffic_percent or (canary.percent if canary else None)
        if percent is None:
            return replace(deployment, spec=spec, generation=deployment.generation + 1, want=Want.PRESENT)
        return deployment.tried(spec, percent)

    async def repeated(
        self, deployment: Deployment, spec: DeploymentSpec, *, ignore_archived: bool = False
    ) -> DeploymentSpec:
        """An earlier spec, if it is still allowed.

        Raises NotFound for the model; FailedPrecondition when it is not allowed: also when a version was deleted, and
        for an ARCHIVED version or model, if it was undeployed.
        """
        _check_known(spec)
        await self._check_versions(deployment, spec, ignore_archived=ignore_archived)
        project = await tenant(self.tenants, deployment.project_id)
        self._check_tenant(project, deployment.namespace, spec.options, [spec.storage_uri])
        self._check_kept(project, deployment, spec.options)
        if fault := await self._mode_fault(deployment, spec.options.deployment_mode):
            text = f"options.deployment_mode {fault}"
            raise DeploymentBlocked([Violation(DeploymentReason.DEPLOYMENT_MODE_FIXED, text)])
        return await self._with_keys(deployment.project_id, spec)

    async def _with_keys(self, project_id: UUID, spec: DeploymentSpec, *, is_new_copy: bool = False) -> DeploymentSpec:
        """The spec needs keys if its version has some. A spec that is repeated also does if they were added since, but
        only for its uri."""
        keys_uri = await self.versions.keys_uri(project_id, spec.model_version_id)
        has_keys = keys_uri is not None and (is_new_copy or place_of(keys_uri) == place_of(spec.storage_uri))
        return replace(spec, needs_keys=spec.needs_keys or has_keys)

    async def _check_versions(self, deployment: Deployment, spec: DeploymentSpec, *, ignore_archived: bool) -> None:
        model = await self.models.get(deployment.project_id, spec.registered_model_id)
        try:
            versions = await self._versions_of(model, spec.served_version_ids)
        except NotFound as error:
            raise FailedPrecondition(
                Reason.MODEL_VERSION_DELETED, model_version_id=error.metadata.get("id", "")
            ) from error
        is_up = deployment.want is Want.PRESENT
        _check(_refusals(model, versions), ignore_archived=ignore_archived or is_up)

    def _check_tenant(self, project: Project, namespace: str, options: DeploymentOptions, uris: Iterable[str]) -> None:
        """Raises NotAllowed."""
        project.check_namespace(namespace)
        project.check_options(options)
        for uri in uris:
            project.check_uri(uri)

    def _policy_of(self, project: Project) -> DeploymentPolicy:
        """The operator's policy for the project."""
        return replace(self.policy, service_accounts=(*self.policy.service_accounts, *project.service_accounts))

    def _check_kept(self, project: Project, deployment: Deployment, options: DeploymentOptions) -> None:
        """Check options that are stored and not part of the request, so that InvalidRequest would be wrong."""
        if violations := self._policy_of(project).violations(options, deployment.namespace):
            raise DeploymentBlocked(
                Violation(DeploymentReason.OPTION_NOT_ALLOWED, f"{v.field} {v.description}") for v in violations
            )

    async def _mode_fault(self, deployment: Deployment, mode: DeploymentMode) -> str:
        """Why the deployment cannot have this mode, if so: KServe does not change the mode of an existing object."""
        if deployment.applied is None:
            return ""
        there = deployment.spec
        if deployment.applied_generation not in {0, deployment.generation}:
            applied = deployment.applied_generation
            there = (await self.deployments.revision(deployment.project_id, deployment.id, applied)).spec
        if mode is there.options.deployment_mode:
            return ""
        return f"cannot be changed from `{there.options.deployment_mode}` to `{mode}`: undeploy it first"

    async def _versions_of(self, model: RegisteredModel, wanted: tuple[UUID | str, ...]) -> tuple[ModelVersion, ...]:
        """The versions that are wanted; otherwise, the model's default version, or else its latest one."""
        versions = tuple([await self._version(model.project_id, model.id, version) for version in wanted])
        if not versions:
            chosen = model.default_version or model.latest_version
            if chosen is None:
                raise NotFound.of(Reason.MODEL_VERSION_NOT_FOUND)
            versions = (chosen,)
        return versions

    async def _version(self, project_id: UUID, registered_model_id: UUID, version: UUID | str) -> ModelVersion:
        if isinstance(version, UUID):
            found = self.versions.get(project_id, version, registered_model_id=registered_model_id)
        else:
            found = self.versions.named(project_id, registered_model_id, version)
        return await within(f"get version {version}", found)


def _check_known(spec: DeploymentSpec) -> None:
    """Refuse a spec with options that this release does not know: a new revision made from it would lose them."""
    if violations := [Violation(finding.code, finding.message) for finding in unknown_findings(spec)]:
        raise DeploymentBlocked(violations)


def _check(refusals: Iterable[FailedPrecondition], *, ignore_archived: bool) -> None:
    for refusal in refusals:
        if not (ignore_archived and refusal.reason in _ARCHIVED):
            raise refusal


def _refusals(model: RegisteredModel, versions: Iterable[ModelVersion]) -> Iterator[FailedPrecondition]:
    yield from (_not_ready(version) for version in versions if not version.is_ready)
    if model.state == ARCHIVED:
        yield FailedPrecondition(Reason.REGISTERED_MODEL_ARCHIVED, registered_model_id=str(model.id))
    yield from (_archived(version) for version in versions if version.is_archived)


def _not_ready(version: ModelVersion) -> FailedPrecondition:
    missing = ", ".join(version.missing_files)
    lack = f"; it has no {missing}: attach a model artifact" if missing else ""
    error = FailedPrecondition(
        Reason.MODEL_VERSION_NOT_READY,
        detail=f'status is "{version.status}", must be {READY}{lack}',
        model_version_id=str(version.id),
        status=version.status,
        missing=missing,
    )
    return error.within(f"version {version.name}")


def _archived(version: ModelVersion) -> FailedPrecondition:
    error = FailedPrecondition(Reason.MODEL_VERSION_ARCHIVED, model_version_id=str(version.id))
    return error.within(f"version {version.name}")


async def within(step: str, work: Awaitable[T]) -> T:
    """Await the work; if it is refused, add the step to the text of the error."""
    try:
        return await work
    except RegistryError as error:
        raise error.within(step) from error
