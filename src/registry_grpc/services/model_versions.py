"""Use cases on model versions. An artifact is a view of a model version."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID, uuid4

from registry_grpc.domain.batch import BY_ID, in_order, slice_for
from registry_grpc.domain.errors import FailedPrecondition, NotFound, Reason
from registry_grpc.domain.etag import Etags
from registry_grpc.domain.model_version import (
    COPIED,
    FILES,
    Credentials,
    ModelFiles,
    ModelVersion,
    ModelVersionFilter,
    ModelVersionKey,
    ModelVersionPatch,
    NewModelVersion,
)
from registry_grpc.domain.paging import Page, Slice, Sort, View
from registry_grpc.domain.patch import UNSET
from registry_grpc.ports.deployments import DeploymentRepository
from registry_grpc.ports.projects import Tenants
from registry_grpc.ports.repositories import DeletedVersionRepository, ModelVersionRepository
from registry_grpc.services.projects import tenant


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelVersions:
    """Create, read and change the versions of a project's models."""

    versions: ModelVersionRepository
    deployments: DeploymentRepository
    tenants: Tenants

    async def create(self, project_id: UUID, registered_model_id: UUID, new: NewModelVersion) -> ModelVersion:
        """Raises NotFound for the model; AlreadyExists if the name or external id is taken; NotAllowed for the uri;
        QuotaExceeded."""
        project = await tenant(self.tenants, project_id)
        project.check_uri(new.uri)
        version = ModelVersion.create(new, id=uuid4(), registered_model_id=registered_model_id)
        async with self.tenants.bounded(project, "versions", "bytes"):
            return await self.versions.create(project_id, version, Credentials(new.access_key, new.secret_key))

    async def get(
        self, project_id: UUID, id: UUID, registered_model_id: UUID | None = None, view: View = View.FULL
    ) -> ModelVersion:
        """Raises NotFound, also if the version does not belong to the given model."""
        return (await self.versions.get(project_id, id, registered_model_id=registered_model_id)).in_view(view)

    async def batch(self, project_id: UUID, ids: Sequence[UUID], view: View = View.FULL) -> Sequence[ModelVersion]:
        """Those with these ids, in their order. Raises what domain.batch raises."""
        page = await self.versions.list(project_id, ModelVersionFilter(ids=ids), BY_ID, slice_for(ids, view))
        return in_order(page, ids, Reason.MODEL_VERSION_NOT_FOUND)

    async def named(
        self, project_id: UUID, registered_model_id: UUID, version: str, view: View = View.FULL
    ) -> ModelVersion:
        """As ModelVersionRepository.named."""
        return (await self.versions.named(project_id, registered_model_id, version)).in_view(view)

    async def find(self, project_id: UUID, key: ModelVersionKey, view: View = View.FULL) -> ModelVersion:
        """The oldest match (quirk Q33). Raises NotFound, also without any condition (Q32)."""
        if key == ModelVersionKey():
            raise NotFound.of(Reason.MODEL_VERSION_NOT_FOUND)
        return (await self.versions.find(project_id, key)).in_view(view)

    async def list(self, project_id: UUID, filter: ModelVersionFilter, sort: Sort, slice: Slice) -> Page[ModelVersion]:
        """An unknown model has no versions, which is no error (quirk Q35)."""
        return await self.versions.list(project_id, filter, sort, slice)

    async def update(
        self,
        project_id: UUID,
        id: UUID,
        patch: ModelVersionPatch,
        registered_model_id: UUID | None = None,
        *,
        etags: Etags = None,
        edits_deployed: bool = False,
    ) -> ModelVersion:
        """`edits_deployed` allows to change what a version that was deployed serves, as the contract does. Its
        deployments keep their copies of the version.

        Raises NotFound, also if the version does not belong to the given model (Q3); Stale; AlreadyExists;
        FailedPrecondition; NotAllowed for the uri; QuotaExceeded.
        """
        project = await tenant(self.tenants, project_id)
        if patch.uri is not UNSET:
            project.check_uri(patch.uri)
        if not edits_deployed and any(getattr(patch, name) is not UNSET for name in COPIED):
            version = await self.versions.get(project_id, id, registered_model_id=registered_model_id)
            edited = [name for name in COPIED if getattr(patch, name) not in {UNSET, getattr(version, name)}]
            if edited and await self.deployments.last_copy(project_id, id) is not None:
                raise FailedPrecondition(Reason.MODEL_VERSION_DEPLOYED, id=str(id), fields=", ".join(edited))
        async with nullcontext() if patch.size_bytes is UNSET else self.tenants.bounded(project, "bytes"):
            updated = await self.versions.update(
                project_id, id, patch, registered_model_id=registered_model_id, etags=etags
            )
        if patch.concerns_keys:
            await self.deployments.give_new_keys(project_id, id)
        return updated

    async def attach(self, project_id: UUID, id: UUID, files: ModelFiles, etags: Etags = None) -> ModelVersion:
        """Give a version without files its files, and make it READY. Raises NotFound; Stale; NotAllowed for the uri;
        QuotaExceeded; FailedPrecondition if it has files already or was deployed."""
        project = await tenant(self.tenants, project_id)
        project.check_uri(files.uri)
        if await self.deployments.last_copy(project_id, id) is not None:
            raise FailedPrecondition(Reason.MODEL_VERSION_DEPLOYED, id=str(id), fields=", ".join(FILES))
        async with self.tenants.bounded(project, "bytes"):
            updated = await self.versions.update(project_id, id, files.patch, etags=etags, attaches=True)
        await self.deployments.give_new_keys(project_id, id)
        return updated

    async def undelete(
        self, project_id: UUID, id: UUID, deleted: DeletedVersionRepository, retention: timedelta
    ) -> ModelVersion:
        """Raises what DeletedVersionRepository.restore raises; QuotaExceeded."""
        async with self.tenants.bounded(await tenant(self.tenants, project_id), "versions", "bytes"):
            return await deleted.restore(project_id, id, retention=retention)
