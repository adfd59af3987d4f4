"""The ports that store deployments and divide the work on them between controllers.

A row that is due is claimed with a lease. The holder of the lease works on it and records the result in one
transaction. NOTIFY is only a hint: without it, the row is found when it is due. Every method may raise Unavailable or
Overloaded.
"""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator, AsyncIterator, Collection, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Protocol
from uuid import UUID

from registry_grpc.domain.canary import CanaryStep
from registry_grpc.domain.decision import PassResult
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
from registry_grpc.domain.etag import Etags
from registry_grpc.domain.filter.fields import Filter
from registry_grpc.domain.inference_service import InferenceService, InferenceServicePatch
from registry_grpc.domain.paging import NEWEST_FIRST, Page, Slice, Sort
from registry_grpc.domain.serve_model import ServeModel
from registry_grpc.ports.cluster import OwnedObject


@dataclass(frozen=True, slots=True, kw_only=True)
class NewIntent:
    """A deployment to make: revision 1 of a service."""

    namespace: str
    spec: DeploymentSpec
    created_by: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """The right to work on a deployment until the lease ends. `now` is the database's time of the claim."""

    deployment: Deployment
    holder: str
    now: datetime
    claimed_at: float = field(default_factory=time.monotonic, compare=False)
    """By the clock of this process, for metrics."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DeploymentFilter:
    """Conditions on the deployments of a list; None and no ids are no condition."""

    registered_model_id: UUID | None = None
    phase: Phase | None = None
    where: Filter | None = None
    ids: Sequence[UUID] = ()


NEWEST_REVISION_FIRST = Sort("revision")


@dataclass(frozen=True, slots=True, kw_only=True)
class Retention:
    """How much history is kept: all of it up to this age, and this many of each deployment's newest revisions."""

    age: timedelta
    revisions: int


class DeploymentRepository(Protocol):
    """Stores deployments, their revisions and their events."""

    async def deploy(
        self, service: InferenceService, served: Sequence[ServeModel], intent: NewIntent
    ) -> tuple[InferenceService, Deployment]:
        """Store service, serve models and intent in one transaction. Raises what InferenceServiceRepository.create
        raises."""

    async def get(self, project_id: UUID, id: UUID) -> Deployment:
        """Raises NotFound, also for a service that is not under deployment control."""

    async def list(
        self, project_id: UUID, filter: DeploymentFilter, slice: Slice, sort: Sort = NEWEST_FIRST
    ) -> Page[Deployment]:
        """By cursor. Pages are limited by size (see ports.repositories): message, spec, drift and
        `applied` count."""

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
        canary_percent: int | None = None,
    ) -> None:
        """Store the next revision, which without a spec repeats the present one. The same transaction changes the
        service's desired state and version, and its serve models. Raises NotFound; ConcurrentChange when `after` is not
        None and not the present generation, and with a percentage while a canary is being promoted or aborted.

        With a percentage, the revision is tried beside the stable one: the present one, or that of the present canary.
        The service keeps its version then. Without, a canary ends, and without a spec the stable revision is repeated.
        """

    async def move_canary(
        self, project_id: UUID, id: UUID, step: CanaryStep, percent: int | None, *, message: str, after: int
    ) -> None:
        """Store the step of the canary, and its percentage unless that is None, with an event that has this message.
        The service's version becomes the target's for PROMOTE, and else the stable revision's. Raises ConcurrentChange
        when `after` is not the present generation, when there is no canary, or when it is being promoted or aborted,
        except to abort a promotion."""

    async def change_service(
        self,
        project_id: UUID,
        id: UUID,
        patch: InferenceServicePatch,
        created_by: str,
        *,
        etags: Etags = None,
        spec: DeploymentSpec | None = None,
        after: int | None = None,
        keeps_version: bool = False,
    ) -> bool:
        """Do InferenceServiceRepository.update. If the service is under deployment control and the patch sets a
        `desired_state` that is not yet wanted, also store a revision in the same transaction: UNDEPLOY (like
        `undeploy`) or REDEPLOY, with this spec or else the present one. Returns whether there is a new revision.

        Raises NotFound, Stale, AlreadyExists; and, without a change, ConcurrentChange when it would redeploy and the
        present generation is not `after`, and with `keeps_version` FailedPrecondition for another version than the one
        that is deployed and stays so."""

    async def undeploy(self, project_id: UUID, id: UUID, created_by: str, expected: int | None = None) -> bool:
        """Set both states of the service to UNDEPLOYED, clear url and external id, set its serve models to PENDING, and
        keep `last_error` (quirk Q43). If it is under deployment control, also store a revision that wants the object
        ABSENT. Returns whether it is under deployment control. Raises NotFound; Stale when `expected` is not None and
        not its present generation."""

    async def revisions(
        self,
        project_id: UUID,
        id: UUID,
        slice: Slice,
        sort: Sort = NEWEST_REVISION_FIRST,
        where: Filter | None = None,
    ) -> Page[DeploymentRevision]:
        """By cursor. Pages are limited by size (see ports.repositories): the spec counts. Raises
        NotFound."""

    async def revision(self, project_id: UUID, id: UUID, generation: int | None) -> DeploymentRevision:
        """The revision with this number; None: the last one that served before the present one, except as a canary
        that was aborted. Raises NotFound."""

    async def served_at(self, project_id: UUID, id: UUID, at: datetime | None) -> DeploymentRevision | None:
        """The revision that served at this time, with the times between which it did without a pause; None when nothing
        served. A canary is not meant: it only served a share. Raises NotFound; HistoryForgotten when the revisions of
        that time may have been deleted."""

    async def give_new_keys(self, project_id: UUID, model_version_id: UUID) -> None:
        """Make the deployments due that are to serve this version, so that their Secrets get its new keys."""

    async def last_copy(self, project_id: UUID, model_version_id: UUID) -> DeploymentSpec | None:
        """The spec of the newest revision that serves the version, alone or with others; None when none does."""

    async def events(
        self, project_id: UUID, id: UUID, after: int | str | None, limit: int
    ) -> Sequence[DeploymentEvent]:
        """The events after the one with this resume token or sequence number (0: all), in order. None: only the newest
        one. Raises EventLogChanged when the log does not have this event, or the token belongs to another event of the
        same number; NotFound; InvalidRequest if the text is not a token."""

    async def orphans(self, project_id: UUID) -> Sequence[Orphan]:
        """Orphans in the namespaces of the project's environments, oldest first."""


