"""Model versions in memory."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

from tests.fakes.filtering import matches
from tests.fakes.store import InMemoryStore, check_etag, check_external_id, check_name, oldest_first, page_of

from registry_grpc.domain.errors import NotFound, Reason
from registry_grpc.domain.etag import Etags
from registry_grpc.domain.model_version import (
    DEFAULT,
    LATEST,
    Credentials,
    ModelVersion,
    ModelVersionFilter,
    ModelVersionKey,
    ModelVersionPatch,
    already_attached,
    no_such_version,
    number_in,
)
from registry_grpc.domain.paging import Page, Slice, Sort
from registry_grpc.domain.patch import changes
from registry_grpc.domain.storage import place_of
from registry_grpc.domain.times import NOT_STORED


class InMemoryModelVersionRepository:
    """Keeps model versions in the store."""

    def __init__(self, store: InMemoryStore) -> None:
        self._store = store

    async def create(
        self, project_id: UUID, version: ModelVersion, credentials: Credentials, artifacts_of: UUID | None = None
    ) -> ModelVersion:
        model = self._store.models.get(version.registered_model_id)
        if model is None or model.project_id != project_id:
            raise NotFound.of(Reason.REGISTERED_MODEL_NOT_FOUND, version.registered_model_id)
        self._check_name(version)
        newest = max((other.created_at for other in self._of_same_model(version)), default=NOT_STORED)
        number = self._store.numbers.get(model.id, 0) + 1
        self._store.numbers[model.id] = number
        times = self._store.times_of(version, newest + timedelta(microseconds=1))
        stored = version._replace(**times, number=number)
        self._put(stored)
        self._store.credentials[version.id] = (version.uri, credentials)
        for artifact in [each for each in self._store.artifacts.values() if each.model_version_id == artifacts_of]:
            if artifacts_of is not None:
                own: dict[str, Any] = {"id": uuid4(), "project_id": project_id, "model_version_id": version.id, **times}
                self._store.artifacts[own["id"]] = replace(artifact, **own, external_id="")
        return self._store.versions[version.id]

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
                and key.external_id in {"", version.external_id}
            ):
                return version
        raise NotFound.of(Reason.MODEL_VERSION_NOT_FOUND)

    async def named(self, project_id: UUID, registered_model_id: UUID, version: str) -> ModelVersion:
        of_model = [v for v in self._of_project(project_id) if v.registered_model_id == registered_model_id]
        number = number_in(version)
        if version == LATEST:
            found = sorted(of_model, key=lambda v: v.created_at)
        elif version == DEFAULT:
            found = [v for v in of_model if v.is_default]
        elif number is not None:
            found = [v for v in of_model if v.number == number]
        else:
            alias = self._store.aliases.get((registered_model_id, version))
            found = [v for v in of_model if (v.id == alias.model_version_id if alias else v.name == version)]
        if not found:
            raise no_such_version(registered_model_id, version)
        return found[-1]

    async def list(self, project_id: UUID, filter: ModelVersionFilter, sort: Sort, slice: Slice) -> Page[ModelVersion]:
        rows = (
            version.in_view(slice.view)
            for version in self._of_project(project_id)
            if filter.registered_model_id in {None, version.registered_model_id}
            and filter.state in {"", version.state}
            and filter.status in {"", version.status}
            and (not filter.ids or version.id in filter.ids)
            and matches(filter.where, version)
        )
        return page_of(rows, sort, slice)

    async def update(
        self,
        project_id: UUID,
        id: UUID,
        patch: ModelVersionPatch,
        *,
        registered_model_id: UUID | None = None,
        etags: Etags = None,
        attaches: bool = False,
    ) -> ModelVersion:
        version = await self.get(project_id, id, registered_model_id=registered_model_id)
        check_etag(version, etags)
        if attaches and version.uri:
            raise already_attached(id, version.uri)
        fields = {name: value for name, value in changes(patch).items() if name in version._fields}
        said = [
            name
            for name in ("digest", "size_bytes")
            if fields.get(name, getattr(version, name)) != getattr(version, name)
        ]
        if not said and fields.get("uri", version.uri) != version.uri:
            fields |= {"digest": "", "size_bytes": 0}
        changed = version._replace(**fields, updated_at=self._store.write_time(version.created_at))
        self._check_name(changed)
        self._put(changed)
        if patch.concerns_keys:
            keys_uri, keys = self._store.credentials[id]
            self._store.credentials[id] = changed.uri, replace(keys, **patch.keys_for(changed.uri, keys_uri))
        return self._store.versions[id]

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
                if other.is_default:
                    self._store.versions[other.id] = other._replace(is_default=False)
        self._store.versions[version.id] = version

    def _check_name(self, version: ModelVersion) -> None:
        check_name(version, self._of_same_model(version), Reason.MODEL_VERSION_NAME_TAKEN)
        model = self._store.models[version.registered_model_id]
        check_external_id(version, (other for other in self._of_project(model.project_id) if other.id != version.id))

    def _of_same_model(self, version: ModelVersion) -> tuple[ModelVersion, ...]:
        """The other versions of a version's model."""
        return tuple(
            other
            for other in self._store.versions.values()
            if other.registered_model_id == version.registered_model_id and other.id != version.id
        )
