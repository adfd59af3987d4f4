"""Use cases on serve models."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID, uuid4

from registry_grpc.domain.serve_model import NewServeModel, ServeModel
from registry_grpc.ports.repositories import InferenceServiceRepository, ModelVersionRepository, ServeModelRepository


@dataclass(frozen=True, slots=True, kw_only=True)
class ServeModels:
    """Link versions to inference services. These links are records only, without effect on the cluster."""

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
