"""Where the intents to serve are kept, and how the work on them is shared out.

A row that is due is claimed with a lease; whoever holds the lease works on it and records the result in one
transaction. NOTIFY only wakes: whoever misses it finds the row when it is due. Every method may raise Unavailable or
Overloaded.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Collection, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol
from uuid import UUID

from registry_grpc.domain.decision import PassResult
from registry_grpc.domain.deploy_request import RequestKey
from registry_grpc.domain.deployment import (
    Cause,
    Deployment,
    DeploymentEvent,
    DeploymentRevision,
    DeploymentSpec,
    Orphan,
    Phase,
    Want,
)
from registry_grpc.domain.inference_service import InferenceService, InferenceServicePatch
from registry_grpc.domain.paging import Page, Slice
from registry_grpc.domain.serve_model import ServeModel
from registry_grpc.ports.cluster import OwnedObject


@dataclass(frozen=True, slots=True, kw_only=True)
class NewIntent:
    """A deployment to make: revision 1 of a service."""

    namespace: str
    spec: DeploymentSpec
    created_by: str
    request: RequestKey | None = None
    """None for a request that may be carried out twice."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """The right to work on a deployment until the lease ends. `now` is the database's time of the claim."""

    deployment: Deployment
    holder: str
    now: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class DeploymentFilter:
    """Which deployments a list shows; None is no condition."""

    registered_model_id: UUID | None = None
    phase: Phase | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Retention:
    """How much history is kept: all that is younger, and the newest revisions of each deployment whatever their age."""

    age: timedelta
    revisions: int


class DeploymentRepository(Protocol):
    """Keeps deployments, their revisions and their events."""

    async def deploy(
        self, service: InferenceService, served: Sequence[ServeModel], intent: NewIntent
    ) -> tuple[InferenceService, Deployment]:
        """Store service, serve models and intent at once, due now; or, when `requested` finds an earlier call, nothing,
        and return what that one stored. Of concurrent calls with one request id, one stores. Raises as `requested` and
        as InferenceServiceRepository.create."""
        ...

    async def requested(self, project_id: UUID, request: RequestKey) -> tuple[InferenceService, Deployment] | None:
        """What an earlier call with this request id has stored; None when there was none, when its service was deleted
        since, and when it is forgotten. Raises InvalidRequest when that call asked for something else."""
        ...

    async def get(self, project_id: UUID, id: UUID) -> Deployment:
        """Raises NotFound, also for a service that is not under deployment control."""
        ...

    async def list(self, project_id: UUID, filter: DeploymentFilter, slice: Slice) -> Page[Deployment]:
        """Newest first, by cursor; cut by size as ports.repositories says, of which message, spec, drift and what was
        applied count."""
        ...

    async def revise(
        self,
        project_id: UUID,
        id: UUID,
        *,
        want: Want,
        spec: DeploymentSpec | None,
        cause: Cause,
        created_by: str,
        after: int | None = None,
    ) -> None:
        """Make the next revision, due now; without a spec it repeats the one before. The service's desired state and
        version and its serve models follow in the same transaction. Raises NotFound; ConcurrentChange when the current
        generation is not `after`, unless that is None."""
        ...

    async def change_service(
        self, project_id: UUID, id: UUID, patch: InferenceServicePatch, created_by: str, *, after: int | None = None
    ) -> bool:
        """As InferenceServiceRepository.update with a patch that sets `desired_state`; under deployment control, when
        that is not what is wanted so far, a revision that wants it in the same transaction, UNDEPLOY (as `undeploy`)
        or REDEPLOY. Returns whether there is a new revision. Raises NotFound, AlreadyExists; ConcurrentChange, and
        changes nothing, when it would redeploy another generation than `after`, unless that is None."""
        ...

    async def undeploy(self, project_id: UUID, id: UUID, created_by: str) -> bool:
        """Both states of the service UNDEPLOYED, url and external id cleared, serve models PENDING, `last_error` as it
        was (quirk Q43); under deployment control, a revision that wants its object ABSENT. Returns whether it is
        under deployment control. Raises NotFound."""
        ...

    async def revisions(self, project_id: UUID, id: UUID, slice: Slice) -> Page[DeploymentRevision]:
        """Newest first, by cursor; cut by size as ports.repositories says, of which the spec counts. Raises
        NotFound."""
        ...

    async def revision(self, project_id: UUID, id: UUID, generation: int | None) -> DeploymentRevision:
        """None means the last one that served before the current one. Raises NotFound."""
        ...

    async def served_at(self, project_id: UUID, id: UUID, at: datetime | None) -> DeploymentRevision | None:
        """The revision that served then; None when nothing did. Raises NotFound; HistoryForgotten when a revision that
        served after `at` is forgotten."""
        ...

    async def last_copy(self, project_id: UUID, model_version_id: UUID) -> DeploymentSpec | None:
        """The spec of the newest revision that deploys the version; None when none does."""
        ...

    async def events(
        self, project_id: UUID, id: UUID, after: int | str | None, limit: int
    ) -> Sequence[DeploymentEvent]:
        """In order, those after an event, by its resume token or sequence number, or after 0; without any, only the
        newest one. Raises EventLogChanged when the log has no such event, or that of a token was another one or of
        another history; NotFound; InvalidRequest for what is no token."""
        ...

    async def orphans(self, project_id: UUID) -> Sequence[Orphan]:
        """Orphans in the namespaces of the project's environments, oldest first."""
        ...


