"""The port of projects as tenants. Every method may raise Unavailable or Overloaded."""

from __future__ import annotations

from collections.abc import Collection
from contextlib import AbstractAsyncContextManager
from typing import Protocol
from uuid import UUID

from registry_grpc.domain.etag import Etags
from registry_grpc.domain.paging import Page, Slice
from registry_grpc.domain.project import Kind, Project, ProjectPatch, Usage


class ProjectRepository(Protocol):
    """Keeps projects."""

    async def create(self, project: Project) -> Project:
        """Raises AlreadyExists for the id or the name."""

    async def get(self, id: UUID) -> Project:
        """Raises NotFound."""

    async def list(self, slice: Slice) -> Page[Project]:
        """Newest first."""

    async def update(self, id: UUID, patch: ProjectPatch, etags: Etags = None) -> Project:
        """Change what is set. Raises NotFound, Stale, AlreadyExists."""

    async def usage(self, id: UUID) -> Usage:
        """What the project keeps, whether or not it is stored here."""

    def bounded(self, id: UUID, kinds: Collection[Kind]) -> AbstractAsyncContextManager[None]:
        """Makes everything that the block writes one transaction, which is taken back if the project has grown above
        its quotas of these kinds. Of concurrent blocks of a project, each waits for the one before it. The block must
        not write before, or call the cluster. Raises NotFound; QuotaExceeded; ConcurrentChange if it waits too long."""


class Tenants(Protocol):
    """Knows the projects for which calls are made."""

    async def find(self, project_id: UUID) -> Project | None:
        """None if an operator has to create the project first."""

    def bounded(self, project: Project, *kinds: Kind) -> AbstractAsyncContextManager[None]:
        """ProjectRepository.bounded, or nothing if the project has no quotas of these kinds."""
