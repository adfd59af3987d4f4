"""Deployments, their revisions and events in memory, without a controller."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Iterator, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any
from uuid import UUID, uuid4

from tests.fakes.filtering import matches
from tests.fakes.inference_services import InMemoryInferenceServiceRepository
from tests.fakes.serve_models import put_serve_model, served_by
from tests.fakes.store import FIRST_PASS_BY_THE_REQUEST, InMemoryStore, Work, page_of

from registry_grpc.domain.canary import CanaryStep
from registry_grpc.domain.deployment import (
    Cause,
    Deployment,
    DeploymentEvent,
    DeploymentRevision,
    DeploymentSpec,
    Orphan,
    Outcome,
    Phase,
    Want,
    check_version_kept,
)
from registry_grpc.domain.errors import (
    ConcurrentChange,
    EventLogChanged,
    HistoryForgotten,
    InvalidRequest,
    NotFound,
    Reason,
    Stale,
    Violation,
)
from registry_grpc.domain.etag import Etags
from registry_grpc.domain.filter.fields import Filter
from registry_grpc.domain.inference_service import InferenceService, InferenceServicePatch, ServiceState
from registry_grpc.domain.model_version import COPIED
from registry_grpc.domain.paging import NEWEST_FIRST, Page, Slice, Sort
from registry_grpc.domain.patch import UNSET
from registry_grpc.domain.reason import DeploymentReason
from registry_grpc.domain.serve_model import ServeModel, ServeModelState
from registry_grpc.domain.serving_environment import DriftPolicy
from registry_grpc.ports.deployments import NEWEST_REVISION_FIRST, DeploymentFilter, NewIntent


class InMemoryDeploymentRepository:
    """Keeps deployments in the store."""

    def __init__(self, store: InMemoryStore) -> None:
        self._store = store
        self._services = InMemoryInferenceServiceRepository(store)

    async def deploy(
        self, service: InferenceService, served: Sequence[ServeModel], intent: NewIntent
    ) -> tuple[InferenceService, Deployment]:
        project_id = service.project_id
        stored = await self._services.create(service, served)
        now = self._store.write_time()
        deployment = Deployment(
            id=service.id,
            project_id=project_id,
            created_at=now,
            updated_at=now,
            namespace=intent.namespace,
            name=service.name,
            want=Want.PRESENT,
            spec=intent.spec,
            revised_at=now,
            phase_since=now,
        )
        self._store.work[deployment.id] = Work(next_at=now + FIRST_PASS_BY_THE_REQUEST)
        self._put(deployment, intent.created_by, Cause.DEPLOY)
        return stored, await self.get(project_id, service.id)

    async def get(self, project_id: UUID, id: UUID) -> Deployment:
        deployment = self._store.deployments.get(id)
        if deployment is None or deployment.project_id != project_id:
            raise NotFound.of(Reason.DEPLOYMENT_NOT_FOUND, id)
        return self._read(deployment)

    async def list(
        self, project_id: UUID, filter: DeploymentFilter, slice: Slice, sort: Sort = NEWEST_FIRST
    ) -> Page[Deployment]:
        rows = (
            self._read(deployment)
            for deployment in self._store.deployments.values()
            if deployment.project_id == project_id
            and filter.registered_model_id in {None, deployment.spec.registered_model_id}
            and filter.phase in {None, deployment.phase}
            and (not filter.ids or deployment.id in filter.ids)
            and matches(filter.where, deployment)
        )
        return page_of(rows, sort, slice)

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
        before = await self.get(project_id, id)
        _check_generation(before, after)
        if canary_percent and before.canary and before.canary.step is not CanaryStep.TRY:
            raise ConcurrentChange
        now = self._store.write_time()
        stable = self._store.revisions[id][before.canary.stable_generation].spec if before.canary else None
        phase = Phase.UPDATING
        if want is Want.ABSENT:
            phase = Phase.DELETING
        elif before.want is Want.ABSENT or before.serving_generation is None:
            phase = Phase.PENDING
        revised = replace(
            before,
            updated_at=now,
            want=want,
            spec=spec or stable or before.spec,
            generation=max(before.generation, *self._store.revisions[id]) + 1,
            canary=before.tried(spec, canary_percent).canary if spec and canary_percent else None,
            split=None,
            revised_at=now,
            phase=phase,
            phase_since=now,
            reason=DeploymentReason.NONE,
            message="",
            next_step="",
            url="" if want is Want.ABSENT else before.url,
            applied_generation=0 if want is Want.ABSENT else before.applied_generation,
            attempts=0,
        )
        if before.canary:
            self._end_share(before, now)
        work = self._store.work[id]
        work.next_at, work.dirty_at = now + FIRST_PASS_BY_THE_REQUEST, now
        if before.canary:
            self._store.abort_revision(id, before.generation, now)
        self._put(revised, created_by, cause)
        await self._let_service_follow(revised, spec)

    def _end_share(self, deployment: Deployment, now: datetime) -> None:
        revisions, tried = self._store.revisions[deployment.id], deployment.generation
        if revisions[tried].served_from and revisions[tried].served_until is None:
            revisions[tried] = replace(revisions[tried], served_until=now)

    async def move_canary(
        self, project_id: UUID, id: UUID, step: CanaryStep, percent: int | None, *, message: str, after: int
    ) -> None:
        row = self._store.deployments[id]
        if row.project_id != project_id or row.canary is None or row.generation != after:
            raise ConcurrentChange
        if row.canary.step is not CanaryStep.TRY and step is not CanaryStep.ABORT:
            raise ConcurrentChange
        now = self._store.write_time()
        told: dict[str, Any] = {"reason": DeploymentReason.NONE, "message": message, "next_step": "", "attempts": 0}
        canary = replace(row.canary, step=step, percent=percent or row.canary.percent)
        moved = replace(row, canary=canary, phase=Phase.UPDATING, phase_since=now, updated_at=now, **told)
        self._store.deployments[id] = moved
        self._store.work[id].next_at, self._store.work[id].dirty_at = now + FIRST_PASS_BY_THE_REQUEST, now
        self._store.log(moved, now)
        version_id = row.spec.model_version_id if step is CanaryStep.PROMOTE else canary.stable_version_id
        await self._services.update(project_id, id, InferenceServicePatch(model_version_id=version_id))

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
        want = None if patch.desired_state is UNSET else Want.of(patch.desired_state)
        deployment = self._store.deployments.get(id)
        if deployment and keeps_version and deployment.want is Want.PRESENT:
            canary = deployment.canary
            is_stable_kept = canary and canary.step is not CanaryStep.PROMOTE
            kept = canary.stable_version_id if canary and is_stable_kept else deployment.spec.model_version_id
            check_version_kept(id, kept, patch)
        if deployment and want is Want.PRESENT and deployment.want is Want.ABSENT:
            _check_generation(deployment, after)
        await self._services.update(project_id, id, patch, etags)
        if deployment is None or want in {None, deployment.want}:
            return False
        if want is Want.ABSENT:
            return await self.undeploy(project_id, id, created_by)
        await self.revise(project_id, id, want=Want.PRESENT, spec=spec, cause=Cause.REDEPLOY, created_by=created_by)
        return True

    async def undeploy(self, project_id: UUID, id: UUID, created_by: str, expected: int | None = None) -> bool:
        present = self._store.deployments.get(id)
        if expected is not None and expected != (present and present.generation):
            await self._services.get(project_id, id)
            raise Stale.revision(id, present.generation if present else None)
        down = ServiceState.UNDEPLOYED
        patch = InferenceServicePatch(desired_state=down, current_state=down, url="", external_id="")
        seen = await self._services.get(project_id, id)
        await self._services.follow(project_id, id, patch, ServeModelState.PENDING, unchanged_since=seen.updated_at)
        if (deployment := self._store.deployments.get(id)) is None:
            return False
        if deployment.want is Want.PRESENT:
            await self.revise(project_id, id, want=Want.ABSENT, spec=None, cause=Cause.UNDEPLOY, created_by=created_by)
        return True

    async def revisions(
        self,
        project_id: UUID,
        id: UUID,
        slice: Slice,
        sort: Sort = NEWEST_REVISION_FIRST,
        where: Filter | None = None,
    ) -> Page[DeploymentRevision]:
        await self.get(project_id, id)
        return page_of((r for r in self._store.revisions[id].values() if matches(where, r)), sort, slice)

    async def revision(self, project_id: UUID, id: UUID, generation: int | None) -> DeploymentRevision:
        current = (await self.get(project_id, id)).generation
        revisions = self._store.revisions[id]
        if generation is None:
            served = [
                r.generation
                for r in revisions.values()
                if r.served_from and r.generation < current and r.outcome is not Outcome.ABORTED
            ]
            generation = max(served, default=0)
        if generation not in revisions:
            raise NotFound.of(Reason.REVISION_NOT_FOUND, id)
        return revisions[generation]

    async def served_at(self, project_id: UUID, id: UUID, at: datetime | None) -> DeploymentRevision | None:
        await self.get(project_id, id)
        then = at or self._store.write_time()
        known_from = self._store.served_known_from.get(id)
        if known_from and then < known_from:
            raise HistoryForgotten(id, known_from)
        for generation, began, ended in reversed(self._store.serving.get(id, [])):
            if began <= then and (ended is None or ended > then):
                return replace(self._store.revisions[id][generation], served_from=began, served_until=ended)
        return None

    async def give_new_keys(self, project_id: UUID, model_version_id: UUID) -> None:
        now = self._store.write_time()
        for row in self._store.deployments.values():
            is_meant = row.project_id == project_id and row.spec.model_version_id == model_version_id
            if is_meant and row.want is Want.PRESENT:
                self._store.work[row.id].change(now)
                self._store.news.set()

    async def last_copy(self, project_id: UUID, model_version_id: UUID) -> DeploymentSpec | None:
        copies = [r for r in self._revisions_of(project_id) if model_version_id in r.spec.served_version_ids]
        newest = max(copies, key=lambda r: (r.created_at, r.generation, r.deployment_id), default=None)
        return newest.spec if newest else None

    def _revisions_of(self, project_id: UUID) -> Iterator[DeploymentRevision]:
        for id_, revisions in self._store.revisions.items():
            if self._store.deployments[id_].project_id == project_id:
                yield from revisions.values()

    async def events(
        self, project_id: UUID, id: UUID, after: int | str | None, limit: int
    ) -> Sequence[DeploymentEvent]:
        if isinstance(after, str):
            epoch, _, number = after.rpartition("-")
            if not epoch or not number.isdecimal() or len(number) > 18:
                raise InvalidRequest([Violation("resume_token", "must be the resume_token of an event")])
            if after not in {event.resume_token for event in self._store.events if event.deployment_id == id}:
                raise EventLogChanged
            after = int(number)
        await self.get(project_id, id)
        events = [event for event in self._store.events if event.deployment_id == id]
        if after is None:
            return events[-1:]
        if after > 0 and after not in {event.sequence for event in events}:
            raise EventLogChanged
        return [event for event in events if event.sequence > after][:limit]

    async def orphans(self, project_id: UUID) -> Sequence[Orphan]:
        namespaces = {e.namespace for e in self._store.environments.values() if e.project_id == project_id}
        return sorted(
            (orphan for orphan in self._store.orphans if orphan.namespace in namespaces),
            key=lambda o: (o.seen_at, o.uid),
        )

    def _read(self, deployment: Deployment) -> Deployment:
        now = {id_: [getattr(version, name) for name in COPIED] for id_, version in self._store.versions.items()}
        edited = deployment.spec.edited_fields(now)
        return replace(deployment, drift_policy=self._drift_policy(deployment.id), edited_version_fields=edited)

    def _drift_policy(self, id: UUID) -> DriftPolicy:
        """The policy of the environment, while that exists."""
        service = self._store.services.get(id)
        return self._store.environments[service.serving_environment_id].drift_policy if service else DriftPolicy.REPORT

    def _put(self, deployment: Deployment, created_by: str, cause: Cause) -> None:
        """Store a deployment with its new revision, which takes the place of one that is pending, and its event."""
        revisions = self._store.revisions.setdefault(deployment.id, {})
        for earlier in list(revisions.values()):
            if earlier.outcome is Outcome.PENDING:
                revisions[earlier.generation] = replace(earlier, outcome=Outcome.SUPERSEDED)
        revisions[deployment.generation] = DeploymentRevision(
            deployment_id=deployment.id,
            generation=deployment.generation,
            created_at=deployment.revised_at,
            created_by=created_by,
            cause=cause,
            spec=deployment.spec,
            outcome=Outcome.PENDING,
        )
        self._store.deployments[deployment.id] = deployment
        self._store.log(deployment, deployment.revised_at)

    async def _let_service_follow(self, deployment: Deployment, spec: DeploymentSpec | None) -> None:
        if deployment.id not in self._store.services:
            return
        is_wanted = deployment.want is Want.PRESENT
        patch = InferenceServicePatch(
            desired_state=ServiceState.DEPLOYED if is_wanted else ServiceState.UNDEPLOYED,
            model_version_id=spec.model_version_id if spec and not deployment.canary else UNSET,
        )
        await self._services.update(deployment.project_id, deployment.id, patch)
        linked = {served.model_version_id for served in served_by(self._store, deployment.id)}
        for version_id in spec.served_version_ids if spec else ():
            if version_id not in linked:
                link = ServeModel(
                    id=uuid4(),
                    project_id=deployment.project_id,
                    inference_service_id=deployment.id,
                    model_version_id=version_id,
                )
                put_serve_model(self._store, link)


def _check_generation(deployment: Deployment, after: int | None) -> None:
    if after not in {None, deployment.generation}:
        raise ConcurrentChange


class NoNews:
    """DeploymentEvents without new events: wakes once at the start, like every listener."""

    async def listen(self, id: UUID) -> AsyncGenerator[None, None]:
        yield

    def stop_listening(self) -> None:
        """Nobody listens for long."""
