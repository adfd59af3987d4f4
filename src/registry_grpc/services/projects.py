"""What projects allow to the use cases."""

from __future__ import annotations

import time
from contextlib import AbstractAsyncContextManager, nullcontext
from uuid import UUID

from registry_grpc.domain.errors import NotFound, PermissionDenied
from registry_grpc.domain.project import Kind, Project, unbounded
from registry_grpc.ports.projects import ProjectRepository, Tenants
from registry_grpc.services.access import MOST_PROJECTS, REMEMBERED_SECONDS, Lookups, remember


class OpenTenancy:
    """Every project exists, and may do everything. Implements ports.projects.Tenants."""

    async def find(self, project_id: UUID) -> Project | None:
        return unbounded(project_id)

    def bounded(self, project: Project, *kinds: Kind) -> AbstractAsyncContextManager[None]:  # noqa: ARG002
        return nullcontext()


class EnforcedTenancy:
    """Only projects that operators have created exist. Implements ports.projects.Tenants."""

    def __init__(self, projects: ProjectRepository) -> None:
        self._projects = projects
        self._known: dict[UUID, tuple[float, Project]] = {}
        self.lookups = Lookups()

    async def find(self, project_id: UUID) -> Project | None:
        known, now = self._known, time.monotonic()
        found = known.get(project_id)
        if found is not None and now < found[0]:
            self.lookups.hits += 1
        else:
            self.lookups.misses += 1
            try:
                found = (now + REMEMBERED_SECONDS, await self._projects.get(project_id))
            except NotFound:
                return None  # not remembered, because an operator may create it now
            remember(known, project_id, found, MOST_PROJECTS)
        return found[1]

    def bounded(self, project: Project, *kinds: Kind) -> AbstractAsyncContextManager[None]:
        bounded = project.bounded(kinds)
        return self._projects.bounded(project.id, bounded) if bounded else nullcontext()

    def forget(self) -> None:
        """Projects may have changed. A new object, so that what is being read now is not remembered."""
        self._known = {}


async def tenant(tenants: Tenants, project_id: UUID) -> Project:
    """The project. Raises PermissionDenied if there is none."""
    project = await tenants.find(project_id)
    if project is None:
        raise PermissionDenied("VIEWER", "")
    return project
