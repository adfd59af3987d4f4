"""Use cases on deployments: store which version shall serve. services.reconciliation then changes the cluster."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import TypeVar
from uuid import UUID

from registry_grpc.domain.deploy_request import NewDeployment, RequestKey
from registry_grpc.domain.deployment import Cause, Deployment, Phase, Want
from registry_grpc.domain.deployment_options import DeploymentOptions
from registry_grpc.domain.errors import ConcurrentChange, FailedPrecondition, Reason
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Deployments:
    """Deploy, update and roll back.

    `reconciler` is None when deploying to Kubernetes is switched off: services are then records only.
    """

    deployments: DeploymentRepository
    services: InferenceServiceRepository
    drafting: Drafting
    reconciler: Reconciler | None = None

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
        With the request id of an earlier call, answer the present state of the deployment which that call made.

        Raises what Drafting.draft and Draft.check raise; AlreadyExists if the name is taken in the environment;
        InvalidRequest if the request id is too long or was used for another request.
        """
        request = RequestKey(request_id=request_id, digest=new.digest) if request_id else None
        if request and (earlier := await self.deployments.requested(project_id, request)):
            return _repeated(*earlier)
        draft = await self.drafting.draft(project_id, new)
        draft.check(ignore_archived=ignore_archived)
        if self.reconciler is None:
            stored = self.services.create(draft.service, draft.served)
            return Deployed(service=await within("create inference service", stored))
        intent = NewIntent(namespace=draft.namespace, spec=draft.spec, created_by=user, request=request)
        service, deployment = await within(
            "create inference service", self.deployments.deploy(draft.service, draft.served, intent)
        )
        if service.id != draft.service.id:
            return _repeated(service, deployment)
        await self.reconciler.attempt(deployment.id)
        deployment = await self.deployments.get(project_id, deployment.id)
        return _initiated(await self.services.get(project_id, service.id), deployment)

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

        Raises NotFound; InvalidRequest for the options of the request; FailedPrecondition, also when the deployment
        keeps options that are no longer allowed; ConcurrentChange.
        """
        reconciler = self._require_cluster()
        if options is not None:
            options.check()

        async def revise() -> None:
            before = await self.deployments.get(project_id, id)
            spec = await self.drafting.updated(before, model_version_id, options)
            await self.deployments.revise(
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
        """Make a revision that repeats the earlier one with this number, or else the last one that served before.

        Raises NotFound for the deployment or the revision; FailedPrecondition when the revision is no longer allowed.
        """
        reconciler = self._require_cluster()
        deployment = await self.deployments.get(project_id, id)
        spec = (await self.deployments.revision(project_id, id, generation)).spec
        spec = await self.drafting.repeated(deployment, spec)
        await self.deployments.revise(
            project_id, id, want=Want.PRESENT, spec=spec, cause=Cause.ROLLBACK, created_by=user
        )
        return await self._tried(reconciler, project_id, id)

    async def _tried(self, reconciler: Reconciler, project_id: UUID, id: UUID) -> Deployment:
        """The deployment after the first pass on its new revision."""
        await reconciler.attempt(id)
        return await self.deployments.get(project_id, id)

    def _require_cluster(self) -> Reconciler:
        if self.reconciler is None:
            raise FailedPrecondition(Reason.CLUSTER_DISABLED)
        return self.reconciler


def _initiated(service: InferenceService, deployment: Deployment) -> Deployed:
    """The answer, after the first pass, to the request that made the deployment."""
    never_reached = deployment.reason is DeploymentReason.API_UNAVAILABLE and deployment.phase in _UNDER_WAY
    if deployment.phase is Phase.FAILED or never_reached:
        return Deployed(service=service, status="FAILED", message=deployment.message, deployment=deployment)
    return Deployed(service=service, deployment=deployment)


def _repeated(service: InferenceService, deployment: Deployment) -> Deployed:
    """The answer to a request that was sent again: the answer of the first time, or what happened since then."""
    if deployment.phase in {*_UNDER_WAY, Phase.FAILED}:
        return _initiated(service, deployment)
    message = deployment.message or "Deployment made by an earlier request"
    return Deployed(service=service, status=deployment.phase.value, message=message, deployment=deployment)


async def again_when_changed(work: Callable[[], Awaitable[T]]) -> T:
    """Do the work again when somebody else wrote between its read and its write. Raises ConcurrentChange if this
    happens a few times in a row."""
    for _ in range(_TRIES - 1):
        with suppress(ConcurrentChange):
            return await work()
    return await work()
