"""Workers that die, drain or are busy. Each test has its own gateway."""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import grpc
import httpx
import pytest
from grpc_health.v1 import health_pb2
from tests.integration.gateway.backend import NATIVE_SERVICE, backend_server
from tests.integration.gateway.test_answers import API, assert_error
from tests.integration.gateway.test_native import hold, unary

from registry_grpc.devtools.envoy import Envoy, EnvoyConfig

pytestmark = pytest.mark.slow

Worker = asyncio.subprocess.Process


@asynccontextmanager
async def worker(socket: Path) -> AsyncIterator[Worker]:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.integration.gateway.backend", f"unix:{socket}"), stdout=asyncio.subprocess.PIPE
    )
    assert process.stdout is not None
    try:
        assert await asyncio.wait_for(process.stdout.readline(), 30) == b"ready\n"
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


def lines_of(log: Path) -> list[str]:
    return log.read_text().splitlines() if log.exists() else []


async def all_started(log: Path, count: int) -> None:
    for _ in range(250):
        if len(lines_of(log)) == count:
            return
        await asyncio.sleep(0.02)
    pytest.fail(f"{len(lines_of(log))} of {count} requests reached a worker")


@pytest.fixture
async def workers(tmp_path: Path) -> AsyncIterator[list[Worker]]:
    async with AsyncExitStack() as stack:
        starting = [stack.enter_async_context(worker(tmp_path / f"{number}.sock")) for number in range(2)]
        yield [await start for start in starting]


@asynccontextmanager
async def gateway_to(folder: Path, endpoints: list[str]) -> AsyncIterator[httpx.AsyncClient]:
    async with (
        Envoy(EnvoyConfig(folder=folder, endpoints=endpoints)) as envoy,
        httpx.AsyncClient(base_url=envoy.url, trust_env=False, timeout=10) as client,
    ):
        yield client


async def test_killed_workers(workers: list[Worker], tmp_path: Path) -> None:
    endpoints = [str(tmp_path / f"{number}.sock") for number in range(2)]
    log = tmp_path / "log"
    slow = {"x-test-seconds": "1", "x-test-log": str(log)}
    async with gateway_to(tmp_path / "gateway", endpoints) as rest:
        reads = [asyncio.create_task(rest.get(f"{API}/models/a", headers=slow)) for _ in range(12)]
        writes = [asyncio.create_task(rest.post(f"{API}/models", json={}, headers=slow)) for _ in range(12)]
        await all_started(log, 24)
        workers[0].kill()
        # Reads are repeated on the other worker. Writes fail, so that none runs twice.
        assert [answer.status_code for answer in await asyncio.gather(*reads)] == [200] * 12
        lost = [answer for answer in await asyncio.gather(*writes) if answer.status_code != 200]
        lines = lines_of(log)
        assert len(lost) == lines.count(f"{workers[0].pid} CreateRegisteredModel") > 0
        assert lines.count(f"{workers[1].pid} CreateRegisteredModel") == 12 - len(lost)
        assert lines.count(f"{workers[1].pid} GetRegisteredModel") == 12
        for answer in lost:
            assert_error(answer, 503, "service unavailable")
        # From now on, requests are not affected.
        for _ in range(20):
            assert (await rest.post(f"{API}/models", json={})).status_code == 200
        workers[1].kill()
        await workers[1].wait()
        started = time.monotonic()
        answer = await rest.get(f"{API}/models", headers={"x-request-id": "mine"})
        assert time.monotonic() - started < 5
        assert_error(answer, 503, "service unavailable")
        assert answer.headers["x-request-id"] == "mine"
        async with grpc.aio.insecure_channel(rest.base_url.netloc.decode()) as channel:
            with pytest.raises(grpc.aio.AioRpcError) as failure:
                await unary(channel)(b"")
        assert failure.value.code() == grpc.StatusCode.UNAVAILABLE
        assert not str(failure.value.details()).startswith("{")


async def test_killed_workers_of_native_calls(workers: list[Worker], tmp_path: Path) -> None:
    endpoints = [str(tmp_path / f"{number}.sock") for number in range(2)]
    log = tmp_path / "log"
    slow = (("x-test-seconds", "1"), ("x-test-log", str(log)))
    async with gateway_to(tmp_path / "gateway", endpoints) as rest, AsyncExitStack() as stack:
        target = rest.base_url.netloc.decode()
        channel = await stack.enter_async_context(grpc.aio.insecure_channel(target))
        reads = [unary(channel, f"/{NATIVE_SERVICE}/GetEcho")(b"", metadata=slow) for _ in range(12)]
        writes = [unary(channel, f"/{NATIVE_SERVICE}/UpdateEcho")(b"", metadata=slow) for _ in range(12)]
        await all_started(log, 24)
        workers[0].kill()
        assert [await read.code() for read in reads] == [grpc.StatusCode.OK] * 12
        lost = [code for write in writes if (code := await write.code()) is not grpc.StatusCode.OK]
        lines = lines_of(log)
        assert len(lost) == lines.count(f"{workers[0].pid} UpdateEcho") > 0
        assert set(lost) == {grpc.StatusCode.UNAVAILABLE}
        assert lines.count(f"{workers[1].pid} UpdateEcho") == 12 - len(lost)


