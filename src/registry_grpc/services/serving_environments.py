"""Use cases on serving environments that do more than the repository."""

from __future__ import annotations

from dataclasses import dataclass, replace
from uuid import UUID, uuid4

from registry_grpc.domain.etag import Etags
from registry_grpc.domain.patch import UNSET, changes
from registry_grpc.domain.serving_environment import NewServingEnvironment, ServingEnvironment, ServingEnvironmentPatch
from registry_grpc.ports.projects import Tenants
from registry_grpc.ports.repositories import ServingEnvironmentRepository
from registry_grpc.services.projects import tenant


@dataclass(frozen=True, slots=True, kw_only=True)
class ServingEnvironments:
    """Create and change the environments of a project, in the namespaces that it may use."""

    environments: ServingEnvironmentRepository
    tenants: Tenants

    async def create(self, project_id: UUID, new: NewServingEnvironment) -> ServingEnvironment:
        """Raises AlreadyExists; NotAllowed for the namespace."""
        environment = ServingEnvironment.create(new, id=uuid4(), project_id=project_id)
        (await tenant(self.tenants, project_id)).check_namespace(environment.namespace)
        return await self.environments.create(environment)

    async def update(
        self, project_id: UUID, id: UUID, patch: ServingEnvironmentPatch, etags: Etags = None
    ) -> ServingEnvironment:
        """Raises NotFound, Stale, AlreadyExists; NotAllowed for the namespace."""
        if patch.name is not UNSET or patch.external_id is not UNSET:
            changed = replace(await self.environments.get(project_id, id), **changes(patch))
            (await tenant(self.tenants, project_id)).check_namespace(changed.namespace)
        return await self.environments.update(project_id, id, patch, etags)
