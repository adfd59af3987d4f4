"""Use cases on deployments: store which version shall serve. services.reconciliation then changes the cluster."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection
from contextlib import suppress
from dataclasses import dataclass
from typing import TypeVar
from uuid import UUID

from registry_grpc.domain.canary import CanaryStep
from registry_grpc.domain.deploy_request import NewDeployment
from registry_grpc.domain.deployment import Cause, Deployment, DeploymentSpec, Outcome, Phase, Want, check_revision
from registry_grpc.domain.deployment_options import DeploymentOptions
from registry_grpc.domain.errors import ConcurrentChange, FailedPrecondition, Reason
from registry_grpc.domain.inference_service import InferenceService
from registry_grpc.domain.reason import DeploymentReason
from registry_grpc.ports.deployments import DeploymentRepository, NewIntent
from registry_grpc.ports.projects import Tenants
from registry_grpc.ports.repositories import InferenceServiceRepository
from registry_grpc.services.drafting import Drafting, within
from registry_grpc.services.projects import tenant
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
    tenants: Tenants
    reconciler: Reconciler | None = None
    rehearse: Callable[[Deployment], Awaitable[None]] | None = None
    """Planning.rehearse, for revisions that are tried beside another one."""

    async def deploy(
        self,
        project_id: UUID,
        new: NewDeployment,
        *,
        user: str = "",
        ignore_archived: bool = False,
    ) -> Deployed:
        """Store the intent, try it once with a short deadline, and answer PENDING, or FAILED with the cluster's text.

        Raises what Drafting.draft and Draft.check raise; QuotaExceeded; AlreadyExists if the environment has the name.
        """
        draft = await self.drafting.draft(project_id, new)
        draft.check(ignore_archived=ignore_archived)
        if self.reconciler is None:
            stored = self.services.create(draft.service, draft.served)
            return Deployed(service=await within("create inference service", stored))
        intent = NewIntent(namespace=draft.namespace, spec=draft.spec, created_by=user)
        async with self.tenants.bounded(await tenant(self.tenants, project_id), "deployments"):
            service, deployment = await within(
                "create inference service", self.deployments.deploy(draft.service, draft.served, intent)
            )
        await self.reconciler.attempt(deployment.id)
        deployment = await self.deployments.get(project_id, deployment.id)
        return _initiated(await self.services.get(project_id, service.id), deployment)

    async def deployed(self, project_id: UUID, id: UUID) -> Deployed:
        """The answer of `deploy` if it was stored before: that of the first time, or what happened since. Raises
        NotFound."""
        deployment = await self.deployments.get(project_id, id)
        service = await self.services.get(project_id, id)
        if deployment.phase in {*_UNDER_WAY, Phase.FAILED}:
            return _initiated(service, deployment)
        message = deployment.message or "Deployment made by an earlier request"
        return Deployed(service=service, status=deployment.phase.value, message=message, deployment=deployment)

    async def update(
        self,
        project_id: UUID,
        id: UUID,
        *,
        model_version_id: UUID | str | None,
        options: DeploymentOptions | None,
        traffic_percent: int | None = None,
        option_names: Collection[str] | None = None,
        user: str = "",
        expected_revision: int | None = None,
    ) -> Deployment:
        """Make a revision with another version, given as in `Drafting.updated`, or with other options: those with these
        names (None: all). With a share, or while another revision is tried, it is tried beside the stable one. A share
        without version and options changes that of the present canary.

        Raises NotFound; Stale; InvalidRequest for the options of the request; FailedPrecondition, also when the
        deployment keeps options that are no longer allowed; ConcurrentChange.
        """
        reconciler = self._require_cluster()

        async def revise() -> None:
            before = await self.deployments.get(project_id, id)
            check_revision(before, expected_revision)
            after = await self.drafting.following(before, model_version_id, options, traffic_percent, option_names)
            canary = after.canary
            if canary and after.generation == before.generation:
                await self._move(before, canary.step, user, percent=canary.percent)
                return
            if canary and self.rehearse:
                await self.rehearse(after)
            await self._revise(before, after.spec, Cause.UPDATE, user, canary.percent if canary else None)

        await again_when_changed(revise)
        return await self._tried(reconciler, project_id, id)

    async def end_canary(
        self, project_id: UUID, id: UUID, step: CanaryStep, revision: int | None = None, user: str = ""
    ) -> Deployment:
        """Promote or abort the revision that is tried. It can be repeated with the number of the revision.

        Raises NotFound; FailedPrecondition when no revision is tried, or another one than this, or when the one to
        promote is being aborted; ConcurrentChange.
        """
        reconciler = self._require_cluster()

        async def move() -> None:
            before = await self.deployments.get(project_id, id)
            if before.canary is None:
                await self._check_ended(before, step, revision)
            elif revision not in {None, before.generation}:
                text = f"revision {before.generation} is tried, and not revision {revision}"
                raise FailedPrecondition(
                    Reason.CANARY_UNDER_WAY, text, revision=str(before.generation), expected_revision=str(revision)
                )
            elif before.canary.step is CanaryStep.ABORT and step is CanaryStep.PROMOTE:
                text = f"revision {before.generation} is being aborted"
                raise FailedPrecondition(Reason.CANARY_UNDER_WAY, text, revision=str(before.generation))
            elif before.canary.step is not step:
                await self._move(before, step, user)

        await again_when_changed(move)
        return await self._tried(reconciler, project_id, id)

    async def _move(self, before: Deployment, step: CanaryStep, user: str, percent: int | None = None) -> None:
        what = {CanaryStep.PROMOTE: "promoted", CanaryStep.ABORT: "aborted"}.get(step, f"tried with {percent} %")
        message = f"revision {before.generation} is {what}" + (f" by {user}" if user else "")
        await self.deployments.move_canary(
            before.project_id, before.id, step, percent, message=message, after=before.generation
        )

    async def _check_ended(self, deployment: Deployment, step: CanaryStep, revision: int | None) -> None:
        """Raises FailedPrecondition unless this revision was promoted or aborted before, as the step says."""
        if revision is not None and step is CanaryStep.PROMOTE and deployment.generation == revision:
            return
        if revision is not None:
            tried = await self.deployments.revision(deployment.project_id, deployment.id, revision)
            if step is CanaryStep.ABORT and tried.outcome is Outcome.ABORTED:
                return
            if tried.outcome is Outcome.ABORTED:
                text = f"revision {revision} was aborted, by a request or because somebody had deleted its object"
                raise FailedPrecondition(Reason.NO_CANARY, text, id=str(deployment.id), revision=str(revision))
        raise FailedPrecondition(Reason.NO_CANARY, id=str(deployment.id))

    async def roll_back(
        self,
        project_id: UUID,
        id: UUID,
        generation: int | None,
        user: str = "",
        *,
        expected_revision: int | None = None,
    ) -> Deployment:
        """Make a revision that repeats the earlier one with this number, or else the last one that served before. If
        that is the stable one beside which another one is tried, abort that.

        Raises NotFound for the deployment or the revision; Stale; FailedPrecondition when the revision is no longer
        allowed, or when a canary has to be ended before; ConcurrentChange.
        """
        reconciler = self._require_cluster()
        deployment = await self.deployments.get(project_id, id)
        check_revision(deployment, expected_revision)
        if canary := deployment.canary:
            if generation in {None, canary.stable_generation}:
                return await self.end_canary(project_id, id, CanaryStep.ABORT, deployment.generation, user)
            raise FailedPrecondition(Reason.CANARY_UNDER_WAY, revision=str(deployment.generation))

        async def repeat() -> None:
            before = await self.deployments.get(project_id, id)
            check_revision(before, expected_revision)
            if before.canary:  # it has begun meanwhile, so it is not the one to be aborted
                raise FailedPrecondition(Reason.CANARY_UNDER_WAY, revision=str(before.generation))
            spec = (await self.deployments.revision(project_id, id, generation)).spec
            await self._revise(before, await self.drafting.repeated(before, spec), Cause.ROLLBACK, user)

        await again_when_changed(repeat)
        return await self._tried(reconciler, project_id, id)

    async def _revise(
        self, before: Deployment, spec: DeploymentSpec, cause: Cause, user: str, canary_percent: int | None = None
    ) -> None:
        project_id = before.project_id
        async with self.tenants.bounded(await tenant(self.tenants, project_id), "deployments"):
            await self.deployments.revise(
                project_id,
                before.id,
                want=Want.PRESENT,
                spec=spec,
                cause=cause,
                created_by=user,
                after=before.generation,
                canary_percent=canary_percent,
            )

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


async def again_when_changed(work: Callable[[], Awaitable[T]]) -> T:
    """Do the work again when somebody else wrote between its read and its write. Raises ConcurrentChange if this
    happens a few times in a row."""
    for _ in range(_TRIES - 1):
        with suppress(ConcurrentChange):
            return await work()
    return await work()
