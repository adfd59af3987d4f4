"""Serve models in memory."""

from __future__ import annotations

from dataclasses import replace
from uuid import UUID

from tests.fakes.filtering import matches
from tests.fakes.store import InMemoryStore, check_etag, newest_first, page_of

from registry_grpc.domain.errors import AlreadyExists, NotFound, Reason
from registry_grpc.domain.etag import Etags
from registry_grpc.domain.paging import Page, Slice, Sort
from registry_grpc.domain.serve_model import ServeModel, ServeModelFilter


class InMemoryServeModelRepository:
    """Keeps serve models in the store."""

    def __init__(self, store: InMemoryStore) -> None:
        self._store = store

    async def create(self, serve_model: ServeModel) -> ServeModel:
        return named(self._store, put_serve_model(self._store, serve_model))

    async def get(self, project_id: UUID, id: UUID) -> ServeModel:
        serve_model = self._store.serve_models.get(id)
        if serve_model is None or serve_model.project_id != project_id:
            raise NotFound.of(Reason.SERVE_MODEL_NOT_FOUND, id)
        return named(self._store, serve_model)

    async def list(self, project_id: UUID, filter: ServeModelFilter, sort: Sort, slice: Slice) -> Page[ServeModel]:
        rows = (
            named(self._store, serve_model)
            for serve_model in self._store.serve_models.values()
            if serve_model.project_id == project_id
            and filter.inference_service_id in {None, serve_model.inference_service_id}
            and filter.model_version_id in {None, serve_model.model_version_id}
            and filter.state in {"", serve_model.last_known_state}
            and matches(filter.where, named(self._store, serve_model))
        )
        return page_of(rows, sort, slice)

    async def delete(self, project_id: UUID, id: UUID, etags: Etags = None) -> None:
        serve_model = await self.get(project_id, id)
        check_etag(serve_model, etags)
        del self._store.serve_models[serve_model.id]


def put_serve_model(store: InMemoryStore, new: ServeModel) -> ServeModel:
    """Store it. Raises NotFound when its service or version is not of its project, AlreadyExists for the pair."""
    service = store.services.get(new.inference_service_id)
    if service is None or service.project_id != new.project_id:
        raise NotFound.of(Reason.INFERENCE_SERVICE_NOT_FOUND, new.inference_service_id)
    require_version(store, new.project_id, new.model_version_id)
    for other in store.serve_models.values():
        if (other.inference_service_id, other.model_version_id) == (new.inference_service_id, new.model_version_id):
            raise AlreadyExists.held(Reason.SERVE_MODEL_EXISTS, other.id)
    stored = replace(new, **store.times_of(new))
    store.serve_models[new.id] = stored
    return store.serve_models[new.id]


def require_version(store: InMemoryStore, project_id: UUID, id: UUID) -> None:
    """Raise NotFound if the project has no such version."""
    version = store.versions.get(id)
    if version is None or store.models[version.registered_model_id].project_id != project_id:
        raise NotFound.of(Reason.MODEL_VERSION_NOT_FOUND, id)


def served_by(store: InMemoryStore, inference_service_id: UUID) -> tuple[ServeModel, ...]:
    """The serve models of a service, newest first."""
    served = (s for s in store.serve_models.values() if s.inference_service_id == inference_service_id)
    return newest_first(named(store, serve_model) for serve_model in served)


def named(store: InMemoryStore, serve_model: ServeModel) -> ServeModel:
    """The serve model with the current names of service and version."""
    return replace(
        serve_model,
        inference_service_name=store.services[serve_model.inference_service_id].name,
        model_version_name=store.versions[serve_model.model_version_id].name,
    )
