"""Use cases on registered models."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID, uuid4

from registry_grpc.domain.batch import BY_ID, in_order, slice_for
from registry_grpc.domain.errors import InvalidRequest, NotFound, Reason, Violation
from registry_grpc.domain.etag import Etags
from registry_grpc.domain.paging import Page, Slice, Sort, View
from registry_grpc.domain.patch import UNSET
from registry_grpc.domain.registered_model import (
    NewRegisteredModel,
    RegisteredModel,
    RegisteredModelFilter,
    RegisteredModelPatch,
)
from registry_grpc.ports.projects import Tenants
from registry_grpc.ports.repositories import RegisteredModelRepository
from registry_grpc.services.projects import tenant


class RegisteredModels:
    """Register, read, change and delete the models of a project."""

    def __init__(self, *, models: RegisteredModelRepository, tenants: Tenants) -> None:
        self._models = models
        self._tenants = tenants

    async def create(self, project_id: UUID, new: NewRegisteredModel) -> RegisteredModel:
        """Raises AlreadyExists if the name or external id is taken; NotFound if the parent is not in the project;
        QuotaExceeded."""
        model = RegisteredModel.register(new, id=uuid4(), project_id=project_id)
        async with self._tenants.bounded(await tenant(self._tenants, project_id), "models"):
            return await self._models.create(model)

    async def get(self, project_id: UUID, id: UUID, view: View = View.FULL) -> RegisteredModel:
        """Raises NotFound."""
        return (await self._models.get(project_id, id)).in_view(view)

    async def batch(self, project_id: UUID, ids: Sequence[UUID], view: View = View.FULL) -> Sequence[RegisteredModel]:
        """Those with these ids, in their order. Raises what domain.batch raises."""
        page = await self._models.list(project_id, RegisteredModelFilter(ids=ids), BY_ID, slice_for(ids, view))
        return in_order(page, ids, Reason.REGISTERED_MODEL_NOT_FOUND)

    async def find(
        self,
        project_id: UUID,
        *,
        name: str,
        id: UUID | None = None,
        external_id: str = "",
        view: View = View.FULL,
    ) -> RegisteredModel:
        """Raises NotFound, also without any condition (quirk Q32)."""
        if not name and id is None and not external_id:
            raise NotFound.of(Reason.REGISTERED_MODEL_NOT_FOUND)
        return (await self._models.find(project_id, name=name, id=id, external_id=external_id)).in_view(view)

    async def list(
        self, project_id: UUID, filter: RegisteredModelFilter, sort: Sort, slice: Slice
    ) -> Page[RegisteredModel]:
        return await self._models.list(project_id, filter, sort, slice)

    async def update(
        self, project_id: UUID, id: UUID, patch: RegisteredModelPatch, etags: Etags = None
    ) -> RegisteredModel:
        """Raises NotFound, also for a parent that is not a model of the project; InvalidRequest if it is the model
        itself; Stale; AlreadyExists."""
        if patch.parent_model_id == id:
            raise InvalidRequest([Violation("parent_model_id", "must be another model")])
        if patch.parent_model_id is not UNSET and patch.parent_model_id is not None:
            await self._models.get(project_id, patch.parent_model_id)
        return await self._models.update(project_id, id, patch, etags)

    async def delete(self, project_id: UUID, id: UUID, etags: Etags = None) -> None:
        """Raises NotFound; Stale; FailedPrecondition if the model is not archived or is in use. READY versions do not
        matter (quirk Q8)."""
        await self._models.delete(project_id, id, etags)
