"""Deleted versions in memory."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from uuid import UUID

from tests.fakes.filtering import matches
from tests.fakes.model_aliases import InMemoryModelAliasRepository
from tests.fakes.model_versions import InMemoryModelVersionRepository
from tests.fakes.store import InMemoryStore, check_etag, check_external_id, check_name, is_after, users

from registry_grpc.domain.deployment import Want
from registry_grpc.domain.errors import FailedPrecondition, NotFound, Reason, User
from registry_grpc.domain.etag import Etags
from registry_grpc.domain.filter.fields import Filter
from registry_grpc.domain.model_alias import AliasChange
from registry_grpc.domain.model_version import LAST_DELETED_FIRST, DeletedModelVersion, ModelVersion
from registry_grpc.domain.paging import Cursor, Page, Slice, Sort


class InMemoryDeletedVersionRepository:
    """Keeps deleted versions in the store."""

    def __init__(self, store: InMemoryStore) -> None:
        self._store = store
        self._versions = InMemoryModelVersionRepository(store)
        self._aliases = InMemoryModelAliasRepository(store)

    async def delete(
        self, project_id: UUID, id: UUID, user: str, *, force: bool, retention: timedelta, etags: Etags = None
    ) -> None:
        version = await self._versions.get(project_id, id)
        check_etag(version, etags)
        if in_use := users(self._users_of(version, with_aliases=not force)):
            raise FailedPrecondition(Reason.MODEL_VERSION_IN_USE, users=in_use, id=str(id))
        for name in version.aliases or ():
            change = AliasChange(name=name, force=True)
            await self._aliases.delete(project_id, version.registered_model_id, change, user)
        store, now = self._store, self._store.write_time()
        deleted = DeletedModelVersion(
            model_version=store.versions.pop(id), deleted_at=now, deleted_by=user, expires_at=now + retention
        )
        store.deleted_versions[id] = deleted, store.credentials.pop(id)

    async def restore(self, project_id: UUID, id: UUID, *, retention: timedelta) -> ModelVersion:
        deleted, keys = self._store.deleted_versions.get(id, (None, None))
        if deleted is None or keys is None or not self._is_kept(project_id, deleted, retention):
            raise NotFound.of(Reason.MODEL_VERSION_NOT_FOUND, id)
        version = deleted.model_version._replace(is_default=False)
        siblings = [v for v in self._store.versions.values() if v.registered_model_id == version.registered_model_id]
        check_name(version, siblings, Reason.MODEL_VERSION_NAME_TAKEN)
        for artifact in self._store.artifacts.values():
            if artifact.model_version_id == id:
                check_external_id(artifact, (a for a in self._store.artifacts.values() if a is not artifact))
        del self._store.deleted_versions[id]
        self._store.versions[id], self._store.credentials[id] = version, keys
        return version

    async def list(
        self,
        project_id: UUID,
        registered_model_id: UUID,
        slice: Slice,
        sort: Sort = LAST_DELETED_FIRST,
        where: Filter | None = None,
        *,
        retention: timedelta,
    ) -> Page[DeletedModelVersion]:
        found = [
            deleted
            for deleted, _ in reversed(self._store.deleted_versions.values())
            if deleted.model_version.registered_model_id == registered_model_id
            and self._is_kept(project_id, deleted, retention)
            and is_after(deleted.deleted_at, sort, slice)
            and matches(where, deleted)
        ]
        found.sort(key=lambda deleted: deleted.deleted_at, reverse=sort.descending)
        items = tuple(
            replace(each, model_version=each.model_version.in_view(slice.view)) for each in found[: slice.limit]
        )
        if len(found) <= slice.limit:
            return Page(items)
        return Page(items, next=Cursor(items[-1].deleted_at, items[-1].model_version.id))

    async def forget(self, retention: timedelta) -> None:
        oldest = self._store.write_time() - retention
        self._store.deleted_versions = {
            id_: deleted for id_, deleted in self._store.deleted_versions.items() if deleted[0].deleted_at >= oldest
        }

    def _is_kept(self, project_id: UUID, deleted: DeletedModelVersion, retention: timedelta) -> bool:
        model = self._store.models.get(deleted.model_version.registered_model_id)
        is_of_project = model is not None and model.project_id == project_id
        return is_of_project and deleted.deleted_at >= self._store.clock.now() - retention

    def _users_of(self, version: ModelVersion, *, with_aliases: bool) -> Iterator[User]:
        store, id_ = self._store, version.id
        for service in store.services.values():
            if service.model_version_id == id_:
                yield User("INFERENCE_SERVICE", str(service.id), service.name)
        for deployment in store.deployments.values():
            canary = deployment.canary
            current = {
                deployment.generation,
                deployment.serving_generation,
                deployment.applied_generation,
                canary.stable_generation if canary else None,
            }
            revisions = [store.revisions[deployment.id].get(generation or 0) for generation in current]
            serves = any(revision and revision.spec.model_version_id == id_ for revision in revisions)
            if deployment.want is Want.PRESENT and serves:
                yield User("INFERENCE_SERVICE", str(deployment.id), deployment.name)
        for link in store.serve_models.values():
            service = store.services[link.inference_service_id]
            if link.model_version_id == id_ and service.model_version_id != id_:
                yield User("SERVE_MODEL", str(link.id), service.name)
        if with_aliases:
            for name in version.all_aliases:
                yield User("ALIAS", name, name)
