"""Inference services in memory."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from datetime import datetime
from uuid import UUID

from tests.fakes.filtering import matches
from tests.fakes.serve_models import put_serve_model, require_version, served_by
from tests.fakes.store import InMemoryStore, check_etag, check_name, oldest_first, page_of

from registry_grpc.domain.deployment import Want
from registry_grpc.domain.errors import ConcurrentChange, NotFound, Reason
from registry_grpc.domain.etag import Etags
from registry_grpc.domain.inference_service import (
    InferenceService,
    InferenceServiceFilter,
    InferenceServicePatch,
    ServiceState,
    still_deployed,
)
from registry_grpc.domain.paging import Page, Slice, Sort
from registry_grpc.domain.patch import changes
from registry_grpc.domain.serve_model import ServeModel, ServeModelState


class InMemoryInferenceServiceRepository:
    """Keeps inference services in the store."""

    def __init__(self, store: InMemoryStore) -> None:
        self._store = store

    async def create(self, service: InferenceService, served: Sequence[ServeModel]) -> InferenceService:
        store = self._store
        environment = store.environments.get(service.serving_environment_id)
        if environment is None or environment.project_id != service.project_id:
            raise NotFound.of(Reason.SERVING_ENVIRONMENT_NOT_FOUND, service.serving_environment_id)
        model = store.models.get(service.registered_model_id)
        if model is None or model.project_id != service.project_id:
            raise NotFound.of(Reason.REGISTERED_MODEL_NOT_FOUND, service.registered_model_id)
        for version_id in (service.model_version_id, *(s.model_version_id for s in served)):
            if version_id is not None:
                require_version(store, service.project_id, version_id)
        self._check_name(service)
        store.services[service.id] = replace(service, served_models=(), **store.times_of(service))
        for serve_model in reversed(served):  # the first one is the newest
            put_serve_model(store, serve_model)
        return await self.get(service.project_id, service.id)

    async def get(self, project_id: UUID, id: UUID) -> InferenceService:
        return self._first(project_id, lambda service: service.id == id)

    async def find_by_external_id(self, project_id: UUID, external_id: str) -> InferenceService:
        return self._first(project_id, lambda service: service.external_id == external_id != "")

    async def find_by_name(self, project_id: UUID, serving_environment_id: UUID, name: str) -> InferenceService:
        return self._first(
            project_id,
            lambda service: service.serving_environment_id == serving_environment_id and service.name == name,
        )

    async def list(
        self, project_id: UUID, filter: InferenceServiceFilter, sort: Sort, slice: Slice
    ) -> Page[InferenceService]:
        rows = (
            self._named(service)
            for service in self._of_project(project_id)
            if filter.serving_environment_id in {None, service.serving_environment_id}
            and filter.registered_model_id in {None, service.registered_model_id}
            and filter.model_version_id in {None, service.model_version_id}
            and filter.desired_state in {"", service.desired_state}
            and filter.current_state in {"", service.current_state}
            and matches(filter.where, self._named(service))
        )
        return page_of(rows, sort, slice)

    async def update(
        self, project_id: UUID, id: UUID, patch: InferenceServicePatch, etags: Etags = None
    ) -> InferenceService:
        service = self._row(project_id, id)
        check_etag(service, etags)
        changed = replace(service, **changes(patch), updated_at=self._store.write_time(service.created_at))
        self._check_name(changed)
        if changed.model_version_id is not None:
            require_version(self._store, project_id, changed.model_version_id)
        self._store.services[id] = changed
        return await self.get(project_id, id)

    async def follow(
        self,
        project_id: UUID,
        id: UUID,
        patch: InferenceServicePatch,
        served_state: ServeModelState | None,
        *,
        unchanged_since: datetime,
    ) -> InferenceService:
        if self._row(project_id, id).updated_at != unchanged_since:
            raise ConcurrentChange
        changed = await self.update(project_id, id, patch)
        if served_state is not None:
            for served in served_by(self._store, id):
                if served.last_known_state != served_state:
                    self._store.serve_models[served.id] = replace(
                        served, last_known_state=served_state, updated_at=changed.updated_at
                    )
        return await self.get(project_id, id)

    async def delete(self, project_id: UUID, id: UUID, etags: Etags = None) -> None:
        service = self._row(project_id, id)
        check_etag(service, etags)
        if service.current_state == ServiceState.DEPLOYED:
            raise still_deployed(id, service.name)
        for served in served_by(self._store, id):
            del self._store.serve_models[served.id]
        del self._store.services[id]
        if deployment := self._store.deployments.get(id):
            self._store.deployments[id] = replace(deployment, want=Want.ABSENT)
            self._store.work[id].change(self._store.write_time())

    def _of_project(self, project_id: UUID) -> Iterator[InferenceService]:
        return (service for service in self._store.services.values() if service.project_id == project_id)

    def _row(self, project_id: UUID, id: UUID) -> InferenceService:
        service = self._store.services.get(id)
        if service is None or service.project_id != project_id:
            raise NotFound.of(Reason.INFERENCE_SERVICE_NOT_FOUND, id)
        return service

    def _first(self, project_id: UUID, is_wanted: Callable[[InferenceService], bool]) -> InferenceService:
        """The oldest matching service, as it is read."""
        for service in oldest_first(self._of_project(project_id)):
            if is_wanted(service):
                return replace(self._named(service), served_models=served_by(self._store, service.id))
        raise NotFound.of(Reason.INFERENCE_SERVICE_NOT_FOUND)

    def _named(self, service: InferenceService) -> InferenceService:
        return replace(
            service,
            serving_environment_name=self._store.environments[service.serving_environment_id].name,
            registered_model_name=self._store.models[service.registered_model_id].name,
        )

    def _check_name(self, service: InferenceService) -> None:
        there = service.serving_environment_id
        others = (o for o in self._store.services.values() if o.serving_environment_id == there and o.id != service.id)
        check_name(service, others, Reason.INFERENCE_SERVICE_NAME_TAKEN)
