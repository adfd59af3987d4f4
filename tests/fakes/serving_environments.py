"""Serving environments in memory."""

from __future__ import annotations

from dataclasses import replace
from uuid import UUID

from tests.fakes.filtering import matches
from tests.fakes.store import InMemoryStore, check_etag, check_name, oldest_first, page_of, search_matches, users

from registry_grpc.domain.errors import FailedPrecondition, NotFound, Reason, User
from registry_grpc.domain.etag import Etags
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
        return self._store.environments[environment.id]

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

    async def find_by_external_id(self, project_id: UUID, external_id: str) -> ServingEnvironment:
        for environment in oldest_first(self._store.environments.values()):
            if environment.project_id == project_id and environment.external_id == external_id:
                return environment
        raise NotFound.of(Reason.SERVING_ENVIRONMENT_NOT_FOUND)

    async def list(
        self, project_id: UUID, filter: ServingEnvironmentFilter, sort: Sort, slice: Slice
    ) -> Page[ServingEnvironment]:
        rows = (
            environment
            for environment in self._store.environments.values()
            if environment.project_id == project_id
            and search_matches(filter.search, environment.name)
            and matches(filter.where, environment)
        )
        return page_of(rows, sort, slice)

    async def update(
        self, project_id: UUID, id: UUID, patch: ServingEnvironmentPatch, etags: Etags = None
    ) -> ServingEnvironment:
        environment = await self.get(project_id, id)
        check_etag(environment, etags)
        changed = replace(environment, **changes(patch), updated_at=self._store.write_time(environment.created_at))
        self._check_name(changed)
        self._store.environments[id] = changed
        return self._store.environments[id]

    async def delete(self, project_id: UUID, id: UUID, etags: Etags = None) -> None:
        check_etag(await self.get(project_id, id), etags)
        services = [s for s in self._store.services.values() if s.serving_environment_id == id]
        if in_use := users(User("INFERENCE_SERVICE", str(service.id), service.name) for service in services):
            raise FailedPrecondition(Reason.ENVIRONMENT_HAS_INFERENCE_SERVICES, users=in_use, id=str(id))
        del self._store.environments[id]

    def _check_name(self, environment: ServingEnvironment) -> None:
        there = environment.project_id
        others = (o for o in self._store.environments.values() if o.project_id == there and o.id != environment.id)
        check_name(environment, others, Reason.SERVING_ENVIRONMENT_NAME_TAKEN)
