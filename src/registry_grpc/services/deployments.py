"""Use cases on deployments: say what shall serve. Bringing it about is services.reconciliation's."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import TypeVar
from uuid import UUID

from registry_grpc.domain.deploy_request import NewDeployment, RequestKey
from registry_grpc.domain.deployment import (
    Cause,
    Deployment,
    DeploymentOptions,
    Phase,
    Want,
)
from registry_grpc.domain.errors import (
    ConcurrentChange,
    FailedPrecondition,
    NotFound,
    Reason,
    RegistryError,
)
from registry_grpc.domain.inference_service import InferenceService, InferenceServicePatch, ServiceState
from registry_grpc.ports.cluster import Cluster
from registry_grpc.ports.deployments import DeploymentRepository, NewIntent
from registry_grpc.ports.repositories import InferenceServiceRepository, ServingEnvironmentRepository
from registry_grpc.services.drafting import Draft, Drafting, within
from registry_grpc.services.reconciliation import Reconciler

T = TypeVar("T")

_TRIES = 5
_UNDER_WAY = {Phase.PENDING, Phase.DEPLOYING, Phase.UPDATING}


@dataclass(frozen=True, slots=True, kw_only=True)
class Deployed:
    """The answer to a deploy. `deployment` is None when deploying to Kubernetes is switched off."""

    service: InferenceService
    status: str = "PENDING"
    message: str = "Deployment initiated"
    deployment: Deployment | None = None


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
        drafting: Drafting,
        cluster: Cluster | None = None,
        reconciler: Reconciler | None = None,
    ) -> None:
        self._deployments = deployments
        self._services = services
        self._environments = environments
        self._drafting = drafting
        self._cluster = cluster
        self._reconciler = reconciler

    async def draft(self, project_id: UUID, new: NewDeployment) -> Draft:
        """Check a deployment and store nothing. Raises as Drafting.draft."""
        return await self._drafting.draft(project_id, new)

    async def is_name_taken(self, draft: Draft) -> bool:
        """Whether another service has the name, so that to deploy the draft would raise AlreadyExists."""
        service = draft.service
        try:
            await self._services.find_by_name(service.project_id, service.serving_environment_id, service.name)
        except NotFound:
            return False
        return True

    async def deploy(
        self,
        project_id: UUID,
        new: NewDeployment,
        *,
        user: str = "",
        request_id: str = "",
        ignore_archived: bool = False,
    ) -> Deployed:
        """Store the intent, try it once with a short deadline, and answer PENDING, or FAILED with the cluster's text.
        With the request id of an earlier call, answer how what that one made is now.

        Raises as `draft` and Draft.check; AlreadyExists for a name taken in the environment; InvalidRequest for a
        request id that is too long or was used for another request.
        """
        request = RequestKey(request_id=request_id, digest=new.digest) if request_id else None
        if request and (earlier := await self._deployments.requested(project_id, request)):
            return _repeated(*earlier)
        draft = await self.draft(project_id, new)
        draft.check(ignore_archived=ignore_archived)
        if self._reconciler is None:
            stored = self._services.create(draft.service, draft.served)
            return Deployed(service=await within("create inference service", stored))
        intent = NewIntent(namespace=draft.namespace, spec=draft.spec, created_by=user, request=request)
        service, deployment = await within(
            "create inference service", self._deployments.deploy(draft.service, draft.served, intent)
        )
        if service.id != draft.service.id:
            return _repeated(service, deployment)
        await self._reconciler.attempt(deployment.id)
        deployment = await self._deployments.get(project_id, deployment.id)
        return _initiated(await self._services.get(project_id, service.id), deployment)

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
        if not await self._is_controlled(service):
            return await self._reconciler.observe_uncontrolled(service, await self._namespace_of(service))
        await self._reconciler.observe_now(id)
        return await self._services.get(project_id, id)

    async def change_service(
        self, project_id: UUID, id: UUID, patch: InferenceServicePatch, user: str
    ) -> InferenceService:
        """Change a service, and deploy or undeploy as its `desired_state` says if it is under deployment control.

        Raises NotFound, AlreadyExists; FailedPrecondition when it would deploy again what may not be deployed now;
        ConcurrentChange.
        """

        async def change() -> bool:
            after = await self._to_redeploy(project_id, id) if Want.of(patch.desired_state) is Want.PRESENT else None
            return await self._deployments.change_service(project_id, id, patch, user, after=after)

        if await _again_when_changed(change):
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
        """Make a revision with another version or other options.

        Raises NotFound; InvalidRequest for options; FailedPrecondition, also when options that are kept are no longer
        allowed; ConcurrentChange.
        """
        self._require_cluster()
        if options is not None:
            options.check()

        async def revise() -> None:
            before = await self._deployments.get(project_id, id)
            spec = await self._drafting.updated(before, model_version_id, options)
            await self._deployments.revise(
                project_id,
                id,
                want=Want.PRESENT,
                spec=spec,
                cause=Cause.UPDATE,
                created_by=user,
                after=before.generation,
            )

        await _again_when_changed(revise)
        return await self._tried(project_id, id)

    async def roll_back(self, project_id: UUID, id: UUID, generation: int | None, user: str = "") -> Deployment:
        """Make a revision that repeats an earlier one; without a number, the last one that served before.

        Raises NotFound for the deployment or the revision; FailedPrecondition when it may not be deployed now.
        """
        self._require_cluster()
        deployment = await self._deployments.get(project_id, id)
        spec = (await self._deployments.revision(project_id, id, generation)).spec
        await self._drafting.check_repeated(deployment, spec)
        await self._deployments.revise(
            project_id, id, want=Want.PRESENT, spec=spec, cause=Cause.ROLLBACK, created_by=user
        )
        return await self._tried(project_id, id)

    async def delete_service(self, project_id: UUID, id: UUID) -> None:
        """Delete a service, and what is left of it in the cluster.

        Raises NotFound, FailedPrecondition while its current state is DEPLOYED.
        """
        service = await self._services.get(project_id, id)
        is_controlled = await self._is_controlled(service)
        if not is_controlled and self._cluster is not None and service.current_state != ServiceState.DEPLOYED:
            # Before the record: nobody could repeat a deletion that was broken off in between.
            await self._remove_uncontrolled(service)
        await self._services.delete(project_id, id)
        if is_controlled:
            await self._attempt(id)

    async def _is_controlled(self, service: InferenceService) -> bool:
        try:
            await self._deployments.get(service.project_id, service.id)
        except NotFound:
            return False
        return True

    async def _to_redeploy(self, project_id: UUID, id: UUID) -> int | None:
        """The generation that may be deployed again; None for a service that is not under deployment control."""
        try:
            deployment = await self._deployments.get(project_id, id)
        except NotFound:
            return None
        if deployment.want is Want.ABSENT:
            await self._drafting.check_repeated(deployment, deployment.spec)
        return deployment.generation

    async def _tried(self, project_id: UUID, id: UUID) -> Deployment:
        """A deployment after the first pass on its new revision."""
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

    def _require_cluster(self) -> None:
        if self._cluster is None:
            raise FailedPrecondition(Reason.CLUSTER_DISABLED)


def _initiated(service: InferenceService, deployment: Deployment) -> Deployed:
    """The answer to the request that has made a deployment, after its first pass."""
    never_reached = deployment.reason == "API_UNAVAILABLE" and deployment.phase in _UNDER_WAY
    if deployment.phase is Phase.FAILED or never_reached:
        return Deployed(service=service, status="FAILED", message=deployment.message, deployment=deployment)
    return Deployed(service=service, deployment=deployment)


def _repeated(service: InferenceService, deployment: Deployment) -> Deployed:
    """The answer to a request that was sent again: as the first one was answered, or what became of it since."""
    if deployment.phase in {*_UNDER_WAY, Phase.FAILED}:
        return _initiated(service, deployment)
    message = deployment.message or "Deployment made by an earlier request"
    return Deployed(service=service, status=deployment.phase.value, message=message, deployment=deployment)


async def _again_when_changed(work: Callable[[], Awaitable[T]]) -> T:
    """Read and write anew, a few times, when somebody else wrote in between. Raises ConcurrentChange at last."""
    for _ in range(_TRIES - 1):
        with suppress(ConcurrentChange):
            return await work()
    return await work()
