"""Calls WatchDeployment as a client does, on a worker that only this test uses."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any
from uuid import UUID

import grpc
from grpc_status import rpc_status
from tests.postgres import PATIENT
from tests.scenarios.world import PATIENCE, World

from modelregistry.v1 import deployment_pb2 as pb
from modelregistry.v1 import deployment_pb2_grpc
from registry_grpc.adapters.postgres.database import Database
from registry_grpc.bootstrap import build
from registry_grpc.domain.deployment import Phase
from registry_grpc.server import Worker
from registry_grpc.settings import Settings

POOL = 2


class Server:
    """A worker on a database of two connections."""

    def __init__(self, worker: Worker, port: int) -> None:
        self.worker = worker
        self.channel = grpc.aio.insecure_channel(f"127.0.0.1:{port}")

    def watch(self, world: World, id: UUID, after: int | str | None = 0) -> Any:
        """Watch after the event with this token or sequence number."""
        place = {"resume_token": after} if isinstance(after, str) else {"after_sequence": after}
        request = pb.WatchDeploymentRequest(id=str(id), **place)
        stub: Any = deployment_pb2_grpc.DeploymentServiceStub(self.channel)  # type: ignore[no-untyped-call]
        return stub.WatchDeployment(request, metadata=[("project-id", str(world.project_id))], timeout=120)


@asynccontextmanager
async def serving(url: str, **given: Any) -> AsyncIterator[Server]:
    """A worker with these settings."""
    database = Database(url, replace(PATIENT, size=POOL, application_name="a worker under test"))
    settings = Settings.model_validate({"shutdown_grace": 30, "drain_delay": 0, "cluster": "none"} | given)
    app = await build(settings, database)
    worker = Worker(settings, app)
    port = worker.listen("127.0.0.1:0")
    await worker.start()
    beside = [asyncio.ensure_future(work()) for work in app.beside]
    server = Server(worker, port)
    try:
        yield server
    finally:
        await server.channel.close()
        await worker.stop()
        for task in beside:
            task.cancel()
        await asyncio.gather(*beside, return_exceptions=True)
        await app.close()


async def read_until(stream: Any, phase: Phase) -> list[Any]:
    events = []
    async with asyncio.timeout(PATIENCE):
        async for response in stream:
            events.append(response.event)
            if pb.DeploymentPhase.Name(response.event.phase).endswith(f"_{phase}"):
                return events
    raise AssertionError(f"the stream ended after {events}")


async def ended(stream: Any) -> Any:
    try:
        async with asyncio.timeout(PATIENCE):
            async for _ in stream:
                pass
    except grpc.aio.AioRpcError as error:
        return rpc_status.from_call(error)  # type: ignore[arg-type]
    raise AssertionError("the stream ended well")
