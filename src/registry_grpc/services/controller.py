"""The controller: works on what is due, and, if it leads, watches the cluster for what becomes due."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from uuid import UUID

from registry_grpc.domain.errors import RegistryError
from registry_grpc.ports.cluster import Cluster, Relisted
from registry_grpc.ports.deployments import Claim, DeploymentQueue
from registry_grpc.services.reconciliation import Reconciler

CONCURRENT_PASSES = 8
_GATHER_SECONDS = 0.05
_AFTER_FAULT_SECONDS = 1.0


class Controller:
    """Any number of these may run; leases share the work out, and one of them watches.

    `report` is told of faults that a loop survived.
    """

    def __init__(
        self,
        *,
        queue: DeploymentQueue,
        reconciler: Reconciler,
        cluster: Cluster,
        report: Callable[[str, BaseException], None],
    ) -> None:
        self._queue = queue
        self._reconciler = reconciler
        self._cluster = cluster
        self._report = report
        self._passes: set[asyncio.Task[None]] = set()

    async def run(self) -> None:
        """Run until cancelled; then wait for the passes under way, so that their leases are given back."""
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._forever("work", self._work))
                group.create_task(self._forever("lead", self._lead))
        finally:
            await asyncio.gather(*self._passes, return_exceptions=True)

    async def _forever(self, name: str, loop: Callable[[], object]) -> None:
        """A lost database or API server ends a loop; it begins anew."""
        while True:
            try:
                await loop()  # type: ignore[misc]
            except Exception as error:  # noqa: BLE001 - whatever it was, the loop must go on
                self._report(name, error)
            await asyncio.sleep(_AFTER_FAULT_SECONDS)

    async def _work(self) -> None:
        async for _ in self._queue.wake_ups():
            while room := CONCURRENT_PASSES - len(self._passes):
                claims = await self._queue.claim(room)
                for claim in claims:
                    self._start(claim)
                if len(claims) < room:
                    break
                await asyncio.wait(self._passes, return_when=asyncio.FIRST_COMPLETED)

    def _start(self, claim: Claim) -> None:
        task = asyncio.create_task(self._pass(claim))
        self._passes.add(task)
        task.add_done_callback(self._passes.discard)

    async def _pass(self, claim: Claim) -> None:
        try:
            await self._reconciler.work(claim)
        except RegistryError as error:
            self._report("pass", error)  # the database is away: the lease ends by itself
        except Exception as error:  # noqa: BLE001 - one bad row must not stop the others
            self._report("pass", error)

    async def _lead(self) -> None:
        async with self._queue.leadership() as states:
            watching: asyncio.Task[None] | None = None
            try:
                async for leads in states:
                    if leads and (watching is None or watching.done()):
                        watching = asyncio.create_task(self._forever("watch", self._watch))
                    elif not leads and watching is not None:
                        watching.cancel()
                        watching = None
            finally:
                if watching is not None:
                    watching.cancel()
                    with contextlib.suppress(asyncio.CancelledError):
                        await watching

    async def _watch(self) -> None:
        changed: set[UUID] = set()
        marking: asyncio.Task[None] | None = None
        async for change in self._cluster.changes():
            if isinstance(change, Relisted):
                await self._queue.compare(change.objects)
                continue
            changed.add(change.deployment_id)
            if marking is None or marking.done():
                marking = asyncio.create_task(self._mark_soon(changed))

    async def _mark_soon(self, changed: set[UUID]) -> None:
        """One rollout brings a dozen changes within milliseconds: they are marked together."""
        await asyncio.sleep(_GATHER_SECONDS)
        ids = frozenset(changed)
        changed.clear()
        await self._queue.mark_changed(ids)
