"""Serving environments in memory."""

from __future__ import annotations

from dataclasses import replace
from uuid import UUID

from tests.fakes.store import InMemoryStore, page_of, search_matches

from registry_grpc.domain.errors import AlreadyExists, FailedPrecondition, NotFound, Reason
from registry_grpc.domain.paging import Page, Slice, Sort
from registry_grpc.domain.patch import changes
from registry_grpc.domain.serving_environment import (
    ServingEnvironment,
    ServingEnvironmentFilter,
    ServingEnvironmentPatch,
)


class InMemoryServingEnvironmentRepository:
    """Keeps serving environments in the store."""

    def __init__(self, store: InMemoryStore) -> None:
        self._store = store

    async def create(self, environment: ServingEnvironment) -> ServingEnvironment:
        self._check_name(environment)
        stored = replace(environment, **self._store.times_of(environment))
        self._store.environments[environment.id] = stored
        return stored

    async def get(self, project_id: UUID, id: UUID) -> ServingEnvironment:
        environment = self._store.environments.get(id)
        if environment is None or environment.project_id != project_id:
            raise NotFound.of(Reason.SERVING_ENVIRONMENT_NOT_FOUND, id)
        return environment

    async def find(self, project_id: UUID, name: str) -> ServingEnvironment:
        for environment in self._store.environments.values():
            if environment.project_id == project_id and environment.name == name:
                return environment
        raise NotFound.of(Reason.SERVING_ENVIRONMENT_NOT_FOUND)

    async def list(
        self, project_id: UUID, filter: ServingEnvironmentFilter, sort: Sort, slice: Slice
    ) -> Page[ServingEnvironment]:
        rows = (
            environment
            for environment in self._store.environments.values()
            if environment.project_id == project_id and search_matches(filter.search, environment.name)
        )
        return page_of(rows, sort, slice)

    async def update(self, project_id: UUID, id: UUID, patch: ServingEnvironmentPatch) -> ServingEnvironment:
        environment = await self.get(project_id, id)
        changed = replace(environment, **changes(patch), updated_at=self._store.write_time(environment.created_at))
        self._check_name(changed)
        self._store.environments[id] = changed
        return changed

    async def delete(self, project_id: UUID, id: UUID) -> None:
        await self.get(project_id, id)
        if any(service.serving_environment_id == id for service in self._store.services.values()):
            raise FailedPrecondition(Reason.ENVIRONMENT_HAS_INFERENCE_SERVICES)
        del self._store.environments[id]

    def _check_name(self, environment: ServingEnvironment) -> None:
        if any(
            other.project_id == environment.project_id and other.name == environment.name and other.id != environment.id
            for other in self._store.environments.values()
        ):
            raise AlreadyExists(Reason.SERVING_ENVIRONMENT_NAME_TAKEN)
