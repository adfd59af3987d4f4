"""The controller: makes passes on deployments that are due. As the leader, it also watches the cluster for changes that
make deployments due, and deletes old history."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from contextlib import aclosing
from datetime import timedelta
from functools import partial
from uuid import UUID

from registry_grpc.ports.cluster import Changed, Cluster, Relisted, Unseen
from registry_grpc.ports.deployments import Claim, DeploymentQueue, Retention
from registry_grpc.services.leading import work_forever, work_while_leading
from registry_grpc.services.reconciliation import Reconciler

CONCURRENT_PASSES = 8
_STOP_SECONDS = 5.0
_GATHER_SECONDS = 0.05
_FORGET_SECONDS = 600.0
LOOK_SECONDS = 12.0
"""A pass on a deployment that is well takes three requests to the API server, and one that is refused up to six, so
these take 0.25 to 0.5 a second."""


class Controller:
    """Any number of controllers may run: leases divide the work between them, and one of them leads.

    `report` is called with the errors that a loop survived.
    """

    def __init__(
        self,
        *,
        queue: DeploymentQueue,
        reconciler: Reconciler,
        cluster: Cluster,
        retention: Retention,
        report: Callable[[str, BaseException], None],
    ) -> None:
        self._queue = queue
        self._reconciler = reconciler
        self._cluster = cluster
        self._retention = retention
        self._report = report
        self._forever = partial(work_forever, report=report)
        self._passes: set[asyncio.Task[None]] = set()
        self._due = asyncio.Event()
        self._alarm: asyncio.TimerHandle | None = None
        self.turned_at = time.monotonic()
        """When there was last room for another pass: if that is long ago, all passes hang, or the loop does."""

    async def run(self) -> None:
        """Run until cancelled. Then wait for the running passes, and cancel them after a while; both give their leases
        back."""
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._forever("wake", self._wake))
                group.create_task(self._forever("work", self._work))
                group.create_task(self._forever("lead", self._lead))
        finally:
            self._look_again_in(None)
            await self._end_passes()

    async def _end_passes(self) -> None:
        if not self._passes:
            return
        _, unfinished = await asyncio.wait(self._passes, timeout=_STOP_SECONDS)
        for task in unfinished:
            task.cancel()
        await asyncio.gather(*unfinished, return_exceptions=True)

    async def _wake(self) -> None:
        async for _ in self._queue.wake_ups():
            self._due.set()

    async def _work(self) -> None:
        """Claim as many deployments as there is room for, when some may be due and whenever a pass ends."""
        self._due.set()
        while True:
            await self._due.wait()
            self._due.clear()
            if room := CONCURRENT_PASSES - len(self._passes):
                self.turned_at = time.monotonic()
                for claim in await self._queue.claim(room):
                    self._start(claim)
                self._look_again_in(await self._queue.next_due())

    def _look_again_in(self, delay: timedelta | None) -> None:
        if self._alarm is not None:
            self._alarm.cancel()
        if delay is not None:
            self._alarm = asyncio.get_running_loop().call_later(delay.total_seconds(), self._due.set)

    def _start(self, claim: Claim) -> None:
        task = asyncio.create_task(self._pass(claim))
        self._passes.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._passes.discard(task)
        self._due.set()

    async def _pass(self, claim: Claim) -> None:
        try:
            await self._reconciler.work(claim)
        except Exception as error:  # noqa: BLE001 - one bad row must not stop the others
            self._report("pass", error)  # if the database failed, the lease ends by itself

    async def _lead(self) -> None:
        await work_while_leading(self._queue.leadership(), self._as_leader)

    async def _as_leader(self) -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(self._forever("watch", self._watch))
            group.create_task(self._forever("look", self._queue.look_again, pause=LOOK_SECONDS))
            group.create_task(
                self._forever("forget", lambda: self._queue.forget(self._retention), pause=_FORGET_SECONDS)
            )

    async def _watch(self) -> None:
        changed = _Changed()
        marking = asyncio.create_task(self._forever("mark", lambda: self._mark(changed)))
        try:
            async with aclosing(self._cluster.changes(self._queue.namespaces)) as changes:
                async for change in changes:
                    match change:
                        case Relisted(namespace, objects):
                            await self._queue.compare(namespace, objects)
                        case Unseen(namespace):
                            await self._queue.mark_unseen(namespace)
                        case Changed(deployment_id):
                            changed.add(deployment_id)
        finally:
            marking.cancel()
            await asyncio.gather(marking, return_exceptions=True)

    async def _mark(self, changed: _Changed) -> None:
        """Mark changes together, because one rollout causes a dozen within milliseconds. If the database fails, they
        are kept for the next try."""
        while True:
            await changed.wait()
            await asyncio.sleep(_GATHER_SECONDS)
            ids = changed.take()
            try:
                await self._queue.mark_changed(ids)
            except BaseException:
                changed.add(*ids)
                raise


class _Changed:
    """The deployments that changed in the cluster and are not marked yet."""

    def __init__(self) -> None:
        self._ids: set[UUID] = set()
        self._some = asyncio.Event()

    def add(self, *deployment_ids: UUID) -> None:
        self._ids.update(deployment_ids)
        self._some.set()

    async def wait(self) -> None:
        await self._some.wait()

    def take(self) -> frozenset[UUID]:
        ids = frozenset(self._ids)
        self._ids.clear()
        self._some.clear()
        return ids
