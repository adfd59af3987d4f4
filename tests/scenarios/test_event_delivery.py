"""Every change reaches every watch and webhook, in the order of its resource and with the name of its caller, while
workers, controllers and the receiver are killed all the time.

`REGISTRY_TEST_CHANGES=10000 pytest -m slow tests/scenarios/test_event_delivery.py` makes as many changes.
"""

from __future__ import annotations

import asyncio
import os
import random
from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import uuid4

import grpc
import pytest
from aiohttp import web
from tests.receiver import is_signed, receiving
from tests.scenarios.event_processes import Killable, run_controller, run_worker

from modelregistry.v1 import event_pb2 as pb
from modelregistry.v1 import event_pb2_grpc, registered_model_pb2_grpc, webhook_pb2_grpc
from modelregistry.v1 import registered_model_pb2 as models_pb
from modelregistry.v1 import webhook_pb2 as webhooks_pb

pytestmark = pytest.mark.slow

MANY = int(os.environ.get("REGISTRY_TEST_CHANGES", "1600"))
_CALL_SECONDS = 20.0
_OPTIONS = (("grpc.initial_reconnect_backoff_ms", 50), ("grpc.max_reconnect_backoff_ms", 200))
_AGAIN = {grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED, grpc.StatusCode.UNKNOWN}


@dataclass
class Installation:
    """Two workers and two controllers, and clients of one project that try again until a worker answers."""

    workers: list[Killable]
    controllers: list[Killable]
    channels: list[grpc.aio.Channel]
    project_id: str = field(default_factory=lambda: str(uuid4()))

    @property
    def metadata(self) -> list[tuple[str, str]]:
        return [("project-id", self.project_id)]

    def stub(self, kind: Any) -> Any:
        """A stub on one of the workers."""
        return kind(random.choice(self.channels))

    async def call(self, kind: Any, method: str, request: Any, user: str = "") -> Any:
        metadata = [*self.metadata, ("x-user", user)]
        while True:
            try:
                return await getattr(self.stub(kind), method)(request, metadata=metadata, timeout=_CALL_SECONDS)
            except grpc.aio.AioRpcError as error:
                if error.code() not in _AGAIN:
                    raise
            await asyncio.sleep(0.05)

    async def create_model(self, name: str, user: str) -> str:
        request = models_pb.CreateRegisteredModelRequest(
            registered_model=models_pb.NewRegisteredModel(name=name), request_id=name
        )
        kind = registered_model_pb2_grpc.RegisteredModelServiceStub
        return str((await self.call(kind, "CreateRegisteredModel", request, user)).registered_model.id)

    async def rename_model(self, id: str, name: str, user: str) -> None:
        """With an id now and then, because the caller's name takes another way then."""
        request = models_pb.UpdateRegisteredModelRequest(
            id=id,
            registered_model=models_pb.RegisteredModelPatch(name=name),
            request_id=name if random.random() < 0.2 else "",
        )
        await self.call(registered_model_pb2_grpc.RegisteredModelServiceStub, "UpdateRegisteredModel", request, user)

    async def create_webhook(self, url: str) -> Any:
        request = webhooks_pb.CreateWebhookRequest(webhook=webhooks_pb.NewWebhook(url=url, types=["model"]))
        return (await self.call(webhook_pb2_grpc.WebhookServiceStub, "CreateWebhook", request)).webhook

    async def events(self) -> list[Any]:
        """The whole log, oldest first."""
        found: list[Any] = []
        request = pb.ListEventsRequest(oldest_first=True, page_size=100)
        while True:
            page = await self.call(event_pb2_grpc.EventServiceStub, "ListEvents", request)
            found += page.events
            if not page.next_page_token:
                return found
            request.page_token = page.next_page_token


@asynccontextmanager
async def installation(database_url: str, folder: Path) -> AsyncIterator[Installation]:
    addresses = [f"unix:{folder}/w{number}.sock" for number in range(2)]
    async with AsyncExitStack() as stack:
        channels = [grpc.aio.insecure_channel(address, options=_OPTIONS) for address in addresses]
        workers = [Killable(run_worker, database_url, address) for address in addresses]
        controllers = [Killable(run_controller, database_url) for _ in range(2)]
        for process in (*workers, *controllers):
            stack.callback(process.kill)
        for channel in channels:
            stack.push_async_callback(channel.close)
        yield Installation(workers, controllers, channels)


class Watch:
    """A client that continues with the last token it saw, whenever its stream ends. Sometimes it ends it itself."""

    def __init__(self, there: Installation, token: str) -> None:
        self._there = there
        self._token = token
        self.seen: list[Any] = []
        self.resumed = 0

    async def run(self) -> None:
        while True:
            request = pb.WatchEventsRequest(resume_token=self._token, types=["model"])
            stream = self._there.stub(event_pb2_grpc.EventServiceStub).WatchEvents(
                request, metadata=self._there.metadata
            )
            try:
                async for response in stream:
                    if response.HasField("event"):
                        self.seen.append(response.event)
                    self._token = response.resume_token
                    if random.random() < 0.005:
                        break
            except grpc.aio.AioRpcError as error:
                if error.code() not in _AGAIN:
                    raise
            stream.cancel()
            self.resumed += 1
            await asyncio.sleep(0.02)


