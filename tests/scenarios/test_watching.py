"""WatchDeployment over gRPC can be resumed, is ordered and cheap, and ends with a clear error."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any
from uuid import UUID

import grpc
import pytest_asyncio
from google.rpc.error_details_pb2 import ErrorInfo
from grpc_status import rpc_status
from tests.postgres import PATIENT
from tests.scenarios.world import PATIENCE, World

from registry_grpc.adapters.postgres.database import Database
from registry_grpc.bootstrap import build
from registry_grpc.domain.deployment import Phase
from registry_grpc.gen.modelregistry.v1 import deployment_pb2 as pb
from registry_grpc.gen.modelregistry.v1 import deployment_pb2_grpc
from registry_grpc.server import Worker
from registry_grpc.settings import Settings

_SESSIONS = """
SELECT count(*) AS n FROM pg_stat_activity
WHERE datname = current_database() AND application_name = 'a worker under test'
"""
_POOL = 2


class Server:
    """A worker on a database of two connections."""

    def __init__(self, worker: Worker, port: int) -> None:
        self.worker = worker
        self.channel = grpc.aio.insecure_channel(f"127.0.0.1:{port}")

    def watch(self, world: World, id: UUID, after: int | None = 0) -> Any:
        request = pb.WatchDeploymentRequest(id=str(id), after_sequence=after)
        stub: Any = deployment_pb2_grpc.DeploymentServiceStub(self.channel)  # type: ignore[no-untyped-call]
        return stub.WatchDeployment(request, metadata=[("project-id", str(world.project_id))], timeout=120)


@asynccontextmanager
async def serving(url: str) -> AsyncIterator[Server]:
    database = Database(url, replace(PATIENT, size=_POOL, application_name="a worker under test"))
    settings = Settings.model_validate({"shutdown_grace": 30, "drain_delay": 0, "cluster": "none"})
    app = await build(settings, database)
    worker = Worker(settings, app)
    port = worker.listen("127.0.0.1:0")
    await worker.start()
    server = Server(worker, port)
    try:
        yield server
    finally:
        await server.channel.close()
        await worker.stop()
        await app.close()


@pytest_asyncio.fixture(loop_scope="session")
async def server(own_database_url: str) -> AsyncIterator[Server]:
    async with serving(own_database_url) as server:
        yield server


async def read_until(stream: Any, phase: Phase) -> list[Any]:
    events = []
    async with asyncio.timeout(PATIENCE):
        async for response in stream:
            events.append(response.event)
            if pb.DeploymentPhase.Name(response.event.phase).endswith(f"_{phase}"):
                return events
    raise AssertionError(f"the stream ended after {events}")


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
    # A watch can begin at any event, and at the newest one.
    resumed = server.watch(faulty, id_, after=sequences[1])
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
    assert min(took) < 1


async def test_all_watchers_share_one_session(faulty: World, server: Server) -> None:
    id_ = await faulty.intent()
    streams = [server.watch(faulty, id_) for _ in range(25)]
    for stream in streams:
        await read_until(stream, Phase.PENDING)
    assert await sessions(faulty) <= _POOL + 1
    async with faulty.controller():
        for stream in streams:
            await read_until(stream, Phase.DEPLOYED)
    for stream in streams:
        stream.cancel()
    deadline = time.monotonic() + PATIENCE
    while await sessions(faulty) > _POOL:  # without watches, there is no session that listens
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
            "WHERE application_name = 'a worker under test' AND (query LIKE 'LISTEN%' OR query = 'SELECT 1')"
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
        resumed = server.watch(faulty, id_, after=seen[-1].sequence)
        await faulty.undeploy(id_)
        events = await read_until(resumed, Phase.UNDEPLOYED)
        assert events[0].sequence > seen[-1].sequence


async def ended(stream: Any) -> Any:
    try:
        async with asyncio.timeout(PATIENCE):
            async for _ in stream:
                pass
    except grpc.aio.AioRpcError as error:
        return rpc_status.from_call(error)  # type: ignore[arg-type]
    raise AssertionError("the stream ended well")


async def sessions(world: World) -> int:
    (row,) = await world.database.fetch(_SESSIONS)
    return int(row["n"])
