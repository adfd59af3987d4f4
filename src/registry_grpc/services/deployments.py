"""Use cases on deployments: say what shall serve. Bringing it about is services.reconciliation's."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from uuid import UUID, uuid4

from registry_grpc.domain.deployment import (
    Cause,
    Deployment,
    DeploymentOptions,
    DeploymentSpec,
    Phase,
    Want,
)
from registry_grpc.domain.errors import FailedPrecondition, NotFound, Reason, RegistryError
from registry_grpc.domain.inference_service import LIMITS, InferenceService, InferenceServicePatch, NewInferenceService
from registry_grpc.domain.model_version import ModelVersion
from registry_grpc.domain.naming import deployment_name
from registry_grpc.domain.policy import DeploymentPolicy
from registry_grpc.domain.rules import check_fields
from registry_grpc.domain.serve_model import ServeModel
from registry_grpc.ports.clock import Clock
from registry_grpc.ports.cluster import Cluster
from registry_grpc.ports.deployments import DeploymentRepository, NewIntent
from registry_grpc.ports.repositories import (
    InferenceServiceRepository,
    ModelVersionRepository,
    RegisteredModelRepository,
    ServingEnvironmentRepository,
)
from registry_grpc.services.reconciliation import Reconciler


@dataclass(frozen=True, slots=True, kw_only=True)
class NewDeployment:
    """What a client says of a deployment to make. Without versions, the model's default or latest one is meant;
    `model_version_ids` has no duplicates."""

    registered_model_id: UUID
    serving_environment_id: UUID
    model_version_ids: tuple[UUID, ...] = ()
    name: str = ""
    labels: Mapping[str, str] = field(default_factory=dict)
    options: DeploymentOptions = field(default_factory=DeploymentOptions)

    def __post_init__(self) -> None:
        check_fields(self, limits={"name": LIMITS["name"]})


@dataclass(frozen=True, slots=True, kw_only=True)
class Deployed:
    """The answer to a deploy. `deployment` is None when deploying to Kubernetes is switched off."""

    service: InferenceService
    status: str
    message: str
    deployment: Deployment | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """A deployment that was checked against the registry and could be stored."""

    service: InferenceService
    served: tuple[ServeModel, ...]
    namespace: str
    spec: DeploymentSpec


class Deployments:
    """Deploy, undeploy, sync, update and roll back.

    `cluster` and `reconciler` are None when deploying to Kubernetes is switched off: services are then records only.
    """

    def __init__(
        self,
        *,
        deployments: DeploymentRepository,
        services: InferenceServiceRepository,
        environments: ServingEnvironmentRepository,
        models: RegisteredModelRepository,
        versions: ModelVersionRepository,
        clock: Clock,
        policy: DeploymentPolicy,
        cluster: Cluster | None = None,
        reconciler: Reconciler | None = None,
    ) -> None:
        self._deployments = deployments
        self._services = services
        self._environments = environments
        self._models = models
        self._versions = versions
        self._clock = clock
        self._policy = policy
        self._cluster = cluster
        self._reconciler = reconciler

    async def draft(self, project_id: UUID, new: NewDeployment) -> Draft:
        """Check a deployment in the order of the contract (2.4): environment, model, versions, their status.

        Raises NotFound and FailedPrecondition, with the step in the text; InvalidRequest for the name.
        """
        try:
            environment = await self._environments.get(project_id, new.serving_environment_id)
        except RegistryError as error:
            raise error.within("get serving environment") from error
        try:
            model = await self._models.get(project_id, new.registered_model_id)
        except RegistryError as error:
            raise error.within("get model") from error
        versions = tuple([await self._version(project_id, model.id, id_) for id_ in new.model_version_ids])
        if not versions:
            chosen = model.default_version or model.latest_version
            if chosen is None:
                raise NotFound.of(Reason.MODEL_VERSION_NOT_FOUND)
            versions = (chosen,)
        for version in versions:
            _check_ready(version)
        self._policy.check(new.options, environment.namespace)
        now = self._clock.now()
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
            now=now,
        )
        served = ServeModel.create_all(service.id, [version.id for version in versions], project_id=project_id, now=now)
        return Draft(
            service=service,
            served=served,
            namespace=environment.namespace,
            spec=DeploymentSpec.serving(versions, new.labels, new.options),
        )

    async def deploy(self, project_id: UUID, new: NewDeployment, *, user: str = "", request_id: str = "") -> Deployed:
        """Store the intent, try it once with a short deadline, and answer PENDING, or FAILED with the cluster's text.

        Raises as `draft`; AlreadyExists for a name taken in the environment.
        """
        draft = await self.draft(project_id, new)
        try:
            if self._reconciler is None:
                service = await self._services.create(draft.service, draft.served)
                return Deployed(
                    service=service,
                    status="PENDING",
                    message="Deployment initiated",
                )
            intent = NewIntent(namespace=draft.namespace, spec=draft.spec, created_by=user, request_id=request_id)
            service, deployment = await self._deployments.deploy(draft.service, draft.served, intent)
        except RegistryError as error:
            raise error.within("create inference service") from error
        await self._reconciler.attempt(deployment.id)
        deployment = await self._deployments.get(project_id, deployment.id)
        service = await self._services.get(project_id, service.id)
        has_failed = deployment.phase is Phase.FAILED or deployment.reason == "API_UNAVAILABLE"
        return Deployed(
            service=service,
            status="FAILED" if has_failed else "PENDING",
            message=deployment.message if has_failed else "Deployment initiated",
            deployment=deployment,
        )

    async def undeploy(self, project_id: UUID, id: UUID, user: str = "") -> None:
        """Raises NotFound. Repeatable; errors of the cluster are for the reconciler to get over (contract 2.4)."""
        service = await self._services.get(project_id, id)
        controlled = await self._deployments.undeploy(project_id, id, user)
        if controlled:
            await self._attempt(id)
        elif self._cluster is not None:
            await self._remove_uncontrolled(service)

    async def sync(self, project_id: UUID, id: UUID) -> InferenceService:
        """Look at the cluster now. Raises NotFound; Unavailable or ClusterReadFailed when it cannot be looked at."""
        service = await self._services.get(project_id, id)
        if self._cluster is None or self._reconciler is None:
            return service
        try:
            await self._deployments.get(project_id, id)
        except NotFound:
            return await self._reconciler.observe_uncontrolled(service, await self._namespace_of(service))
        await self._reconciler.observe_now(id)
        return await self._services.get(project_id, id)

    async def change_service(
        self, project_id: UUID, id: UUID, patch: InferenceServicePatch, user: str
    ) -> InferenceService:
        """Change a service, and deploy or undeploy as its `desired_state` says if it is under deployment control.

        Raises NotFound, AlreadyExists.
        """
        if await self._deployments.change_service(project_id, id, patch, user):
            await self._attempt(id)
        return await self._services.get(project_id, id)

    async def update(
        self,
        project_id: UUID,
        id: UUID,
        *,
        model_version_id: UUID | None,
        options: DeploymentOptions | None,
        user: str = "",
    ) -> Deployment:
        """Make a revision with another version or other options. Raises NotFound, FailedPrecondition."""
        self._require_cluster()
        deployment = await self._deployments.get(project_id, id)
        spec = deployment.spec
        version = await self._version(project_id, spec.registered_model_id, model_version_id or spec.model_version_id)
        _check_ready(version)
        if options is not None:
            self._policy.check(options, deployment.namespace)
        revised = DeploymentSpec.serving((version,), spec.labels, options or spec.options)
        return await self._revise(project_id, id, revised, Cause.UPDATE, user)

    async def roll_back(self, project_id: UUID, id: UUID, generation: int | None, user: str = "") -> Deployment:
        """Make a revision that repeats an earlier one; without a number, the last one that served before.

        Raises NotFound for the deployment or the revision.
        """
        self._require_cluster()
        revision = await self._deployments.revision(project_id, id, generation)
        return await self._revise(project_id, id, revision.spec, Cause.ROLLBACK, user)

    async def clean_up(self, service: InferenceService) -> None:
        """After the deletion of a service: see to its object, which may still be there."""
        try:
            await self._deployments.get(service.project_id, service.id)
        except NotFound:
            if self._cluster is not None:
                await self._remove_uncontrolled(service)
            return
        await self._attempt(service.id)

    async def _revise(self, project_id: UUID, id: UUID, spec: DeploymentSpec, cause: Cause, user: str) -> Deployment:
        await self._deployments.revise(project_id, id, want=Want.PRESENT, spec=spec, cause=cause, created_by=user)
        await self._attempt(id)
        return await self._deployments.get(project_id, id)

    async def _attempt(self, id: UUID) -> None:
        if self._reconciler is not None:
            await self._reconciler.attempt(id)

    async def _remove_uncontrolled(self, service: InferenceService) -> None:
        """An object that the Go service made carries the service's id; its errors never reached clients (2.4)."""
        assert self._cluster is not None  # noqa: S101 - callers have looked
        try:
            namespace = await self._namespace_of(service)
            await self._cluster.remove(namespace, service.name, service.id)
        except RegistryError:
            return

    async def _namespace_of(self, service: InferenceService) -> str:
        return (await self._environments.get(service.project_id, service.serving_environment_id)).namespace

    async def _version(self, project_id: UUID, registered_model_id: UUID, id: UUID) -> ModelVersion:
        try:
            return await self._versions.get(project_id, id, registered_model_id=registered_model_id)
        except RegistryError as error:
            raise error.within(f"get version {id}") from error

    def _require_cluster(self) -> None:
        if self._cluster is None:
            raise FailedPrecondition(Reason.CLUSTER_DISABLED)


def _check_ready(version: ModelVersion) -> None:
    if not version.is_ready:
        error = FailedPrecondition(
            Reason.MODEL_VERSION_NOT_READY, model_version_id=str(version.id), status=version.status
        )
        raise error.within(f"version {version.name}")
