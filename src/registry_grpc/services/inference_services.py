"""Use cases on inference services: bookkeeping, but for services under deployment control."""

from __future__ import annotations

from uuid import UUID, uuid4

from registry_grpc.domain.inference_service import (
    InferenceService,
    InferenceServiceFilter,
    InferenceServicePatch,
    NewInferenceService,
)
from registry_grpc.domain.paging import Page, Slice, Sort
from registry_grpc.domain.patch import UNSET
from registry_grpc.domain.serve_model import ServeModel
from registry_grpc.ports.repositories import (
    InferenceServiceRepository,
    ModelVersionRepository,
    RegisteredModelRepository,
    ServingEnvironmentRepository,
)
from registry_grpc.services.deployments import Deployments


class InferenceServices:
    """Create, read, change and delete the records of served models."""

    def __init__(
        self,
        *,
        services: InferenceServiceRepository,
        environments: ServingEnvironmentRepository,
        models: RegisteredModelRepository,
        versions: ModelVersionRepository,
        deployments: Deployments,
    ) -> None:
        self._services = services
        self._environments = environments
        self._models = models
        self._versions = versions
        self._deployments = deployments

    async def create(self, project_id: UUID, new: NewInferenceService) -> InferenceService:
        """Raises NotFound for the environment first, then the model, then a version that is not of the model (Q12);
        AlreadyExists for a name taken in the environment."""
        await self._environments.get(project_id, new.serving_environment_id)
        await self._models.get(project_id, new.registered_model_id)
        for version_id in new.model_version_ids:
            await self._versions.get(project_id, version_id, registered_model_id=new.registered_model_id)
        service = InferenceService.create(new, id=uuid4(), project_id=project_id)
        served = ServeModel.create_all(service.id, new.model_version_ids, project_id=project_id)
        return await self._services.create(service, served)

    async def get(self, project_id: UUID, id: UUID) -> InferenceService:
        """Raises NotFound."""
        return await self._services.get(project_id, id)

    async def find_by_external_id(self, project_id: UUID, external_id: str) -> InferenceService:
        """The oldest match (quirk Q33). Raises NotFound."""
        return await self._services.find_by_external_id(project_id, external_id)

    async def find_by_name(self, project_id: UUID, serving_environment_id: UUID, name: str) -> InferenceService:
        """Raises NotFound."""
        return await self._services.find_by_name(project_id, serving_environment_id, name)

    async def list(
        self, project_id: UUID, filter: InferenceServiceFilter, sort: Sort, slice: Slice
    ) -> Page[InferenceService]:
        return await self._services.list(project_id, filter, sort, slice)

    async def update(
        self, project_id: UUID, id: UUID, patch: InferenceServicePatch, user: str = ""
    ) -> InferenceService:
        """Raises NotFound, also for a version that is not of the service's model; AlreadyExists.

        Under deployment control a changed `desired_state` deploys or undeploys (decision 6); then as
        Deployments.change_service.
        """
        service = await self._services.get(project_id, id)
        if patch.model_version_id is not UNSET:
            await self._versions.get(
                project_id, patch.model_version_id, registered_model_id=service.registered_model_id
            )
        if patch.desired_state is UNSET:
            return await self._services.update(project_id, id, patch)
        return await self._deployments.change_service(project_id, id, patch, user)

    async def delete(self, project_id: UUID, id: UUID) -> None:
        """Delete the record, and what is left of it in the cluster (quirk Q13).

        Raises NotFound, FailedPrecondition while its current state is DEPLOYED.
        """
        await self._deployments.delete_service(project_id, id)
