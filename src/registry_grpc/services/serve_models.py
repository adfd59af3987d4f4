"""Use cases on serve models."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID, uuid4

from registry_grpc.domain.etag import Etags
from registry_grpc.domain.paging import Page, Slice, Sort
from registry_grpc.domain.serve_model import NewServeModel, ServeModel, ServeModelFilter
from registry_grpc.ports.repositories import InferenceServiceRepository, ModelVersionRepository, ServeModelRepository


@dataclass(frozen=True, slots=True, kw_only=True)
class ServeModels:
    """Link versions to inference services, and unlink them. These links are records only, without effect on the
    cluster."""

    serve_models: ServeModelRepository
    services: InferenceServiceRepository
    versions: ModelVersionRepository

    async def create(self, project_id: UUID, new: NewServeModel) -> ServeModel:
        """Raises NotFound first for the service, then for a version that does not belong to the service's model
        (quirk Q14); AlreadyExists if the pair is already linked (quirk Q11)."""
        service = await self.services.get(project_id, new.inference_service_id)
        await self.versions.get(project_id, new.model_version_id, registered_model_id=service.registered_model_id)
        serve_model = ServeModel(
            id=uuid4(),
            project_id=project_id,
            inference_service_id=new.inference_service_id,
            model_version_id=new.model_version_id,
        )
        return await self.serve_models.create(serve_model)

    async def get(self, project_id: UUID, id: UUID) -> ServeModel:
        """Raises NotFound."""
        return await self.serve_models.get(project_id, id)

    async def list(self, project_id: UUID, filter: ServeModelFilter, sort: Sort, slice: Slice) -> Page[ServeModel]:
        return await self.serve_models.list(project_id, filter, sort, slice)

    async def delete(self, project_id: UUID, id: UUID, etags: Etags = None) -> None:
        """Raises NotFound, Stale."""
        await self.serve_models.delete(project_id, id, etags)
