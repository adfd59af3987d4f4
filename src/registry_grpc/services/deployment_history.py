"""Reads the state, the revisions and the events of deployments."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from registry_grpc.domain.deployment import Deployment, DeploymentEvent, DeploymentRevision, Orphan
from registry_grpc.domain.paging import Page, Slice
from registry_grpc.ports.deployments import DeploymentEvents, DeploymentFilter, DeploymentRepository

_EVENTS_AT_ONCE = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class DeploymentHistory:
    """Use cases that read deployments and change nothing."""

    deployments: DeploymentRepository
    events: DeploymentEvents

    async def get(self, project_id: UUID, id: UUID) -> Deployment:
        """Raises NotFound."""
        return await self.deployments.get(project_id, id)

    async def list(self, project_id: UUID, filter: DeploymentFilter, slice: Slice) -> Page[Deployment]:
        """Newest first."""
        return await self.deployments.list(project_id, filter, slice)

    async def revisions(self, project_id: UUID, id: UUID, slice: Slice) -> Page[DeploymentRevision]:
        """Newest first. Raises NotFound."""
        return await self.deployments.revisions(project_id, id, slice)

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
        """Oldest first."""
        return await self.deployments.orphans(project_id)
