"""Projects in memory."""

from __future__ import annotations

import itertools
from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from uuid import UUID

from tests.fakes.store import InMemoryStore, check_etag, page_of

from registry_grpc.domain.deployment import Want
from registry_grpc.domain.errors import AlreadyExists, NotFound, Reason
from registry_grpc.domain.etag import Etags
from registry_grpc.domain.paging import Page, Slice, Sort
from registry_grpc.domain.patch import changes
from registry_grpc.domain.project import Kind, Project, ProjectPatch, Usage
from registry_grpc.services.projects import OpenTenancy

OPEN = OpenTenancy()


@dataclass
class InMemoryProjects:
    """Implements ports.projects.ProjectRepository. Tests can say what is used besides what is in the store."""

    store: InMemoryStore = field(default_factory=InMemoryStore)
    found: dict[UUID, Project] = field(default_factory=dict)
    used: Usage = field(default_factory=Usage)
    reads: int = 0
    _etags: itertools.count[int] = field(default_factory=itertools.count)

    async def create(self, project: Project) -> Project:
        self._check_name(project.id, project.name)
        if project.id in self.found:
            raise AlreadyExists(Reason.PROJECT_EXISTS)
        now = datetime.now(UTC)
        return self._stored(replace(project, created_at=now, updated_at=now))

    async def get(self, id: UUID) -> Project:
        self.reads += 1
        if id not in self.found:
            raise NotFound.of(Reason.PROJECT_NOT_FOUND, id)
        return self.found[id]

    async def list(self, slice: Slice) -> Page[Project]:
        return page_of(self.found.values(), Sort(), slice)

    async def update(self, id: UUID, patch: ProjectPatch, etags: Etags = None) -> Project:
        project = await self.get(id)
        check_etag(project, etags)
        changed = changes(patch)
        self._check_name(id, changed.get("name", project.name))
        return self._stored(replace(project, updated_at=datetime.now(UTC), **changed))

    async def usage(self, id: UUID) -> Usage:
        store, used = self.store, self.used
        models = {model.id for model in store.models.values() if model.project_id == id}
        versions = [version for version in store.versions.values() if version.registered_model_id in models]
        owners = {None, *(version.id for version in versions)}  # the artifacts of deleted versions are still there
        artifacts = [a for a in store.artifacts.values() if a.project_id == id and a.model_version_id in owners]
        up = [each for each in store.deployments.values() if each.project_id == id and each.want is Want.PRESENT]
        return Usage(
            models=used.models + len(models),
            versions=used.versions + len(versions),
            deployments=used.deployments + len(up),
            bytes=min(
                used.bytes + sum(v.size_bytes for v in versions) + sum(a.size_bytes for a in artifacts), 2**63 - 1
            ),
        )

    @asynccontextmanager
    async def bounded(self, id: UUID, kinds: Collection[Kind]) -> AsyncIterator[None]:
        """Fakes do not let others work in between, so that nobody waits."""
        project, before = await self.get(id), await self.usage(id)
        with self.store.transaction():
            yield
            project.check_growth(before, await self.usage(id), kinds)

    def _stored(self, project: Project) -> Project:
        self.found[project.id] = replace(project, etag=str(next(self._etags)))
        return self.found[project.id]

    def _check_name(self, id: UUID, name: str) -> None:
        if any(other.name == name and other.id != id for other in self.found.values()):
            raise AlreadyExists(Reason.PROJECT_EXISTS)
