"""WatchDeployment over gRPC can be resumed, is ordered and cheap, and ends with a clear error."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator

import grpc
import pytest
import pytest_asyncio
from google.rpc.error_details_pb2 import ErrorInfo
from tests.scenarios.watching import POOL, Server, ended, read_until, serving
from tests.scenarios.world import PATIENCE, World

from registry_grpc.domain.deployment import Phase

pytestmark = pytest.mark.slow

_SESSIONS = """
SELECT count(*) AS n FROM pg_stat_activity
WHERE datname = current_database() AND application_name = 'a worker under test'
"""


@pytest_asyncio.fixture(loop_scope="session")
async def server(own_database_url: str) -> AsyncIterator[Server]:
    async with serving(own_database_url) as server:
        yield server


async def test_every_change_once_and_in_order_and_across_a_restart(faulty: World, server: Server) -> None:
    async with faulty.controller():
        id_ = (await faulty.deploy()).service.id
        stream = server.watch(faulty, id_)
        seen = await read_until(stream, Phase.DEPLOYED)
    await faulty.dying_requests.services.undeploy(faulty.project_id, id_)
    async with faulty.controller():  # another one
        await faulty.make_due(id_)
        seen += await read_until(stream, Phase.UNDEPLOYED)
    sequences = [event.sequence for event in seen]
    assert sequences == sorted(set(sequences))
    assert sequences == [event.sequence for event in await faulty.events(id_)]
    stream.cancel()
    # A watch can begin after any event, and at the newest one.
    for after in (sequences[1], seen[1].resume_token):
        resumed = server.watch(faulty, id_, after)
        assert [event.sequence for event in await read_until(resumed, Phase.UNDEPLOYED)] == sequences[2:]
    newest = server.watch(faulty, id_, after=None)
    assert [event.sequence for event in await read_until(newest, Phase.UNDEPLOYED)] == sequences[-1:]


async def test_a_change_reaches_the_watcher_at_once(faulty: World, server: Server) -> None:
    """The best of three, because the machine may be busy. Without a notification it would take 12 s or more."""
    id_ = await faulty.intent()
    stream = server.watch(faulty, id_)
    await read_until(stream, Phase.PENDING)
    took = []
    for _ in range(3):
        began = time.monotonic()
        await faulty.dying_requests.deployments.update(faulty.project_id, id_, model_version_id=None, options=None)
        await read_until(stream, Phase.PENDING)
        took.append(time.monotonic() - began)
    assert min(took) < 5


async def test_all_watchers_share_one_session(faulty: World, server: Server) -> None:
    id_ = await faulty.intent()
    streams = [server.watch(faulty, id_) for _ in range(25)]
    for stream in streams:
        await read_until(stream, Phase.PENDING)
    assert await sessions(faulty) <= POOL + 1
    async with faulty.controller():
        for stream in streams:
            await read_until(stream, Phase.DEPLOYED)
    for stream in streams:
        stream.cancel()
    deadline = time.monotonic() + PATIENCE
    while await sessions(faulty) > POOL:  # without watches, there is no session that listens
        assert time.monotonic() < deadline
        await asyncio.sleep(0.05)
    again = server.watch(faulty, id_)
    await read_until(again, Phase.DEPLOYED)


async def test_the_session_is_lost_and_found(faulty: World, server: Server) -> None:
    async with faulty.controller():
        id_ = (await faulty.deploy()).service.id
        stream = server.watch(faulty, id_)
        await read_until(stream, Phase.DEPLOYED)
        await faulty.database.fetch(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
            "WHERE application_name = 'a worker under test' AND (query LIKE 'LISTEN%' OR query ~ '^\\s*SELECT to_hex')"
        )
        await faulty.undeploy(id_)
        await read_until(stream, Phase.UNDEPLOYED)


async def test_a_server_that_stops_sends_its_watchers_elsewhere(
    faulty: World, server: Server, own_database_url: str
) -> None:
    async with serving(own_database_url) as stopping, faulty.controller():
        id_ = (await faulty.deploy()).service.id
        stream = stopping.watch(faulty, id_)
        seen = await read_until(stream, Phase.DEPLOYED)
        began = time.monotonic()
        await stopping.worker.stop()
        assert time.monotonic() - began < 20, "an open watch does not use the grace up"
        status = await ended(stream)
        assert status.code == grpc.StatusCode.UNAVAILABLE.value[0]
        info = ErrorInfo()
        assert status.details[0].Unpack(info)
        text = "the server is shutting down; continue with another server"
        assert (info.reason, status.message) == ("SHUTTING_DOWN", text)
        resumed = server.watch(faulty, id_, after=seen[-1].resume_token)
        await faulty.undeploy(id_)
        events = await read_until(resumed, Phase.UNDEPLOYED)
        assert events[0].sequence > seen[-1].sequence


async def sessions(world: World) -> int:
    (row,) = await world.database.fetch(_SESSIONS)
    return int(row["n"])
