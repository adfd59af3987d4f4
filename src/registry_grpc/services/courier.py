"""The courier: delivers events to webhooks, and has old events and deleted versions forgotten. One process at a time
does it, also without a cluster."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime
from functools import partial
from itertools import groupby
from uuid import UUID

from registry_grpc.domain.webhook import GONE, Outcome, body_of, headers_of, retry_after
from registry_grpc.ports.webhooks import Due, WebhookQueue, WebhookSender
from registry_grpc.services.leading import work_forever, work_while_leading

_PAUSE_SECONDS = 0.5
_FORGET_SECONDS = 600.0
_AT_ONCE = 8
"""How many resources of one webhook are delivered at the same time."""
_JITTER = 0.2


class Courier:
    """Each event is sent until it was received, so it may be received twice. Events of a resource are sent in their
    order: one that fails holds back the later ones. `report` is called with the errors that a loop survived."""

    def __init__(
        self,
        *,
        queue: WebhookQueue,
        sender: WebhookSender,
        forget: Callable[[], Awaitable[None]],
        report: Callable[[str, BaseException], None],
    ) -> None:
        self._queue = queue
        self._sender = sender
        self._forget = forget
        self._report = report
        self._forever = partial(work_forever, report=report)
        self._busy: dict[UUID, asyncio.Task[None]] = {}

    async def run(self) -> None:
        """Run until cancelled."""
        await self._forever("courier", self._lead)

    async def _lead(self) -> None:
        await work_while_leading(self._queue.leadership(), self._as_leader)

    async def _as_leader(self) -> None:
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._forever("deliver", self._start_deliveries, _PAUSE_SECONDS))
                group.create_task(self._forever("forget", self._forget, _FORGET_SECONDS))
        finally:
            for task in self._busy.values():
                task.cancel()
            await asyncio.gather(*self._busy.values(), return_exceptions=True)
            self._busy.clear()

    async def _start_deliveries(self) -> None:
        """A slow receiver only delays its own webhook."""
        await self._queue.add_deliveries()
        for webhook_id, found in groupby(await self._queue.due(self._busy.keys()), key=lambda due: due.webhook_id):
            self._busy[webhook_id] = asyncio.create_task(self._deliver_to(webhook_id, list(found)))

    async def _deliver_to(self, webhook_id: UUID, found: Sequence[Due]) -> None:
        """Deliver what is due, and what becomes due meanwhile."""
        try:
            while found:
                await self._deliver(found)
                await self._queue.add_deliveries()
                found = await self._queue.due_of(webhook_id)
        except Exception as error:  # noqa: BLE001 - what is not recorded is delivered again
            self._report("deliver", error)
        finally:
            self._busy.pop(webhook_id, None)

    async def _deliver(self, found: Sequence[Due]) -> None:
        turns = asyncio.Semaphore(_AT_ONCE)
        by_resource: dict[UUID, list[Due]] = {}
        for due in found:
            by_resource.setdefault(due.event.resource_id, []).append(due)

        async def deliver_in_order(events: Sequence[Due]) -> None:
            async with turns:
                for due in events:
                    if not await self._attempt(due):
                        return

        async with asyncio.TaskGroup() as group:
            for events in by_resource.values():
                group.create_task(deliver_in_order(events))

    async def _attempt(self, due: Due) -> bool:
        """Whether the receiver has got the event."""
        outcome = await self._outcome(due)
        pause = None
        if outcome.status != GONE:
            pause = retry_after(due.attempts + 1, random.uniform(1 - _JITTER, 1 + _JITTER))  # noqa: S311
        await self._queue.record(due, outcome, pause)
        return outcome.is_delivered

    async def _outcome(self, due: Due) -> Outcome:
        if due.secret is None:
            return Outcome(None, "the webhook's secret cannot be decrypted: set it again")
        body = body_of(due.event, due.project_id)
        return await self._sender.send(due.url, headers_of(due.event.id, body, due.secret, datetime.now(UTC)), body)
