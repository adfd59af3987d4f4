"""Use cases on serving environments."""

from __future__ import annotations

from uuid import UUID, uuid4

from registry_grpc.domain.paging import Page, Slice, Sort
from registry_grpc.domain.serving_environment import (
    NewServingEnvironment,
    ServingEnvironment,
    ServingEnvironmentFilter,
    ServingEnvironmentPatch,
)
from registry_grpc.ports.repositories import ServingEnvironmentRepository


class ServingEnvironments:
    """Create, read, change and delete the environments of a project."""

    def __init__(self, *, environments: ServingEnvironmentRepository) -> None:
        self._environments = environments

    async def create(self, project_id: UUID, new: NewServingEnvironment) -> ServingEnvironment:
        """Raises AlreadyExists."""
        return await self._environments.create(ServingEnvironment.create(new, id=uuid4(), project_id=project_id))

    async def get(self, project_id: UUID, id: UUID) -> ServingEnvironment:
        """Raises NotFound."""
        return await self._environments.get(project_id, id)

    async def find(self, project_id: UUID, name: str) -> ServingEnvironment:
        """Raises NotFound."""
        return await self._environments.find(project_id, name)

    async def list(
        self, project_id: UUID, filter: ServingEnvironmentFilter, sort: Sort, slice: Slice
    ) -> Page[ServingEnvironment]:
        return await self._environments.list(project_id, filter, sort, slice)

    async def update(self, project_id: UUID, id: UUID, patch: ServingEnvironmentPatch) -> ServingEnvironment:
        """Raises NotFound, AlreadyExists."""
        return await self._environments.update(project_id, id, patch)

    async def delete(self, project_id: UUID, id: UUID) -> None:
        """Raises NotFound; FailedPrecondition if the environment has inference services."""
        await self._environments.delete(project_id, id)
