"""`serve` has one port with the metrics of all its workers, also of those that were killed."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import uuid
from pathlib import Path
from typing import Any

import aiohttp
import grpc
import pytest
from tests.e2e import processes
from tests.integration.commands import free_ports, running, until_serving

from modelregistry.v1 import event_pb2, event_pb2_grpc, registered_model_pb2, registered_model_pb2_grpc
from registry_grpc.devtools.free_port import free_port

pytestmark = pytest.mark.slow


async def scraped(port: int) -> str:
    async with aiohttp.ClientSession() as http, http.get(f"http://127.0.0.1:{port}/metrics") as answer:
        assert answer.status == 200
        return await answer.text()


def value(text: str, series: str, unknown: float | None = None) -> float:
    found = re.search(rf"^{re.escape(series)} (\S+)$", text, re.MULTILINE)
    if found is None and unknown is not None:
        return unknown
    assert found is not None, series
    return float(found[1])


async def listed(address: str, times: int) -> None:
    metadata = [("project-id", str(uuid.uuid4()))]
    async with grpc.aio.insecure_channel(address) as channel:
        stub = registered_model_pb2_grpc.RegisteredModelServiceStub(channel)  # type: ignore[no-untyped-call]
        for _ in range(times):
            await stub.ListRegisteredModels(registered_model_pb2.ListRegisteredModelsRequest(), metadata=metadata)


async def test_workers_are_added_up_and_go_on_counting_when_they_are_killed(database_url: str, tmp_path: Path) -> None:
    first, metrics = free_ports(2), free_port()
    settings = {
        "database_url": database_url,
        "workers": "2",
        "worker_port": str(first),
        "metrics_port": str(metrics),
        "database_connections": "3",
    }
    calls = 'registry_rpcs_total{code="OK",front_end="grpc",method="RegisteredModelService/ListRegisteredModels"}'
    async with running(tmp_path / "log", "serve", **settings) as serve:
        addresses = [f"127.0.0.1:{first + number}" for number in range(2)]
        for address in addresses:
            await until_serving(address, serve)
            await listed(address, 2)
        async with asyncio.timeout(60):
            while value(text := await scraped(metrics), calls, 0) < 4:  # noqa: ASYNC110
                await asyncio.sleep(0.05)
        assert value(text, calls) == 4
        assert value(text, "registry_database_connections_limit") == 6
        for name in ("supervisor", "worker-0", "worker-1"):
            assert value(text, f'process_resident_memory_bytes{{process="{name}"}}') > 0
        assert value(text, 'registry_process_restarts_total{process="worker-0"}') == 0, "increase() needs a beginning"

        channel = grpc.aio.insecure_channel(addresses[0])
        watch: Any = event_pb2_grpc.EventServiceStub(channel)  # type: ignore[no-untyped-call]
        stream = watch.WatchEvents(event_pb2.WatchEventsRequest(), metadata=[("project-id", str(uuid.uuid4()))])
        streams = 'registry_streams{method="EventService/WatchEvents"}'
        async with asyncio.timeout(60):
            while value(await scraped(metrics), streams, 0) != 1:  # noqa: ASYNC110
                await asyncio.sleep(0.05)

        (worker,) = [it.pid for it in processes.tree(serve.process.pid) if f"--listen {addresses[0]}" in it.command]
        os.kill(worker, signal.SIGKILL)
        async with asyncio.timeout(60):
            while not value(await scraped(metrics), 'registry_process_restarts_total{process="worker-0"}'):  # noqa: ASYNC110
                await asyncio.sleep(0.05)
        await until_serving(addresses[0], serve)
        await listed(addresses[0], 1)
        async with asyncio.timeout(60):
            while value(text := await scraped(metrics), calls) < 5:  # noqa: ASYNC110
                await asyncio.sleep(0.05)
        assert value(text, calls) == 5
        assert value(text, streams, 0) == 0, "they ended with the worker"
        stream.cancel()
        await channel.close()
        async with asyncio.timeout(60):
            while value(await scraped(metrics), "registry_database_connections_limit") != 6:  # noqa: ASYNC110
                await asyncio.sleep(0.05)
