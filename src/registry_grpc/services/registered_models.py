"""Use cases on registered models."""

from __future__ import annotations

from uuid import UUID, uuid4

from registry_grpc.domain.errors import NotFound, Reason
from registry_grpc.domain.paging import Page, Slice, Sort
from registry_grpc.domain.registered_model import (
    NewRegisteredModel,
    RegisteredModel,
    RegisteredModelFilter,
    RegisteredModelPatch,
)
from registry_grpc.ports.repositories import RegisteredModelRepository


class RegisteredModels:
    """Register, read, change and delete the models of a project."""

    def __init__(self, *, models: RegisteredModelRepository) -> None:
        self._models = models

    async def create(self, project_id: UUID, new: NewRegisteredModel) -> RegisteredModel:
        """Raises AlreadyExists if the name is taken; NotFound if the parent is not a model of the project."""
        return await self._models.create(RegisteredModel.register(new, id=uuid4(), project_id=project_id))

    async def get(self, project_id: UUID, id: UUID) -> RegisteredModel:
        """Raises NotFound."""
        return await self._models.get(project_id, id)

    async def find(self, project_id: UUID, *, name: str, id: UUID | None) -> RegisteredModel:
        """Raises NotFound, also without any condition (quirk Q32)."""
        if not name and id is None:
            raise NotFound.of(Reason.REGISTERED_MODEL_NOT_FOUND)
        return await self._models.find(project_id, name=name, id=id)

    async def list(
        self, project_id: UUID, filter: RegisteredModelFilter, sort: Sort, slice: Slice
    ) -> Page[RegisteredModel]:
        return await self._models.list(project_id, filter, sort, slice)

    async def update(self, project_id: UUID, id: UUID, patch: RegisteredModelPatch) -> RegisteredModel:
        """Raises NotFound, AlreadyExists."""
        return await self._models.update(project_id, id, patch)

    async def delete(self, project_id: UUID, id: UUID) -> None:
        """Raises NotFound; FailedPrecondition if the model is not archived or is in use. READY versions do not matter
        (quirk Q8)."""
        await self._models.delete(project_id, id)
