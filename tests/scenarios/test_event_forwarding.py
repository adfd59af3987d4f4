"""The example that forwards events to NATS: it publishes every event, whenever it or a worker is killed."""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

import asyncpg
import pytest
import pytest_asyncio
from examples.nats.forward import forward
from tests.scenarios.test_event_service import Client
from tests.scenarios.watching import Server, serving
from tests.scenarios.world import PATIENCE

pytestmark = pytest.mark.slow

CHANGES = 150


@pytest_asyncio.fixture(loop_scope="session")
async def server(fresh_database_url: str) -> AsyncIterator[Server]:
    async with serving(fresh_database_url) as server:
        yield server


@pytest.fixture
def client(server: Server) -> Client:
    return Client(server)


@dataclass
class JetStream:
    """Stands in for NATS: keeps the messages and the token, and drops messages whose id it has."""

    messages: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    token: str = ""
    repeated: int = 0
    _ids: set[str] = field(default_factory=set)

    async def publish(self, subject: str, payload: bytes, headers: dict[str, str] | None = None) -> None:
        await asyncio.sleep(0)  # here the process may be killed
        id_ = (headers or {}).get("Nats-Msg-Id", str(len(self._ids)))
        if id_ in self._ids:
            self.repeated += 1
            return
        self._ids.add(id_)
        self.messages.append((subject, json.loads(payload)))

    async def load(self) -> str:
        return self.token

    async def save(self, token: str) -> None:
        if random.random() < 0.1:
            raise ConnectionError("killed after the message and before the token")
        self.token = token


async def keep_forwarding(server: Server, client: Client, there: JetStream) -> None:
    """Starts it again whenever it dies, and kills it now and then."""
    while True:
        running = asyncio.create_task(forward(server.channel, str(client.project_id), there, there, pause=0.01))
        done, _ = await asyncio.wait([running], timeout=random.uniform(0.1, 0.5))
        running.cancel()
        outcome, *_ = await asyncio.gather(running, return_exceptions=True)
        assert not done or isinstance(outcome, ConnectionError), outcome


async def until_published(there: JetStream, count: int) -> None:
    async with asyncio.timeout(PATIENCE):
        while len(there.messages) < count:  # noqa: ASYNC110 - another task changes it
            await asyncio.sleep(0.01)


async def test_every_event_is_published_once_and_in_order(server: Server, client: Client) -> None:
    first = client.watch()
    there = JetStream(token=(await anext(aiter(first))).resume_token)
    first.cancel()
    forwarding = asyncio.create_task(keep_forwarding(server, client, there))
    id_ = await client.create("m0")
    for number in range(1, CHANGES):
        await client.update(id_, name=f"m{number}")
    await until_published(there, CHANGES)
    forwarding.cancel()
    await asyncio.gather(forwarding, return_exceptions=True)
    assert [message["name"] for _, message in there.messages] == [f"m{number}" for number in range(CHANGES)]
    assert there.repeated > 0
    subject, message = there.messages[1]
    assert subject == f"registry.{client.project_id}.model.updated"
    assert (message["resource_id"], message["changed_fields"]) == (id_, ["name"])


async def test_a_restored_database_is_told(server: Server, client: Client, fresh_database_url: str) -> None:
    first = client.watch()
    there = JetStream(token=(await anext(aiter(first))).resume_token)
    first.cancel()
    other = await asyncpg.connect(fresh_database_url)
    await other.execute("UPDATE registry_installation SET id = id")  # a restore writes this row again
    await other.close()
    forwarding = asyncio.create_task(keep_forwarding(server, client, there))
    await until_published(there, 1)
    changed = f"registry.{client.project_id}.log.changed"
    # It may be killed before it knows that this was published, and publishes it again.
    assert {subject for subject, _ in there.messages} == {changed}
    assert there.messages[0][1] == {"type": "log.changed", "project_id": str(client.project_id)}
    while there.messages[-1][0] == changed:  # it watches again from some moment on
        await client.create("m" + str(random.random()))
    assert there.messages[-1][0].endswith("model.created")
    forwarding.cancel()
    await asyncio.gather(forwarding, return_exceptions=True)
