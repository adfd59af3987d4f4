"""The courier delivers what is due in the order of each resource, and records what came of it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from datetime import timedelta
from uuid import UUID, uuid4

import pytest
from tests.fakes.event_log import InMemoryEventLog
from tests.fakes.webhooks import InMemoryWebhookQueue, Receiver

from registry_grpc.domain.webhook import Outcome, new_secret
from registry_grpc.services import courier
from registry_grpc.services.courier import Courier

PROJECT = UUID(int=1)
HOOK, OTHER_HOOK = uuid4(), uuid4()
ONE, TWO = uuid4(), uuid4()
_FAILED = Outcome(500, "busy")


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(courier, "_PAUSE_SECONDS", 0.001)


class Post:
    """A courier at work, with what is to be delivered."""

    def __init__(self) -> None:
        self.log = InMemoryEventLog()
        self.queue = InMemoryWebhookQueue()
        self.receiver = Receiver()
        self.faults: list[str] = []
        self.secret: str | None = new_secret()

    def add(self, *resources: UUID, webhook_id: UUID = HOOK) -> list[str]:
        events = [self.log.add(PROJECT, "model.updated", resource_id=each) for each in resources]
        for event in events:
            self.queue.add(event, webhook_id, self.secret)
        return [event.id for event in events]

    @asynccontextmanager
    async def at_work(self) -> AsyncIterator[None]:
        worker = Courier(
            queue=self.queue, sender=self.receiver, forget=lambda: self.log.forget(timedelta(days=90)),
            report=lambda where, error: self.faults.append(f"{where}: {error}"),
        )  # fmt: skip
        task = asyncio.create_task(worker.run())
        try:
            yield
        finally:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task

    async def until_recorded(self, count: int) -> None:
        async with asyncio.timeout(30):
            while len(self.queue.recorded) < count:  # noqa: ASYNC110 - a list
                await asyncio.sleep(0.001)


async def test_everything_is_delivered_in_the_order_of_each_resource() -> None:
    post = Post()
    ids = post.add(ONE, TWO, ONE, TWO, ONE)
    async with post.at_work():
        await post.until_recorded(5)
        ids += post.add(TWO)
        await post.until_recorded(6)
    assert sorted(post.receiver.ids) == sorted(ids)
    for resource in (ids[0::2][:3], [ids[1], ids[3], ids[5]]):
        assert [each for each in post.receiver.ids if each in resource] == resource
    assert post.queue.waiting == []
    assert post.faults == []


async def test_a_failure_holds_back_later_events_of_its_resource_only() -> None:
    post = Post()
    ids = post.add(ONE, ONE, TWO, TWO)
    post.receiver.answer = lambda id_: _FAILED if id_ == ids[0] else Outcome(200)
    async with post.at_work():
        await post.until_recorded(3)
        assert sorted(post.receiver.ids) == sorted([ids[0], ids[2], ids[3]])
        ((_, outcome, pause),) = [each for each in post.queue.recorded if each[0] == ids[0]]
        assert outcome == _FAILED
        assert pause is not None
        assert 4 <= pause.total_seconds() <= 6
        post.receiver.answer = lambda _: Outcome(204)
        post.queue.held.clear()
        await post.until_recorded(5)
    assert post.receiver.ids[-2:] == ids[:2]


async def test_a_receiver_that_is_gone_is_not_tried_again() -> None:
    post = Post()
    post.add(ONE)
    post.receiver.answer = lambda _: Outcome(410)
    async with post.at_work():
        await post.until_recorded(1)
    assert post.queue.recorded[0][2] is None


async def test_nothing_is_sent_without_the_secret() -> None:
    post = Post()
    post.secret = None
    post.add(ONE)
    async with post.at_work():
        await post.until_recorded(1)
    assert post.receiver.got == []
    assert "cannot be decrypted" in post.queue.recorded[0][1].error


async def test_a_slow_receiver_does_not_delay_the_others() -> None:
    post = Post()
    (slow,) = post.add(ONE)
    (quick,) = post.add(TWO, webhook_id=OTHER_HOOK)
    release = asyncio.Event()
    send = post.receiver.send

    async def send_slowly(url: str, headers: dict[str, str], body: bytes) -> Outcome:
        if headers["webhook-id"] == slow:
            await release.wait()
        return await send(url, headers, body)

    post.receiver.send = send_slowly  # type: ignore[assignment,method-assign]
    async with post.at_work():
        await post.until_recorded(1)
        assert post.receiver.ids == [quick]
        release.set()
        await post.until_recorded(2)


async def test_an_error_does_not_end_the_courier() -> None:
    post = Post()
    record = post.queue.record

    async def fail(*_: object) -> None:
        post.queue.record = record  # type: ignore[method-assign]
        raise OSError("the database is away")

    post.queue.record = fail  # type: ignore[assignment,method-assign]
    ids = post.add(ONE)
    async with post.at_work():
        await post.until_recorded(1)
    assert post.receiver.ids == ids * 2  # at least once
    assert len(post.faults) == 1
