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
    Reason,
)
from registry_grpc.domain.inference_service import InferenceService
from registry_grpc.domain.reason import DeploymentReason
from registry_grpc.ports.deployments import DeploymentRepository, NewIntent
from registry_grpc.ports.repositories import InferenceServiceRepository
from registry_grpc.services.drafting import Drafting, within
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
    """Deploy, update and roll back.

    `reconciler` is None when deploying to Kubernetes is switched off: services are then records only.
    """

    def __init__(
        self,
        *,
        deployments: DeploymentRepository,
        services: InferenceServiceRepository,
        drafting: Drafting,
        reconciler: Reconciler | None = None,
    ) -> None:
        self._deployments = deployments
        self._services = services
        self._drafting = drafting
        self._reconciler = reconciler

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

        Raises as Drafting.draft and Draft.check; AlreadyExists for a name taken in the environment; InvalidRequest for
        a request id that is too long or was used for another request.
        """
        request = RequestKey(request_id=request_id, digest=new.digest) if request_id else None
        if request and (earlier := await self._deployments.requested(project_id, request)):
            return _repeated(*earlier)
        draft = await self._drafting.draft(project_id, new)
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
        reconciler = self._require_cluster()
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

        await again_when_changed(revise)
        return await self._tried(reconciler, project_id, id)

    async def roll_back(self, project_id: UUID, id: UUID, generation: int | None, user: str = "") -> Deployment:
        """Make a revision that repeats an earlier one; without a number, the last one that served before.

        Raises NotFound for the deployment or the revision; FailedPrecondition when it may not be deployed now.
        """
        reconciler = self._require_cluster()
        deployment = await self._deployments.get(project_id, id)
        spec = (await self._deployments.revision(project_id, id, generation)).spec
        await self._drafting.check_repeated(deployment, spec)
        await self._deployments.revise(
            project_id, id, want=Want.PRESENT, spec=spec, cause=Cause.ROLLBACK, created_by=user
        )
        return await self._tried(reconciler, project_id, id)

    async def _tried(self, reconciler: Reconciler, project_id: UUID, id: UUID) -> Deployment:
        """A deployment after the first pass on its new revision."""
        await reconciler.attempt(id)
        return await self._deployments.get(project_id, id)

    def _require_cluster(self) -> Reconciler:
        if self._reconciler is None:
            raise FailedPrecondition(Reason.CLUSTER_DISABLED)
        return self._reconciler


def _initiated(service: InferenceService, deployment: Deployment) -> Deployed:
    """The answer to the request that has made a deployment, after its first pass."""
    never_reached = deployment.reason is DeploymentReason.API_UNAVAILABLE and deployment.phase in _UNDER_WAY
    if deployment.phase is Phase.FAILED or never_reached:
        return Deployed(service=service, status="FAILED", message=deployment.message, deployment=deployment)
    return Deployed(service=service, deployment=deployment)


def _repeated(service: InferenceService, deployment: Deployment) -> Deployed:
    """The answer to a request that was sent again: as the first one was answered, or what became of it since."""
    if deployment.phase in {*_UNDER_WAY, Phase.FAILED}:
        return _initiated(service, deployment)
    message = deployment.message or "Deployment made by an earlier request"
    return Deployed(service=service, status=deployment.phase.value, message=message, deployment=deployment)


async def again_when_changed(work: Callable[[], Awaitable[T]]) -> T:
    """Read and write anew, a few times, when somebody else wrote in between. Raises ConcurrentChange at last."""
    for _ in range(_TRIES - 1):
        with suppress(ConcurrentChange):
            return await work()
    return await work()
