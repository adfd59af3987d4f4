"""Artifacts in memory."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from uuid import UUID

from tests.fakes.filtering import matches
from tests.fakes.store import InMemoryStore, check_etag, check_external_id, check_name, page_of

from registry_grpc.domain.artifact import Artifact, ArtifactFilter, ArtifactKind, ArtifactPatch
from registry_grpc.domain.errors import InvalidRequest, NotFound, Reason, Violation
from registry_grpc.domain.etag import Etags
from registry_grpc.domain.filter.fields import required
from registry_grpc.domain.model_version import ModelVersion
from registry_grpc.domain.paging import NEWEST_FIRST, Page, Slice, Sort
from registry_grpc.domain.patch import changes


class InMemoryArtifactRepository:
    """Keeps artifacts in the store."""

    def __init__(self, store: InMemoryStore) -> None:
        self._store = store

    async def create(self, artifact: Artifact) -> Artifact:
        version = self._store.versions.get(artifact.model_version_id) if artifact.model_version_id else None
        if artifact.model_version_id and (version is None or self._project(version) != artifact.project_id):
            raise NotFound.of(Reason.MODEL_VERSION_NOT_FOUND, artifact.model_version_id)
        self._check(artifact)
        self._store.artifacts[artifact.id] = replace(artifact, **self._store.times_of(artifact))
        return self._store.artifacts[artifact.id]

    async def get(self, project_id: UUID, id: UUID) -> Artifact:
        for artifact in self._all(project_id):
            if artifact.id == id:
                return artifact
        raise NotFound.of(Reason.ARTIFACT_NOT_FOUND, id)

    async def list(
        self, project_id: UUID, filter: ArtifactFilter, slice: Slice, sort: Sort = NEWEST_FIRST
    ) -> Page[Artifact]:
        kind = filter.kind or required(filter.where, "kind")
        rows = (
            artifact
            for artifact in self._all(project_id)
            if filter.model_version_id in {None, artifact.model_version_id}
            and filter.kind in {None, artifact.kind}
            and not (filter.standing_alone and artifact.model_version_id)
            and (filter.model_version_id or (artifact.kind is ArtifactKind.MODEL) == (kind == ArtifactKind.MODEL))
            and matches(filter.where, artifact)
        )
        return page_of(rows, sort, slice)

    async def update(self, project_id: UUID, id: UUID, patch: ArtifactPatch, etags: Etags = None) -> Artifact:
        artifact = await self._own(project_id, id)
        if violations := patch.errors_for(artifact.kind):
            raise InvalidRequest(violations)
        check_etag(artifact, etags)
        time = self._store.write_time(artifact.created_at)
        changed = replace(artifact, **changes(patch), updated_at=time)
        self._check(changed)
        self._store.artifacts[id] = changed
        return self._store.artifacts[id]

    async def delete(self, project_id: UUID, id: UUID, etags: Etags = None) -> None:
        check_etag(await self._own(project_id, id), etags)
        del self._store.artifacts[id]

    async def _own(self, project_id: UUID, id: UUID) -> Artifact:
        artifact = await self.get(project_id, id)
        if artifact.kind is ArtifactKind.MODEL:
            raise InvalidRequest([Violation("id", "names the model artifact of a version: change the version")])
        return artifact

    def _all(self, project_id: UUID) -> Iterator[Artifact]:
        store = self._store
        for artifact in store.artifacts.values():
            if artifact.project_id == project_id and artifact.model_version_id in {None, *store.versions}:
                yield artifact
        for version in store.versions.values():
            if self._project(version) == project_id and version.uri:
                yield _of_version(version, project_id)

    def _project(self, version: ModelVersion) -> UUID:
        return self._store.models[version.registered_model_id].project_id

    def _check(self, artifact: Artifact) -> None:
        others = [
            other
            for other in self._store.artifacts.values()
            if other.project_id == artifact.project_id
            and other.id != artifact.id
            and other.model_version_id in {None, *self._store.versions}
        ]
        siblings = (other for other in others if other.model_version_id == artifact.model_version_id)
        check_name(artifact, siblings, Reason.ARTIFACT_NAME_TAKEN)
        check_external_id(artifact, others)


def _of_version(version: ModelVersion, project_id: UUID) -> Artifact:
    names = ("id", "created_at", "updated_at", "name", "description", "uri", "digest", "size_bytes", "labels")
    more = ("external_id", "properties", "etag")
    return Artifact(
        project_id=project_id,
        model_version_id=version.id,
        kind=ArtifactKind.MODEL,
        value=None,
        **{name: getattr(version, name) for name in (*names, *more)},
    )
