"""Use cases on artifacts that do more than the repository."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID, uuid4

from registry_grpc.domain.artifact import Artifact, ArtifactPatch, NewArtifact
from registry_grpc.domain.etag import Etags
from registry_grpc.domain.patch import UNSET
from registry_grpc.ports.projects import Tenants
from registry_grpc.ports.repositories import ArtifactRepository
from registry_grpc.services.projects import tenant


@dataclass(frozen=True, slots=True, kw_only=True)
class Artifacts:
    """Create and change the artifacts of a project, for which it has room."""

    artifacts: ArtifactRepository
    tenants: Tenants

    async def create(self, project_id: UUID, new: NewArtifact) -> Artifact:
        """Raises what the repository raises; QuotaExceeded."""
        async with self.tenants.bounded(await tenant(self.tenants, project_id), "bytes"):
            return await self.artifacts.create(Artifact.create(new, id=uuid4(), project_id=project_id))

    async def update(self, project_id: UUID, id: UUID, patch: ArtifactPatch, etags: Etags = None) -> Artifact:
        """Raises what the repository raises; QuotaExceeded."""
        if patch.size_bytes is UNSET:
            return await self.artifacts.update(project_id, id, patch, etags)
        async with self.tenants.bounded(await tenant(self.tenants, project_id), "bytes"):
            return await self.artifacts.update(project_id, id, patch, etags)
