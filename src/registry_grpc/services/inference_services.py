"""Use cases on inference services: their records, and the wanted state of those that are under deployment control."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import nullcontext, suppress
from dataclasses import dataclass, replace
from functools import partial
from uuid import UUID, uuid4

from registry_grpc.domain.decision import of_record
from registry_grpc.domain.deployment import Deployment, Want
from registry_grpc.domain.errors import NotFound, RegistryError, Stale
from registry_grpc.domain.etag import Etags
from registry_grpc.domain.inference_service import (
    InferenceService,
    InferenceServicePatch,
    NewInferenceService,
    ServiceState,
)
from registry_grpc.domain.patch import UNSET
from registry_grpc.domain.serve_model import ServeModel, ServeModelState
from registry_grpc.ports.cluster import Cluster
from registry_grpc.ports.deployments import DeploymentRepository
from registry_grpc.ports.repositories import (
    InferenceServiceRepository,
    ModelVersionRepository,
    RegisteredModelRepository,
    ServingEnvironmentRepository,
)
from registry_grpc.ports.requests import nothing_to_settle
from registry_grpc.services.deployments import again_when_changed
from registry_grpc.services.drafting import Drafting
from registry_grpc.services.projects import tenant
from registry_grpc.services.reconciliation import Reconciler


@dataclass(frozen=True, slots=True, kw_only=True)
class InferenceServices:
    """Create, change, undeploy, sync and delete the records of served models.

    `cluster` and `reconciler` are None when deploying to Kubernetes is switched off: services are then records only.
    """

    services: InferenceServiceRepository
    environments: ServingEnvironmentRepository
    models: RegisteredModelRepository
    versions: ModelVersionRepository
    deployments: DeploymentRepository
    drafting: Drafting
    cluster: Cluster | None = None
    reconciler: Reconciler | None = None
    settle: Callable[[UUID], Awaitable[None]] = nothing_to_settle
    """Requests.settle."""

    async def create(self, project_id: UUID, new: NewInferenceService) -> InferenceService:
        """Raises NotFound first for the environment, then for the model, then for a version that does not belong to
        the model (quirk Q12); AlreadyExists if the name is taken in the environment."""
        await self.environments.get(project_id, new.serving_environment_id)
        await self.models.get(project_id, new.registered_model_id)
        for version_id in new.model_version_ids:
            await self.versions.get(project_id, version_id, registered_model_id=new.registered_model_id)
        service = InferenceService.create(new, id=uuid4(), project_id=project_id)
        served = ServeModel.create_all(service.id, new.model_version_ids, project_id=project_id)
        return await self.services.create(service, served)

    async def update(
        self,
        project_id: UUID,
        id: UUID,
        patch: InferenceServicePatch,
        user: str = "",
        *,
        etags: Etags = None,
        by_contract: bool = False,
    ) -> InferenceService:
        """`by_contract` allows to change the version of a deployed service, which is then only written down until it is
        deployed again, and to deploy an ARCHIVED version (quirk Q47).

        Raises NotFound, also for a version that does not belong to the service's model; Stale; AlreadyExists.

        If the service is under deployment control, a changed `desired_state` deploys or undeploys it (decision 6).
        Then this also raises ConcurrentChange, and FailedPrecondition when what it would deploy is not allowed.
        """
        service = await self.services.get(project_id, id)
        if patch.model_version_id is not UNSET and patch.model_version_id is not None:
            await self.versions.get(project_id, patch.model_version_id, registered_model_id=service.registered_model_id)
        if patch.desired_state is UNSET and (by_contract or patch.model_version_id is UNSET):
            return await self.services.update(project_id, id, patch, etags)

        async def change() -> bool:
            is_up = Want.of(patch.desired_state) is Want.PRESENT
            target = await self._to_redeploy(service, patch, by_contract=by_contract) if is_up else None
            spec, after = (target.spec, target.generation) if target else (None, None)
            tenants = self.drafting.tenants
            async with tenants.bounded(await tenant(tenants, project_id), "deployments") if is_up else nullcontext():
                return await self.deployments.change_service(
                    project_id, id, patch, user, etags=etags, spec=spec, after=after, keeps_version=not by_contract
                )

        if await again_when_changed(change):
            await self._attempt(id)
        return await self.services.get(project_id, id)

    async def undeploy(
        self, project_id: UUID, id: UUID, user: str = "", *, expected_revision: int | None = None
    ) -> None:
        """Raises NotFound, Stale. Can be repeated. Errors of the cluster do not matter: the reconciler tries again
        (2.4)."""
        service = await self.services.get(project_id, id)
        if await self.deployments.undeploy(project_id, id, user, expected_revision):
            await self._attempt(id)
        else:
            await self.settle(id)
            await self._remove_uncontrolled(service)

    async def sync(self, project_id: UUID, id: UUID) -> InferenceService:
        """Observe the cluster now. Raises NotFound; NotAllowed for the namespace; Unavailable or ClusterReadFailed
        if the cluster cannot be read; ConcurrentChange."""
        service = await self.services.get(project_id, id)
        if self.cluster is None or self.reconciler is None:
            return service
        if await self._deployment_of(service) is None:
            return await again_when_changed(partial(self._follow, self.cluster, project_id, id))
        await self.reconciler.observe_now(id)
        return await self.services.get(project_id, id)

    async def _follow(self, cluster: Cluster, project_id: UUID, id: UUID) -> InferenceService:
        """Write down in a mere record what the cluster has."""
        service = await self.services.get(project_id, id)
        namespace = await self._namespace_of(service)
        project = await tenant(self.drafting.tenants, project_id)
        project.check_namespace(namespace)
        # While tenancy is open, a record follows whatever has its name, as in the Go service (contract 2.4).
        patch = of_record(await cluster.look(namespace, service.name, id if project.is_stored else None))
        state = ServeModelState.RUNNING if patch.current_state == ServiceState.DEPLOYED else None
        return await self.services.follow(project_id, id, patch, state, unchanged_since=service.updated_at)

    async def delete(self, project_id: UUID, id: UUID, etags: Etags = None) -> None:
        """Delete the record, and the object in the cluster if it is still there (quirk Q13).

        Raises NotFound; Stale; FailedPrecondition while its current state is DEPLOYED.
        """
        service = await self.services.get(project_id, id)
        if etags is not None and service.etag not in etags:
            raise Stale.etag(id)
        is_controlled = await self._deployment_of(service) is not None
        if not is_controlled and service.current_state != ServiceState.DEPLOYED:
            # The object goes first: without the record, nobody could repeat a deletion that was cancelled in between.
            await self._remove_uncontrolled(service)
        await self.services.delete(project_id, id, etags)
        if is_controlled:
            await self._attempt(id)

    async def _deployment_of(self, service: InferenceService) -> Deployment | None:
        """None for a service that is not under deployment control."""
        try:
            return await self.deployments.get(service.project_id, service.id)
        except NotFound:
            return None

    async def _to_redeploy(
        self, service: InferenceService, patch: InferenceServicePatch, *, by_contract: bool
    ) -> Deployment | None:
        """The deployment with the checked spec to deploy again: of the version that the service names, which others may
        have changed. None for a service that is not under deployment control."""
        deployment = await self._deployment_of(service)
        if deployment is None or deployment.want is Want.PRESENT:
            return deployment
        now = await self.services.get(service.project_id, service.id)
        named = now.model_version_id if patch.model_version_id is UNSET else patch.model_version_id
        if named in {None, deployment.spec.model_version_id}:
            spec = await self.drafting.repeated(deployment, deployment.spec, ignore_archived=by_contract)
        else:
            spec = await self.drafting.updated(deployment, named, None, ignore_archived=by_contract)
        return replace(deployment, spec=spec)

    async def _attempt(self, id: UUID) -> None:
        if self.reconciler is not None:
            await self.reconciler.attempt(id)

    async def _remove_uncontrolled(self, service: InferenceService) -> None:
        """Delete the object that the Go service made, which is marked with the service's id. Clients of the Go service
        never saw errors of this (contract 2.4)."""
        if self.cluster is None:
            return
        with suppress(RegistryError):
            await self.cluster.remove(await self._namespace_of(service), service.name, service.id)

    async def _namespace_of(self, service: InferenceService) -> str:
        return (await self.environments.get(service.project_id, service.serving_environment_id)).namespace