class DeploymentQueue(Protocol):
    """Divides the work on deployments between any number of controllers."""

    async def claim(self, limit: int) -> list[Claim]:
        """Take deployments that are due and that nobody holds. Projects take turns. Of each project, those to be
        applied come last, those that were marked as changed first, and then those that have been due longest."""

    async def next_due(self) -> timedelta | None:
        """The time until the next deployment becomes due, or a lease on one that is due ends."""

    async def claim_one(self, id: UUID) -> Claim | None:
        """Take this deployment, even if it is not due; None while somebody else holds it."""

    async def record(self, claim: Claim, result: PassResult) -> bool:
        """Store the result, write it to the service, add an event if something changed, and give the lease back. If the
        canary ended, the target stays, or the stable revision becomes the target again, and it is due at once.

        If one that waited for its turn is not held up any more, those of its namespace that wait for the same reason
        are due at once. If there is a newer revision, or a change was marked since the claim, the deployment itself is
        due at once. Returns False, and stores nothing, if the lease was lost.
        """

    async def renew(self, claim: Claim) -> None:
        """Let the lease last as long as one that is claimed now. Does nothing if it was lost."""

    async def release(self, claim: Claim) -> None:
        """Give the lease back without a result. The deployment is due again soon."""

    async def mark_changed(self, ids: Collection[UUID]) -> None:
        """Make these deployments due, because something changed in the cluster."""

    async def compare(self, namespace: str, objects: Sequence[OwnedObject]) -> int:
        """Compare all deployments of a namespace (or ports.cluster.EVERYWHERE) with the objects of a relist. Make those
        due that differ or that had no access to the namespace (of those that wait for their turn, the first), store
        objects without a deployment as orphans, and forget former orphans. If an object has a later revision than its
        deployment, the database was restored: store a still later revision that repeats the deployment's. Returns how
        many deployments were made due."""

    async def mark_unseen(self, namespace: str) -> None:
        """Make the deployments of a namespace (or ports.cluster.EVERYWHERE) due, because changes are no longer
        reported. Those that already say so stay as they are."""

    async def namespaces(self) -> Collection[str]:
        """The namespaces in which deployments are not finished, or in which there are orphans."""

    async def spec_of(self, id: UUID, generation: int) -> DeploymentSpec:
        """That of a revision. Raises NotFound."""

    async def look_again(self) -> None:
        """Make one deployment due.

        One that waits for its turn, if its kind has waited long enough since the last try: at first no time, and later
        up to 45 seconds. A kind are those of one namespace that have the same reason. Otherwise, one that has a Secret:
        of those that are DEPLOYED, the one that was looked at longest ago, unless that was just now. Nothing else tells
        that somebody has deleted a Secret."""

    async def forget(self, retention: Retention) -> None:
        """Delete old history that is not needed, in batches for which nobody has to wait.

        The age of an event counts from the next event, and the age of a revision that served from its end, so that the
        history of all younger times is complete. These revisions stay: the applied one, the last one that served before
        the target, and those whose versions the service still links (the next success removes the links). When the
        service was deleted and its object is gone for this long, everything is deleted.
        """

    def wake_ups(self) -> AsyncIterator[None]:
        """Yields when something may be due: on every NOTIFY, and every few seconds."""

    def leadership(self) -> AbstractAsyncContextManager[AsyncIterator[bool]]:
        """Compete for the advisory lock of the leader. The iterator yields about every second whether this process has
        it. It ends when the database is read-only or was restored; the leader then has to compare everything again."""


class DeploymentEvents(Protocol):
    """Notifies when a deployment has new events."""

    def listen(self, id: UUID) -> AsyncGenerator[None, None]:
        """Yields once at the start, then after each new event and every few seconds.

        Raises Overloaded when too many are listening, and Unavailable (SHUTTING_DOWN) after `stop_listening`."""

    def stop_listening(self) -> None:
        """End every `listen`, because this process is about to stop. Clients can continue on another one."""
