"""Clients that begin a request and do not finish it. Each test has its own gateway."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import grpc
import httpx
import pytest
from grpc_health.v1 import health_pb2
from tests.integration.gateway.backend import NATIVE_SERVICE, TRANSFER_SERVICE, backend_server
from tests.integration.gateway.test_answers import API
from tests.integration.gateway.test_native import chat, hold
from tests.integration.gateway.test_uploads import memory_limit, peak_memory

from registry_grpc.devtools.envoy import Envoy, EnvoyConfig

pytestmark = pytest.mark.slow

TIMEOUT = 1.0
ADMITTED = 128


@pytest.fixture
async def gateway(tmp_path: Path) -> AsyncIterator[Envoy]:
    server, health_service = backend_server()
    port = server.add_insecure_port("127.0.0.1:0")
    await health_service.set("", health_pb2.HealthCheckResponse.SERVING)
    await server.start()
    config = EnvoyConfig(folder=tmp_path, endpoints=[f"127.0.0.1:{port}"], request_timeout_seconds=TIMEOUT)
    async with Envoy(config) as envoy:
        yield envoy
    await server.stop(grace=None)


@pytest.fixture
async def rest(gateway: Envoy) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(base_url=gateway.url, trust_env=False, timeout=10) as client:
        yield client


@asynccontextmanager
async def connections(gateway: Envoy, number: int) -> AsyncIterator[list[grpc.aio.Channel]]:
    options = (("grpc.use_local_subchannel_pool", 1),)
    async with AsyncExitStack() as stack:
        channels = [grpc.aio.insecure_channel(f"127.0.0.1:{gateway.port}", options) for _ in range(number)]
        yield [await stack.enter_async_context(channel) for channel in channels]


async def test_half_open_calls_do_not_keep_others_out(gateway: Envoy, rest: httpx.AsyncClient) -> None:
    async with connections(gateway, 5) as channels:
        calls = [chat(channels[number % 5], f"/{NATIVE_SERVICE}/Hold")() for number in range(ADMITTED + 1)]
        await asyncio.gather(*(call.write(b"x") for call in calls))
        assert (await rest.get(f"{API}/models")).status_code == 200
        assert not any(call.done() for call in calls)

        assert {await call.code() for call in calls} == {grpc.StatusCode.DEADLINE_EXCEEDED}
        assert await calls[0].details() == "the request was not complete in time"


async def test_a_body_that_comes_drop_by_drop_is_a_408(gateway: Envoy) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", gateway.port)
    writer.write(f"POST {API}/models HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n".encode())
    answer = asyncio.create_task(reader.readuntil(b"}"))
    for _ in range(30):
        writer.write(b" ")
        await asyncio.wait([answer], timeout=TIMEOUT / 10)
        if answer.done():
            break
    head, _, body = (await answer).partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 408 ")
    assert body == b'{"error":"the request was not complete in time"}'
    writer.close()


async def test_an_answer_may_take_longer(gateway: Envoy, rest: httpx.AsyncClient) -> None:
    slow = {"x-test-seconds": str(2 * TIMEOUT)}
    assert (await rest.post(f"{API}/models", json={}, headers=slow)).status_code == 200
    async with grpc.aio.insecure_channel(f"127.0.0.1:{gateway.port}") as channel:
        watch = hold(channel)(b"x")
        assert await watch.read()
        await asyncio.sleep(2 * TIMEOUT)
        assert not watch.done()


async def test_an_import_may_take_longer_and_be_larger_than_other_calls(gateway: Envoy) -> None:
    part = b"x" * 1024 * 1024
    async with grpc.aio.insecure_channel(f"127.0.0.1:{gateway.port}") as channel:
        call: Any = channel.stream_unary(f"/{TRANSFER_SERVICE}/ImportProject")()
        await call.write(part)
        await asyncio.sleep(2 * TIMEOUT)
        for _ in range(15):
            await call.write(part)
        await call.done_writing()
        assert await call == str(16 * len(part)).encode()


async def test_answers_that_are_not_read_do_not_stay(gateway: Envoy, rest: httpx.AsyncClient) -> None:
    """A hundred answers of 15 MiB would exceed Envoy's memory, and it would refuse everything, including probes."""
    head = f"GET {API}/models HTTP/1.1\r\nHost: x\r\nX-Test-Size: {15 * 1024 * 1024}\r\n\r\n".encode()
    writers = []
    for _ in range(100):
        _, writer = await asyncio.open_connection("127.0.0.1", gateway.port, limit=1)
        writer.write(head)
        writers.append(writer)
        await asyncio.sleep(0.1)  # as long as a worker needs
        assert (await rest.get("/healthz")).status_code == 200
    assert peak_memory(gateway) < memory_limit()
    for writer in writers:
        writer.close()
