"""Reads the state, the revisions and the events of deployments."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from registry_grpc.domain.batch import BY_ID, in_order, slice_for
from registry_grpc.domain.deployment import Deployment, DeploymentEvent, DeploymentRevision, Orphan
from registry_grpc.domain.errors import Reason
from registry_grpc.domain.filter.fields import Filter
from registry_grpc.domain.paging import NEWEST_FIRST, Page, Slice, Sort
from registry_grpc.ports.deployments import (
    NEWEST_REVISION_FIRST,
    DeploymentEvents,
    DeploymentFilter,
    DeploymentRepository,
)
from registry_grpc.ports.projects import Tenants

_EVENTS_AT_ONCE = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class DeploymentHistory:
    """Use cases that read deployments and change nothing."""

    deployments: DeploymentRepository
    events: DeploymentEvents
    tenants: Tenants

    async def get(self, project_id: UUID, id: UUID) -> Deployment:
        """Raises NotFound."""
        return await self.deployments.get(project_id, id)

    async def batch(self, project_id: UUID, ids: Sequence[UUID]) -> Sequence[Deployment]:
        """Those with these ids, in their order. Raises what domain.batch raises."""
        page = await self.deployments.list(project_id, DeploymentFilter(ids=ids), slice_for(ids), BY_ID)
        return in_order(page, ids, Reason.DEPLOYMENT_NOT_FOUND)

    async def list(
        self, project_id: UUID, filter: DeploymentFilter, slice: Slice, sort: Sort = NEWEST_FIRST
    ) -> Page[Deployment]:
        return await self.deployments.list(project_id, filter, slice, sort)

    async def revisions(
        self,
        project_id: UUID,
        id: UUID,
        slice: Slice,
        sort: Sort = NEWEST_REVISION_FIRST,
        where: Filter | None = None,
    ) -> Page[DeploymentRevision]:
        """Raises NotFound."""
        return await self.deployments.revisions(project_id, id, slice, sort, where)

    async def served_at(self, project_id: UUID, id: UUID, at: datetime | None) -> DeploymentRevision | None:
        """None when nothing served then. Raises NotFound for the deployment; HistoryForgotten."""
        return await self.deployments.served_at(project_id, id, at)

    async def watch(self, project_id: UUID, id: UUID, after: int | str | None) -> AsyncGenerator[DeploymentEvent, None]:
        """Yields all events after the token or sequence number in order, and then each new event, without end. Without
        either of them, the first event is the newest one.

        Raises NotFound; EventLogChanged and InvalidRequest like DeploymentRepository.events, at any time; Overloaded
        when too many are watching; Unavailable when the database does not answer or this process is about to stop. A
        caller can continue with the last token it has seen.
        """
        async with aclosing(self.events.listen(id)) as news:
            async for _ in news:
                while events := await self.deployments.events(project_id, id, after, _EVENTS_AT_ONCE):
                    for event in events:
                        yield event
                    after = events[-1].resume_token

    def stop_watches(self) -> None:
        """End every watch with Unavailable (SHUTTING_DOWN)."""
        self.events.stop_listening()

    async def orphans(self, project_id: UUID) -> Sequence[Orphan]:
        """Oldest first, in the namespaces that the project may use."""
        project = await self.tenants.find(project_id)
        orphans = await self.deployments.orphans(project_id)
        return [orphan for orphan in orphans if project and project.may_use(orphan.namespace)]
