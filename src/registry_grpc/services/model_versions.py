"""Use cases on model versions. An artifact is a view of a model version."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID, uuid4

from registry_grpc.domain.errors import FailedPrecondition, NotFound, Reason
from registry_grpc.domain.model_version import (
    COPIED,
    Credentials,
    ModelVersion,
    ModelVersionFilter,
    ModelVersionKey,
    ModelVersionPatch,
    NewModelVersion,
)
from registry_grpc.domain.paging import Page, Slice, Sort
from registry_grpc.domain.patch import UNSET
from registry_grpc.ports.deployments import DeploymentRepository
from registry_grpc.ports.repositories import ModelVersionRepository


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelVersions:
    """Create, read and change the versions of a project's models. A version is only deleted with its model."""

    versions: ModelVersionRepository
    deployments: DeploymentRepository

    async def create(self, project_id: UUID, registered_model_id: UUID, new: NewModelVersion) -> ModelVersion:
        """Raises NotFound for the model; AlreadyExists if the name is taken."""
        version = ModelVersion.create(new, id=uuid4(), registered_model_id=registered_model_id)
        return await self.versions.create(project_id, version, Credentials(new.access_key, new.secret_key))

    async def get(self, project_id: UUID, id: UUID, registered_model_id: UUID | None = None) -> ModelVersion:
        """Raises NotFound, also if the version does not belong to the given model."""
        return await self.versions.get(project_id, id, registered_model_id=registered_model_id)

    async def find(self, project_id: UUID, key: ModelVersionKey) -> ModelVersion:
        """The oldest match (quirk Q33). Raises NotFound, also without any condition (Q32)."""
        if key == ModelVersionKey():
            raise NotFound.of(Reason.MODEL_VERSION_NOT_FOUND)
        return await self.versions.find(project_id, key)

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
        edits_deployed: bool = False,
    ) -> ModelVersion:
        """`edits_deployed` allows to change what a version that was deployed serves, as the contract does. Its
        deployments keep their copies of the version.

        Raises NotFound, also if the version does not belong to the given model (Q3); AlreadyExists; FailedPrecondition.
        """
        if not edits_deployed and any(getattr(patch, name) is not UNSET for name in COPIED):
            version = await self.versions.get(project_id, id, registered_model_id=registered_model_id)
            edited = [name for name in COPIED if getattr(patch, name) not in {UNSET, getattr(version, name)}]
            if edited and await self.deployments.last_copy(project_id, id) is not None:
                raise FailedPrecondition(Reason.MODEL_VERSION_DEPLOYED, id=str(id), fields=", ".join(edited))
        updated = await self.versions.update(project_id, id, patch, registered_model_id=registered_model_id)
        if patch.concerns_keys:
            await self.deployments.give_new_keys(project_id, id)
        return updated