@dataclass
class FlakyReceiver:
    """A receiver that goes away and comes back, refuses a part, and accepts some without an answer."""

    port: int = 0
    accepted: list[dict[str, Any]] = field(default_factory=list)
    got: list[tuple[dict[str, str], bytes]] = field(default_factory=list)
    _stack: AsyncExitStack = field(default_factory=AsyncExitStack)

    async def start(self) -> str:
        receiver = await self._stack.enter_async_context(receiving(self.port))
        receiver.accepted, receiver.got, receiver.answer = self.accepted, self.got, self._answer
        self.port = int(receiver.url.rpartition(":")[2].partition("/")[0])
        return receiver.url

    async def stop(self) -> None:
        await self._stack.aclose()

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        chance = random.random()
        if chance < 0.02:
            return web.Response(status=503)
        if chance < 0.03 and request.transport:
            request.transport.close()  # accepted, but the sender does not learn it
        return web.Response(status=204)


async def keep_killing(processes: Sequence[Killable], receiver: FlakyReceiver, pause: float) -> None:
    while True:
        await asyncio.sleep(random.uniform(pause / 2, pause))
        if random.random() < 0.2:
            await receiver.stop()
            await asyncio.sleep(random.uniform(0, pause / 2))
            await receiver.start()
            continue
        process = random.choice(processes)
        process.kill()
        process.start()


def numbers_by_model(found: Iterable[tuple[str, str]]) -> dict[str, list[int]]:
    """The numbers in the names of each model, in the order in which they were found."""
    numbers = defaultdict(list)
    for model_id, name in found:
        numbers[model_id].append(int(name.rpartition("/")[2]))
    return numbers


async def until(is_so: Callable[[], bool], seconds: float) -> None:
    async with asyncio.timeout(seconds):
        while not is_so():  # noqa: ASYNC110 - several tasks change it
            await asyncio.sleep(0.05)


@pytest.mark.parametrize(
    ("writers", "changes", "pause", "patience"),
    [
        pytest.param(4, 40, 1.0, 100.0, id="some", marks=pytest.mark.timeout(240)),
        pytest.param(16, MANY // 16, 1.5, 900.0, id="many", marks=pytest.mark.timeout(2400)),
    ],
)
async def test_every_change_arrives_in_order_whoever_is_killed(  # noqa: PLR0917
    fresh_database_url: str, tmp_path: Path, writers: int, changes: int, pause: float, patience: float
) -> None:
    receiver = FlakyReceiver()
    url = await receiver.start()
    async with installation(fresh_database_url, tmp_path) as there:
        webhook = await there.create_webhook(url)
        start = there.stub(event_pb2_grpc.EventServiceStub).WatchEvents(
            pb.WatchEventsRequest(), metadata=there.metadata, wait_for_ready=True
        )
        token = (await anext(aiter(start))).resume_token
        start.cancel()
        watches = [Watch(there, token) for _ in range(3)]

        async def write(writer: int) -> None:
            id_ = await there.create_model(f"{writer}/0", f"writer {writer}")
            for number in range(1, changes):
                await there.rename_model(id_, f"{writer}/{number}", f"writer {writer}")

        watching = [asyncio.create_task(watch.run()) for watch in watches]
        killing = asyncio.create_task(keep_killing([*there.workers, *there.controllers], receiver, pause))
        async with asyncio.TaskGroup() as group:
            for writer in range(writers):
                group.create_task(write(writer))
        killing.cancel()
        await asyncio.gather(killing, return_exceptions=True)
        await receiver.stop()
        await receiver.start()
        for process in (*there.workers, *there.controllers):
            process.kill()
            process.start()

        events = await there.events()
        ids = [event.id for event in events]
        assert len(ids) == writers * changes
        logged = numbers_by_model((event.resource_id, event.name) for event in events)
        assert all(found == list(range(changes)) for found in logged.values())
        assert [event for event in events if event.actor != f"writer {event.name.partition('/')[0]}"] == []

        await until(lambda: all(len(watch.seen) >= len(ids) for watch in watches), patience)
        for watch in watches:
            assert [event.id for event in watch.seen] == ids  # nothing twice, although it was resumed
            assert watch.resumed > 0
        await until(lambda: {event["id"] for event in receiver.accepted} >= set(ids), patience)
        for task in watching:
            task.cancel()
        await asyncio.gather(*watching, return_exceptions=True)
    first = {event["id"]: event for event in reversed(receiver.accepted)}
    arrived = sorted(first, key=[event["id"] for event in receiver.accepted].index)
    assert set(arrived) == set(ids)
    delivered = numbers_by_model((first[id_]["data"]["resource_id"], first[id_]["data"]["name"]) for id_ in arrived)
    assert delivered == logged
    assert all(is_signed(headers, body, webhook.secret) for headers, body in receiver.got)
    await receiver.stop()