class DeploymentQueue(Protocol):
    """Shares out the work on deployments between any number of controllers."""

    async def claim(self, limit: int) -> list[Claim]:
        """Take deployments that are due and that nobody holds, those due longest first."""
        ...

    async def next_due(self) -> timedelta | None:
        """How long until the next deployment is due, of those that are not due yet."""
        ...

    async def claim_one(self, id: UUID) -> Claim | None:
        """Take this one, due or not; None while somebody else holds it."""
        ...

    async def record(self, claim: Claim, result: PassResult) -> bool:
        """Store the result, let the service follow it, add an event if something changed, and give the lease back.

        A newer revision or a change marked since the claim makes it due at once. Returns False, and stores nothing,
        when the lease was lost.
        """
        ...

    async def release(self, claim: Claim) -> None:
        """Give the lease back without a result; it is due again soon."""
        ...

    async def mark_changed(self, ids: Collection[UUID]) -> None:
        """Something about these changed in the cluster: make them due."""
        ...

    async def compare(self, objects: Sequence[OwnedObject]) -> int:
        """After a relist: make due what differs from it, note objects without a deployment as orphans and forget
        orphans that are none any more. Where an object is of a later revision than the deployment has, the database
        was restored: a revision after that one repeats what the deployment has. Returns how many were made due."""
        ...

    async def forget(self, retention: Retention) -> None:
        """Delete history, in batches that nobody waits for, but nothing that is needed.

        An event is as old as the one that follows it, and a revision that served is as old as its end, so that all
        younger times can be told of. The revision that is applied, the last one that served before the target, and
        those of which the service still has links (the next success drops them) stay. When the service is deleted and
        the cluster was seen without the object so long ago, nothing stays.
        """
        ...

    def wake_ups(self) -> AsyncIterator[None]:
        """Yields when something may be due: on a NOTIFY, and every few seconds in any case."""
        ...

    def leadership(self) -> AbstractAsyncContextManager[AsyncIterator[bool]]:
        """Compete for the one advisory lock; the iterator tells, about every second, whether this process has it. It
        ends when the database takes no writes, or has another history than at its beginning: then all that was seen of
        it must be looked at again."""
        ...


class DeploymentEvents(Protocol):
    """Tells when a deployment has new events."""

    def listen(self, id: UUID) -> AsyncGenerator[None, None]:
        """Yields once at the start, then after each new event, and every few seconds in any case.

        Raises Overloaded when too many listen already, and Unavailable (SHUTTING_DOWN) after `stop_listening`."""
        ...

    def stop_listening(self) -> None:
        """End every `listen`: this process is about to stop, and those who listen can go on elsewhere."""
        ...
