"""Model versions in memory."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from uuid import UUID

from tests.fakes.store import InMemoryStore, oldest_first, page_of

from registry_grpc.domain.errors import AlreadyExists, NotFound, Reason
from registry_grpc.domain.model_version import (
    Credentials,
    ModelVersion,
    ModelVersionFilter,
    ModelVersionKey,
    ModelVersionPatch,
)
from registry_grpc.domain.paging import Page, Slice, Sort
from registry_grpc.domain.patch import changes
from registry_grpc.domain.storage import place_of
from registry_grpc.domain.times import NOT_STORED


class InMemoryModelVersionRepository:
    """Keeps model versions in the store."""

    def __init__(self, store: InMemoryStore) -> None:
        self._store = store

    async def create(self, project_id: UUID, version: ModelVersion, credentials: Credentials) -> ModelVersion:
        model = self._store.models.get(version.registered_model_id)
        if model is None or model.project_id != project_id:
            raise NotFound.of(Reason.REGISTERED_MODEL_NOT_FOUND, version.registered_model_id)
        self._check_name(version)
        newest = max((other.created_at for other in self._of_same_model(version)), default=NOT_STORED)
        stored = version._replace(**self._store.times_of(version, newest + timedelta(microseconds=1)))
        self._put(stored)
        self._store.credentials[version.id] = (version.uri, credentials)
        return stored

    async def get(self, project_id: UUID, id: UUID, *, registered_model_id: UUID | None = None) -> ModelVersion:
        for version in self._of_project(project_id):
            if version.id == id and registered_model_id in {None, version.registered_model_id}:
                return version
        raise NotFound.of(Reason.MODEL_VERSION_NOT_FOUND, id)

    async def find(self, project_id: UUID, key: ModelVersionKey) -> ModelVersion:
        for version in oldest_first(self._of_project(project_id)):
            if (
                key.name in {"", version.name}
                and key.id in {None, version.id}
                and key.registered_model_id in {None, version.registered_model_id}
            ):
                return version
        raise NotFound.of(Reason.MODEL_VERSION_NOT_FOUND)

    async def list(self, project_id: UUID, filter: ModelVersionFilter, sort: Sort, slice: Slice) -> Page[ModelVersion]:
        rows = (
            version
            for version in self._of_project(project_id)
            if filter.registered_model_id in {None, version.registered_model_id}
            and filter.state in {"", version.state}
            and filter.status in {"", version.status}
        )
        return page_of(rows, sort, slice)

    async def update(
        self, project_id: UUID, id: UUID, patch: ModelVersionPatch, *, registered_model_id: UUID | None = None
    ) -> ModelVersion:
        version = await self.get(project_id, id, registered_model_id=registered_model_id)
        fields = {name: value for name, value in changes(patch).items() if name in version._fields}
        changed = version._replace(**fields, updated_at=self._store.write_time(version.created_at))
        self._check_name(changed)
        self._put(changed)
        if patch.concerns_keys:
            keys_uri, keys = self._store.credentials[id]
            self._store.credentials[id] = changed.uri, replace(keys, **patch.keys_for(changed.uri, keys_uri))
        return changed

    async def credentials(self, project_id: UUID, id: UUID, uri: str) -> Credentials | None:
        keys_uri, keys = self._store.credentials[(await self.get(project_id, id)).id]
        return (keys or None) if place_of(keys_uri) == place_of(uri) else None

    async def keys_uri(self, project_id: UUID, id: UUID) -> str | None:
        versions = {version.id for version in self._of_project(project_id)}
        keys_uri, keys = self._store.credentials[id] if id in versions else ("", Credentials())
        return keys_uri if keys else None

    def _of_project(self, project_id: UUID) -> Iterator[ModelVersion]:
        models = self._store.models
        return (v for v in self._store.versions.values() if models[v.registered_model_id].project_id == project_id)

    def _put(self, version: ModelVersion) -> None:
        if version.is_default:
            for other in self._of_same_model(version):
                self._store.versions[other.id] = other._replace(is_default=False)
        self._store.versions[version.id] = version

    def _check_name(self, version: ModelVersion) -> None:
        if any(other.name == version.name for other in self._of_same_model(version)):
            raise AlreadyExists(Reason.MODEL_VERSION_NAME_TAKEN)

    def _of_same_model(self, version: ModelVersion) -> tuple[ModelVersion, ...]:
        """The other versions of a version's model."""
        return tuple(
            other
            for other in self._store.versions.values()
            if other.registered_model_id == version.registered_model_id and other.id != version.id
        )
