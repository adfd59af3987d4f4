"""Registered models in memory."""

from __future__ import annotations

from dataclasses import replace
from uuid import UUID

from tests.fakes.filtering import matches
from tests.fakes.store import (
    InMemoryStore,
    check_etag,
    check_external_id,
    check_name,
    newest_first,
    page_of,
    search_matches,
    users,
)

from registry_grpc.domain.errors import FailedPrecondition, NotFound, Reason, User
from registry_grpc.domain.etag import Etags
from registry_grpc.domain.paging import Page, Slice, Sort
from registry_grpc.domain.patch import changes
from registry_grpc.domain.registered_model import (
    ARCHIVED,
    RegisteredModel,
    RegisteredModelFilter,
    RegisteredModelPatch,
    not_archived,
)


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
        return self._store.models[model.id]

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

    async def find(
        self, project_id: UUID, *, name: str = "", id: UUID | None = None, external_id: str = ""
    ) -> RegisteredModel:
        for model in self._store.models.values():
            is_named = name in {"", model.name} and external_id in {"", model.external_id}
            if model.project_id == project_id and is_named and id in {None, model.id}:
                return await self.get(project_id, model.id)
        raise NotFound.of(Reason.REGISTERED_MODEL_NOT_FOUND)

    async def list(
        self, project_id: UUID, filter: RegisteredModelFilter, sort: Sort, slice: Slice
    ) -> Page[RegisteredModel]:
        rows = [
            (await self.get(project_id, model.id)).in_view(slice.view)
            for model in self._store.models.values()
            if model.project_id == project_id
            and filter.state in {"", model.state}
            and filter.model_type in {"", model.model_type}
            and search_matches(filter.search, model.name)
            and (not filter.ids or model.id in filter.ids)
            and matches(filter.where, model)
        ]
        return page_of(rows, sort, slice)

    async def update(
        self, project_id: UUID, id: UUID, patch: RegisteredModelPatch, etags: Etags = None
    ) -> RegisteredModel:
        model = self._row(project_id, id)
        check_etag(model, etags)
        changed = model._replace(**changes(patch), updated_at=self._store.write_time(model.created_at))
        self._check_name(changed)
        self._store.models[id] = changed
        return await self.get(project_id, id)

    async def delete(self, project_id: UUID, id: UUID, etags: Etags = None) -> None:
        model = self._row(project_id, id)
        check_etag(model, etags)
        if model.state != ARCHIVED:
            raise not_archived(id, model.state)
        store = self._store
        versions = {v.id for v in store.versions.values() if v.registered_model_id == id}
        services = {s for s in store.services if store.services[s].registered_model_id == id}
        links = {
            s.id: s.inference_service_id
            for s in store.serve_models.values()
            if s.model_version_id in versions and s.inference_service_id not in services
        }
        using = [User("INFERENCE_SERVICE", str(service), store.services[service].name) for service in services]
        using += [User("SERVE_MODEL", str(link), store.services[service].name) for link, service in links.items()]
        if in_use := users(using):
            raise FailedPrecondition(Reason.MODEL_HAS_ACTIVE_DEPLOYMENTS, users=in_use, id=str(id))
        del store.models[id]
        store.numbers.pop(id, None)
        store.deleted_versions = {
            key: deleted
            for key, deleted in store.deleted_versions.items()
            if deleted[0].model_version.registered_model_id != id
        }
        store.aliases = {key: alias for key, alias in store.aliases.items() if alias.registered_model_id != id}
        for version_id in versions:
            del store.versions[version_id]
            del store.credentials[version_id]
        for artifact in [a for a in store.artifacts.values() if a.model_version_id in versions]:
            del store.artifacts[artifact.id]
        for child in [m for m in store.models.values() if m.parent_model_id == id]:
            store.models[child.id] = child._replace(parent_model_id=None)
        for service in [s for s in store.services.values() if s.model_version_id in versions]:
            store.services[service.id] = replace(service, model_version_id=None)

    def _row(self, project_id: UUID, id: UUID) -> RegisteredModel:
        model = self._store.models.get(id)
        if model is None or model.project_id != project_id:
            raise NotFound.of(Reason.REGISTERED_MODEL_NOT_FOUND, id)
        return model

    def _check_name(self, model: RegisteredModel) -> None:
        others = [o for o in self._store.models.values() if o.project_id == model.project_id and o.id != model.id]
        check_name(model, others, Reason.REGISTERED_MODEL_NAME_TAKEN)
        check_external_id(model, others)