async def test_a_draining_worker_gets_no_new_requests_and_answers_running_ones(tmp_path: Path) -> None:
    servers = [backend_server() for _ in range(2)]
    for number, (server, health_service) in enumerate(servers):
        server.add_insecure_port(f"unix:{tmp_path}/{number}.sock")
        await health_service.set("", health_pb2.HealthCheckResponse.SERVING)
        await server.start()
    async with gateway_to(tmp_path / "gateway", [f"{tmp_path}/{number}.sock" for number in range(2)]) as rest:
        running = [asyncio.create_task(rest.post(f"{API}/models", headers={"x-test-seconds": "1.8"})) for _ in range(4)]
        await asyncio.sleep(0.1)
        await servers[0][1].set("", health_pb2.HealthCheckResponse.NOT_SERVING)
        await asyncio.sleep(1.2)  # one health check
        async with asyncio.timeout(5):
            stopping = asyncio.create_task(servers[0][0].stop(grace=5))
            for _ in range(20):
                assert (await rest.post(f"{API}/models")).status_code == 200
            assert [answer.status_code for answer in await asyncio.gather(*running)] == [200] * 4
            await stopping
    await servers[1][0].stop(grace=None)


async def test_a_worker_that_stops_at_once_loses_no_request(tmp_path: Path) -> None:
    """gRPC answers CANCELLED to requests that it has received but not begun when it stops."""
    log = tmp_path / "log"
    servers = [backend_server() for _ in range(2)]
    for number, (server, health_service) in enumerate(servers):
        server.add_insecure_port(f"unix:{tmp_path}/{number}.sock")
        await health_service.set("", health_pb2.HealthCheckResponse.SERVING)
        await server.start()
    endpoints = [f"{tmp_path}/{number}.sock" for number in range(2)]
    async with gateway_to(tmp_path / "gateway", endpoints) as rest, AsyncExitStack() as stack:
        channel = await stack.enter_async_context(grpc.aio.insecure_channel(rest.base_url.netloc.decode()))
        ends: list[object] = []
        stop = asyncio.Event()

        async def write() -> None:
            while not stop.is_set():
                answer = await rest.post(f"{API}/models", json={}, headers={"x-test-log": str(log)})
                ends.append(answer.status_code)

        async def read() -> None:
            while not stop.is_set():
                read = unary(channel, f"/{NATIVE_SERVICE}/GetEcho")(b"", metadata=(("x-test-log", str(log)),))
                ends.append(await read.code())

        calling = [asyncio.create_task(call()) for call in (write, read) for _ in range(20)]
        await asyncio.sleep(0.5)
        await servers[0][0].stop(grace=5)
        await asyncio.sleep(0.2)
        stop.set()
        await asyncio.gather(*calling)
        assert set(ends) == {200, grpc.StatusCode.OK}
        assert len(lines_of(log)) == len(ends), "none was executed twice"
    await servers[1][0].stop(grace=None)


async def test_an_answer_that_does_not_come_is_504(rest: httpx.AsyncClient) -> None:
    late = {"x-test-seconds": "35"}
    calls = [rest.request(verb, f"{API}/models", headers=late, timeout=40) for verb in ("GET", "POST")]
    for answer in await asyncio.gather(*calls):
        assert_error(answer, 504, "deadline exceeded")


async def test_too_many_requests_are_refused_at_once(tmp_path: Path) -> None:
    server, health_service = backend_server()
    port = server.add_insecure_port("127.0.0.1:0")
    await health_service.set("", health_pb2.HealthCheckResponse.SERVING)
    await server.start()
    async with gateway_to(tmp_path, [f"127.0.0.1:{port}"]) as rest, AsyncExitStack() as stack:
        target = rest.base_url.netloc.decode()
        options = (("grpc.use_local_subchannel_pool", 1),)
        channels = [await stack.enter_async_context(grpc.aio.insecure_channel(target, options)) for _ in range(5)]
        calls = [hold(channels[1 + number % 4])(b"x") for number in range(128)]
        await asyncio.gather(*(call.read() for call in calls))
        answer = await rest.get(f"{API}/models")
        assert_error(answer, 429, "overloaded, try again later")
        assert answer.headers["retry-after"] == "1"
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await unary(channels[0])(b"")
        assert refused.value.code() == grpc.StatusCode.RESOURCE_EXHAUSTED
        assert refused.value.details() == "overloaded, try again later"
        metadata = dict((*refused.value.initial_metadata(), *refused.value.trailing_metadata()))
        assert metadata["grpc-retry-pushback-ms"] == "1000"

        # A busy service is not treated as dead.
        assert await unary(channels[0], "/grpc.health.v1.Health/Check")(b"")
        assert (await rest.get("/healthz")).status_code == 200
        for call in calls:
            call.cancel()
    await server.stop(grace=None)
