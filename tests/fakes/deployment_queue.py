"""DeploymentQueue in memory."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncGenerator, AsyncIterator, Collection, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import datetime, timedelta
from uuid import UUID, uuid4

from tests.fakes.deployments import InMemoryDeploymentRepository
from tests.fakes.serve_models import served_by
from tests.fakes.store import LEASE, InMemoryStore

from registry_grpc.domain.canary import CanaryStep
from registry_grpc.domain.decision import PassResult, ServiceView
from registry_grpc.domain.deployment import (
    Cause,
    Deployment,
    DeploymentEvent,
    DeploymentSpec,
    Orphan,
    Outcome,
    Phase,
    Want,
)
from registry_grpc.domain.errors import NotFound, Reason
from registry_grpc.domain.reason import NO_ACCESS, DeploymentReason
from registry_grpc.ports.cluster import EVERYWHERE, OwnedObject
from registry_grpc.ports.deployments import Claim, Retention

_UNSEEN = DeploymentReason.NAMESPACE_NOT_VISIBLE
_SEEN = (
    "phase", "reason", "message", "url", "drift", "applied", "applied_generation", "applied_at", "serving_generation",
    "attempts", "split",
)  # fmt: skip

SERVING = {Phase.DEPLOYED, Phase.DEGRADED, Phase.DRIFTED}


class InMemoryDeploymentQueue:
    """One process's view of the work in the store."""

    def __init__(self, store: InMemoryStore) -> None:
        self._store = store
        self._repository = InMemoryDeploymentRepository(store)

    async def claim(self, limit: int) -> list[Claim]:
        now = self._store.write_time()
        order = []
        for id_, work in self._store.work.items():
            if work.next_at is not None and work.next_at <= now:
                row = self._store.deployments[id_]
                is_changed = work.dirty_at is not None and work.dirty_at >= work.next_at
                rank = (work.is_free(now), row.applied_generation < row.generation, not is_changed)
                order.append((*rank, work.next_at, id_))
        turns: Counter[UUID] = Counter()
        due = []
        for is_free, _, _, next_at, id_ in sorted(order):
            project_id = self._store.deployments[id_].project_id
            turns[project_id] += 1
            if is_free:
                due.append((turns[project_id], next_at, id_))
        return [await self._take(id_, now) for *_, id_ in sorted(due)[:limit]]

    async def next_due(self) -> timedelta | None:
        now = self._store.write_time()
        due_at = [(work.next_at, work.lease_until or now) for work in self._store.work.values() if work.next_at]
        later = [at if at > now else leased for at, leased in due_at if at > now or leased > now]
        return min(later) - now if later else None

    async def claim_one(self, id: UUID) -> Claim | None:
        now = self._store.write_time()
        work = self._store.work.get(id)
        return await self._take(id, now) if work and work.is_free(now) else None

    async def record(self, claim: Claim, result: PassResult) -> bool:
        id_, now = claim.deployment.id, self._store.write_time()
        work, row = self._store.work[id_], self._store.deployments[id_]
        if work.holder != claim.holder or work.lease_until is None or work.lease_until <= now:
            return False
        work.holder, work.lease_until = "", None
        kind = self._kinds().get((row.namespace, row.reason), [])
        if _wish(row) != _wish(claim.deployment):
            self._store.deployments[id_] = replace(
                row,
                applied=result.applied,
                applied_generation=0 if row.want is Want.ABSENT else result.applied_generation,
                applied_at=result.applied_at,
            )
            work.next_at = now
            return True
        seen = {name: getattr(result, name) for name in _SEEN} | {"next_step": result.reason.next_step}
        has_changed = _told(row) != _told(after := replace(row, **seen))
        after = replace(
            after,
            observed_at=now if result.has_seen else row.observed_at,
            phase_since=row.phase_since if row.phase is result.phase else now,
            updated_at=now if has_changed else row.updated_at,
        )
        self._store.deployments[id_] = after
        is_dirty = work.dirty_at is not None and work.dirty_at > claim.now
        work.next_at = work.dirty_at if is_dirty else None if result.again_in is None else now + result.again_in
        self._let_service_follow(after, result.service, now)
        if has_changed:
            self._tell(after, now, is_shared=result.is_shared)
        if result.ended:
            self._end_canary(after, result.ended, now)
        if result.phase is Phase.UNDEPLOYED:
            self._free_name(after, now)
        is_applied = row.want is Want.ABSENT or row.generation == result.applied_generation
        if work.tried_at and is_applied and result.has_seen and not result.waits_for_turn:
            for other in kind:
                if other != id_:
                    self._store.work[other].next_at = now
        work.tried_at = now if result.waits_for_turn else None
        return True

    def _kinds(self) -> dict[tuple[str, str], list[UUID]]:
        """The deployments that wait for their turn, by namespace and reason; the one tried last comes last."""
        tried = sorted((work.tried_at, id_) for id_, work in self._store.work.items() if work.tried_at)
        kinds: dict[tuple[str, str], list[UUID]] = {}
        for _, id_ in tried:
            row = self._store.deployments[id_]
            kinds.setdefault((row.namespace, row.reason), []).append(id_)
        return kinds

    async def renew(self, claim: Claim) -> None:
        work, now = self._store.work[claim.deployment.id], self._store.write_time()
        if work.holder == claim.holder and work.lease_until and work.lease_until > now:
            work.lease_until = now + LEASE

    async def release(self, claim: Claim) -> None:
        work = self._store.work[claim.deployment.id]
        if work.holder == claim.holder:
            work.holder, work.lease_until = "", None
            work.next_at = self._store.write_time() + timedelta(seconds=1)

    async def mark_changed(self, ids: Collection[UUID]) -> None:
        now = self._store.write_time()
        for id_ in ids:
            if work := self._store.work.get(id_):
                work.change(now)
                self._store.news.set()

    async def mark_unseen(self, namespace: str) -> None:
        for id_, row in self._store.deployments.items():
            is_there = namespace in {EVERYWHERE, row.namespace}
            if is_there and row.reason not in NO_ACCESS and self._store.work[id_].next_at is not None:
                self._store.work[id_].change(self._store.write_time())
                self._store.news.set()

    async def namespaces(self) -> set[str]:
        unfinished = {row.namespace for id_, row in self._store.deployments.items() if self._store.work[id_].next_at}
        return unfinished | {orphan.namespace for orphan in self._store.orphans}

    async def compare(self, namespace: str, objects: Sequence[OwnedObject]) -> int:
        now = self._store.write_time()
        found = {(seen.deployment_id, seen.namespace, seen.name): seen for seen in objects}
        for row in list(self._store.deployments.values()):
            live = found.get((row.id, row.namespace, row.name))
            if row.want is Want.PRESENT and live and live.revision > max(self._store.revisions[row.id]):
                self._store.deployments[row.id] = replace(row, generation=live.revision)
                await self._repository.revise(
                    row.project_id, row.id, want=Want.PRESENT, spec=None, cause=Cause.RESTORE, created_by=""
                )
        rows = [row for row in self._store.deployments.values() if namespace in {EVERYWHERE, row.namespace}]
        first = {kind[0] for kind in self._kinds().values()}
        due = [row.id for row in rows if self._differs(row, found.get((row.id, row.namespace, row.name)), first)]
        for id_ in due:
            self._store.work[id_].change(now)
            self._store.news.set()
        known = {(row.id, row.namespace, row.name) for row in rows}
        applied = {(row.applied.uid, row.namespace, row.name) for row in rows if row.applied}
        elsewhere = [orphan for orphan in self._store.orphans if namespace not in {EVERYWHERE, orphan.namespace}]
        stays = {orphan.uid: orphan for orphan in self._store.orphans}
        self._store.orphans[:] = elsewhere + [
            stays.get(seen.uid)
            or Orphan(
                namespace=seen.namespace,
                name=seen.name,
                uid=seen.uid,
                deployment_id=str(seen.deployment_id or ""),
                seen_at=now,
            )
            for place, seen in found.items()
            if place not in known and (seen.uid, *place[1:]) not in applied
        ]
        return len(due)

    async def spec_of(self, id: UUID, generation: int) -> DeploymentSpec:
        if generation not in self._store.revisions[id]:
            raise NotFound(Reason.REVISION_NOT_FOUND, id=str(id), revision=str(generation))
        return self._store.revisions[id][generation].spec

    def _differs(self, row: Deployment, seen: OwnedObject | None, first: set[UUID]) -> bool:
        waits = self._store.work[row.id].tried_at is not None
        if (row.attempts or row.reason in NO_ACCESS) and (not waits or row.id in first):
            return True
        if row.want is Want.ABSENT:
            return seen is not None or row.phase is not Phase.UNDEPLOYED
        if row.applied is None:
            return False
        was_refused = row.phase is Phase.DRIFTED or row.applied_generation < row.generation
        serves_as_before = waits and row.serving_generation is not None and was_refused
        is_ready = row.phase is Phase.DEPLOYED or serves_as_before
        return seen is None or (seen.uid, seen.k8s_generation, seen.is_ready) != (
            row.applied.uid, row.applied.k8s_generation, is_ready
        )  # fmt: skip

    async def look_again(self) -> None:
        now = self._store.write_time()
        waited = []
        for kind in self._kinds().values():
            last = self._store.work[kind[-1]].tried_at
            assert last is not None
            pause = min((last - self._store.deployments[kind[0]].phase_since) / 3, timedelta(seconds=45))
            if last < now - pause:
                waited.append((last, kind[0]))
        if waited and ((work := self._store.work[min(waited)[1]]).next_at or now) > now:
            work.next_at = now
            self._store.news.set()
            return
        waiting = [
            (row.observed_at, row.id)
            for row in self._store.deployments.values()
            if row.phase in SERVING and row.applied and row.applied.content.get("secrets")
            if row.observed_at and row.observed_at < now - timedelta(seconds=30)
            if (due := self._store.work[row.id].next_at) and due > now
        ]
        if waiting:
            self._store.work[min(waiting)[1]].next_at = now
            self._store.news.set()

    async def forget(self, retention: Retention) -> None:
        cut = self._store.write_time() - retention.age
        self._forget_events(cut)
        for id_, deployment in list(self._store.deployments.items()):
            self._forget_revisions(deployment, cut, retention.revisions)
            is_gone = deployment.phase is Phase.UNDEPLOYED and self._store.work[id_].next_at is None
            looked_at = deployment.observed_at
            if is_gone and id_ not in self._store.services and looked_at is not None and looked_at < cut:
                self._store.forget(id_)

    def _forget_events(self, cut: datetime) -> None:
        following: dict[UUID, DeploymentEvent] = {}
        for event in self._store.events[::-1]:
            follows = following.get(event.deployment_id)
            if follows and follows.occurred_at < cut:
                self._store.events.remove(event)
            following[event.deployment_id] = event

    def _forget_revisions(self, deployment: Deployment, cut: datetime, count: int) -> None:
        revisions = self._store.revisions[deployment.id]
        served = [
            r.generation
            for r in revisions.values()
            if r.served_from and r.generation < deployment.generation and r.outcome is not Outcome.ABORTED
        ]
        needed = {deployment.generation, deployment.applied_generation, max(served, default=0)}
        needed |= {deployment.canary.stable_generation} if deployment.canary else set()
        linked = {link.model_version_id for link in served_by(self._store, deployment.id)}
        newest = sorted(revisions)[-count:]
        leftover = linked - set(deployment.spec.served_version_ids)
        for generation, revision in list(revisions.items()):
            ended = revision.served_until if revision.served_from else revision.created_at
            is_needed = generation in needed or leftover & set(revision.spec.served_version_ids)
            if generation not in newest and ended and ended < cut and not is_needed:
                del revisions[generation]
                periods = self._store.serving.get(deployment.id, [])
                periods[:] = [period for period in periods if period[0] != generation]
                if revision.served_until and revision.outcome is not Outcome.ABORTED:
                    before = self._store.served_known_from.get(deployment.id, revision.served_until)
                    self._store.served_known_from[deployment.id] = max(before, revision.served_until)

    async def wake_ups(self) -> AsyncGenerator[None, None]:
        while True:
            yield
            await self._store.news.wait()
            self._store.news.clear()

    @asynccontextmanager
    async def leadership(self) -> AsyncIterator[AsyncIterator[bool]]:
        lock, leads, epoch = self._store.leader, False, self._store.epoch

        async def states() -> AsyncIterator[bool]:
            nonlocal leads
            while epoch == self._store.epoch:
                if not leads and not lock.locked():
                    leads = await lock.acquire()
                yield leads
                await asyncio.sleep(0.01)

        try:
            yield states()
        finally:
            if leads:
                lock.release()

    async def _take(self, id: UUID, now: datetime) -> Claim:
        work = self._store.work[id]
        work.holder, work.lease_until = uuid4().hex, now + LEASE
        deployment = self._store.deployments[id]
        deployment = await self._repository.get(deployment.project_id, id)
        return Claim(deployment=deployment, holder=work.holder, now=now)

    def _let_service_follow(self, deployment: Deployment, view: ServiceView, now: datetime) -> None:
        service = self._store.services.get(deployment.id)
        if service is None:
            return
        follows = replace(
            service,
            current_state=view.current_state,
            external_id=view.external_id,
            url=view.url,
            last_error=service.last_error if view.last_error is None else view.last_error,
        )
        if follows != service:
            self._store.services[service.id] = replace(follows, updated_at=now)
        for served in served_by(self._store, service.id):
            is_meant = served.model_version_id in deployment.spec.served_version_ids
            if is_meant and served.last_known_state != view.served_state:
                self._store.serve_models[served.id] = replace(
                    served, last_known_state=view.served_state, updated_at=now
                )

    def _end_canary(self, deployment: Deployment, step: CanaryStep, now: datetime) -> None:
        alone = replace(deployment, canary=None, split=None, revised_at=now)
        if step is CanaryStep.ABORT:
            assert deployment.canary is not None
            stable = self._store.revisions[deployment.id][deployment.canary.stable_generation]
            self._store.abort_revision(deployment.id, deployment.generation, now)
            alone = replace(alone, generation=stable.generation, spec=stable.spec)
        self._store.deployments[deployment.id] = alone
        self._store.work[deployment.id].next_at = now

    def _note_period(self, deployment: Deployment, now: datetime) -> None:
        periods, serving = self._store.serving.setdefault(deployment.id, []), deployment.serving_generation
        if periods and periods[-1][2] is None and periods[-1][0] != serving:
            periods[-1] = (*periods[-1][:2], now)
        if serving is not None and (not periods or periods[-1][2] is not None):
            periods.append((serving, now, None))

    def _tell(self, deployment: Deployment, now: datetime, *, is_shared: bool) -> None:
        self._store.log(deployment, now)
        self._note_period(deployment, now)
        revisions = self._store.revisions[deployment.id]
        serve = {deployment.serving_generation, deployment.generation if is_shared else None}
        for generation, revision in revisions.items():
            if generation in serve:
                revisions[generation] = replace(
                    revision,
                    outcome=Outcome.SERVED,
                    reason=DeploymentReason.NONE,
                    served_from=revision.served_from or now,
                    served_until=None,
                )
            elif revision.served_from and revision.served_until is None:
                revisions[generation] = replace(revision, served_until=now)
        current = revisions[deployment.generation]
        serves = deployment.serving_generation == deployment.generation
        if serves and deployment.phase in {Phase.DEPLOYED, Phase.DRIFTED}:
            self._drop_superseded(deployment)
        elif _has_failed(deployment) and current.served_from is None:
            revisions[deployment.generation] = replace(current, outcome=Outcome.FAILED, reason=deployment.reason)

    def _drop_superseded(self, deployment: Deployment) -> None:
        revisions = self._store.revisions[deployment.id].values()
        superseded = {id_ for revision in revisions for id_ in revision.spec.served_version_ids}
        for served in served_by(self._store, deployment.id):
            if served.model_version_id in superseded - set(deployment.spec.served_version_ids):
                del self._store.serve_models[served.id]

    def _free_name(self, gone: Deployment, now: datetime) -> None:
        for other in self._store.deployments.values():
            waits = other.reason is DeploymentReason.NAME_TAKEN
            if waits and (other.namespace, other.name) == (gone.namespace, gone.name):
                self._store.work[other.id].next_at = now


def _wish(row: Deployment) -> tuple[object, ...]:
    canary = row.canary
    return row.generation, row.want, canary and (canary.step, canary.percent)


def _has_failed(row: Deployment) -> bool:
    return row.phase is Phase.FAILED and row.reason is not _UNSEEN


def _told(row: Deployment) -> tuple[object, ...]:
    """The values whose change makes an event."""
    uid = row.applied.uid if row.applied else None
    return row.phase, row.reason, row.message, row.serving_generation, row.url, uid
