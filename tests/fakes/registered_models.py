"""Registered models in memory."""

from __future__ import annotations

from dataclasses import replace
from uuid import UUID

from tests.fakes.store import InMemoryStore, newest_first, page_of, search_matches

from registry_grpc.domain.errors import AlreadyExists, FailedPrecondition, NotFound, Reason
from registry_grpc.domain.paging import Page, Slice, Sort
from registry_grpc.domain.patch import changes
from registry_grpc.domain.registered_model import ARCHIVED, RegisteredModel, RegisteredModelFilter, RegisteredModelPatch


class InMemoryRegisteredModelRepository:
    """Keeps registered models in the store."""

    def __init__(self, store: InMemoryStore) -> None:
        self._store = store

    async def create(self, model: RegisteredModel) -> RegisteredModel:
        self._check_name(model)
        if model.parent_model_id is not None:
            self._row(model.project_id, model.parent_model_id)
        stored = model._replace(
            version_count=0, latest_version=None, default_version=None, **self._store.times_of(model)
        )
        self._store.models[model.id] = stored
        return stored

    async def get(self, project_id: UUID, id: UUID) -> RegisteredModel:
        model = self._row(project_id, id)
        stored = [v for v in self._store.versions.values() if v.registered_model_id == id]
        versions = newest_first(stored)
        return model._replace(
            version_count=len(versions),
            # If several were created at the same time, the one stored last.
            latest_version=max(reversed(stored), key=lambda version: version.created_at, default=None),
            default_version=next((version for version in versions if version.is_default), None),
        )

    async def find(self, project_id: UUID, *, name: str = "", id: UUID | None = None) -> RegisteredModel:
        for model in self._store.models.values():
            if model.project_id == project_id and name in {"", model.name} and id in {None, model.id}:
                return await self.get(project_id, model.id)
        raise NotFound.of(Reason.REGISTERED_MODEL_NOT_FOUND)

    async def list(
        self, project_id: UUID, filter: RegisteredModelFilter, sort: Sort, slice: Slice
    ) -> Page[RegisteredModel]:
        rows = (
            self._counted(model)
            for model in self._store.models.values()
            if model.project_id == project_id
            and filter.state in {"", model.state}
            and filter.model_type in {"", model.model_type}
            and search_matches(filter.search, model.name)
        )
        return page_of(rows, sort, slice)

    async def update(self, project_id: UUID, id: UUID, patch: RegisteredModelPatch) -> RegisteredModel:
        model = self._row(project_id, id)
        changed = model._replace(**changes(patch), updated_at=self._store.write_time(model.created_at))
        self._check_name(changed)
        self._store.models[id] = changed
        return await self.get(project_id, id)

    async def delete(self, project_id: UUID, id: UUID) -> None:
        model = self._row(project_id, id)
        if model.state != ARCHIVED:
            raise FailedPrecondition(Reason.MODEL_NOT_ARCHIVED)
        store = self._store
        versions = {v.id for v in store.versions.values() if v.registered_model_id == id}
        if any(s.registered_model_id == id for s in store.services.values()) or any(
            s.model_version_id in versions for s in store.serve_models.values()
        ):
            raise FailedPrecondition(Reason.MODEL_HAS_ACTIVE_DEPLOYMENTS)
        del store.models[id]
        for version_id in versions:
            del store.versions[version_id]
            del store.credentials[version_id]
        for child in [m for m in store.models.values() if m.parent_model_id == id]:
            store.models[child.id] = child._replace(parent_model_id=None)
        for service in [s for s in store.services.values() if s.model_version_id in versions]:
            store.services[service.id] = replace(service, model_version_id=None)

    def _row(self, project_id: UUID, id: UUID) -> RegisteredModel:
        model = self._store.models.get(id)
        if model is None or model.project_id != project_id:
            raise NotFound.of(Reason.REGISTERED_MODEL_NOT_FOUND, id)
        return model

    def _counted(self, model: RegisteredModel) -> RegisteredModel:
        count = sum(version.registered_model_id == model.id for version in self._store.versions.values())
        return model._replace(version_count=count)

    def _check_name(self, model: RegisteredModel) -> None:
        if any(
            other.project_id == model.project_id and other.name == model.name and other.id != model.id
            for other in self._store.models.values()
        ):
            raise AlreadyExists(Reason.REGISTERED_MODEL_NAME_TAKEN)
