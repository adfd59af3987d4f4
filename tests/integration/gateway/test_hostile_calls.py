"""Native calls that are made to occupy a worker, or a limit that others need."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import grpc
import h2.connection
import h2.events
import h2.settings
import httpx
import pytest
from grpc_health.v1 import health_pb2
from tests.integration.gateway.backend import NATIVE_SERVICE, backend_server
from tests.integration.gateway.test_answers import API
from tests.integration.gateway.test_native import frame, hold, unary
from tests.integration.gateway.test_slow_clients import connections

from registry_grpc.devtools.envoy import Envoy, EnvoyConfig

pytestmark = pytest.mark.slow

DEPLOYMENTS = "modelregistry.v1.DeploymentService"
HEALTH = "/grpc.health.v1.Health/Check"
HEALTH_WATCH = "/grpc.health.v1.Health/Watch"
ADMITTED = 128
WATCHES = 4096
HEALTH_WATCHES = 256
A_CONNECTIONS_SHARE = 32


@pytest.fixture
async def own_gateway(tmp_path: Path) -> AsyncIterator[Envoy]:
    async def stay(request: bytes, _context: Any) -> AsyncIterator[bytes]:
        yield request
        await asyncio.Event().wait()

    server, health_service = backend_server()
    handlers: dict[str, Any] = {"WatchDeployment": grpc.unary_stream_rpc_method_handler(stay)}
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(DEPLOYMENTS, handlers),))
    server.add_insecure_port(f"unix:{tmp_path}/worker.sock")
    await health_service.set("", health_pb2.HealthCheckResponse.SERVING)
    await server.start()
    async with Envoy(EnvoyConfig(folder=tmp_path / "gateway", endpoints=[f"{tmp_path}/worker.sock"])) as envoy:
        yield envoy
    await server.stop(grace=None)


@pytest.mark.parametrize(
    "body",
    [b"", b"\0", frame(b"abc")[:-1], frame(b"abc") + b"\0", frame(b"abc") * 2, b"\0\xff\xff\xff\xff"],
    ids=["none", "one-byte", "truncated", "more", "two", "four-gigabytes"],
)
@pytest.mark.parametrize("path", [f"/{NATIVE_SERVICE}/Unary", f"/{DEPLOYMENTS}/WatchDeployment", HEALTH])
async def test_a_call_without_exactly_one_message_is_refused_at_once(
    rest: httpx.AsyncClient, path: str, body: bytes
) -> None:
    answer = await rest.post(path, content=body, headers={"content-type": "application/grpc"}, timeout=5)
    assert (answer.headers["grpc-status"], answer.headers["grpc-message"]) == (
        "3",
        "the request must be exactly one gRPC message",
    )
    assert answer.headers["x-request-id"]


@pytest.mark.parametrize("size", [0, 1, 255, 256, 65_536, 3_000_000])
async def test_a_whole_message_passes(channel: grpc.aio.Channel, size: int) -> None:
    assert await unary(channel)(b"x" * size) == b"x" * size


async def test_calls_without_a_message_leave_the_capacity_to_others(rest: httpx.AsyncClient) -> None:
    calls = [
        rest.post(f"/{NATIVE_SERVICE}/Unary", headers={"content-type": "application/grpc"}) for _ in range(2 * ADMITTED)
    ]
    assert {answer.headers["grpc-status"] for answer in await asyncio.gather(*calls)} == {"3"}
    assert (await rest.get(f"{API}/models")).status_code == 200


async def test_a_connection_gets_no_more_than_a_quarter_of_the_capacity(gateway: Envoy) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", gateway.port)
    connection = h2.connection.H2Connection()
    connection.initiate_connection()
    writer.write(connection.data_to_send())
    allowed = None
    async with asyncio.timeout(5):
        while allowed is None:
            for event in connection.receive_data(await reader.read(65536)):
                if isinstance(event, h2.events.RemoteSettingsChanged):
                    code = h2.settings.SettingCodes.MAX_CONCURRENT_STREAMS
                    allowed = event.changed_settings[code].new_value
    writer.close()
    assert allowed == A_CONNECTIONS_SHARE == ADMITTED // 4


async def test_one_connection_full_of_calls_does_not_keep_others_out(own_gateway: Envoy) -> None:
    async with connections(own_gateway, 2) as (hostile, innocent):
        calls = [hold(hostile)(b"x") for _ in range(2 * ADMITTED)]
        reads = [asyncio.create_task(call.read()) for call in calls]
        while sum(read.done() for read in reads) < A_CONNECTIONS_SHARE:
            await asyncio.wait(reads, return_when=asyncio.FIRST_COMPLETED, timeout=0.05)
        others = [hold(innocent)(b"y") for _ in range(A_CONNECTIONS_SHARE)]
        assert await asyncio.gather(*(call.read() for call in others)) == [b"y"] * A_CONNECTIONS_SHARE
        for call in (*calls, *others):
            call.cancel()
        await asyncio.wait(reads)


def watch(channel: Any, path: str = f"/{DEPLOYMENTS}/WatchDeployment") -> Any:
    return channel.unary_stream(path)(b"" if path == HEALTH_WATCH else b"x")


async def test_watches_do_not_keep_probes_out(own_gateway: Envoy) -> None:
    """The allowed number of watches; more are refused."""
    async with (
        connections(own_gateway, WATCHES // A_CONNECTIONS_SHARE + 1) as channels,
        httpx.AsyncClient(base_url=own_gateway.url, trust_env=False, timeout=10) as rest,
    ):
        calls: list[Any] = []
        for channel in channels[:-1]:  # one after another, because the server would refuse all at once
            opened = [watch(channel) for _ in range(A_CONNECTIONS_SHARE)]
            assert await asyncio.gather(*(call.read() for call in opened)) == [b"x"] * A_CONNECTIONS_SHARE
            calls += opened
        late = watch(channels[-1])
        assert await late.code() == grpc.StatusCode.RESOURCE_EXHAUSTED

        assert await unary(channels[-1], HEALTH)(b"")
        assert (await rest.get("/healthz")).status_code == 200
        assert (await rest.get(f"{API}/models")).status_code == 200
        assert await unary(channels[-1])(b"y") == b"y"
        for call in calls:
            call.cancel()


async def test_watches_of_the_health_which_need_no_token_do_not_keep_other_watches_out(own_gateway: Envoy) -> None:
    """They have a limit of their own, which is far below that of all watches."""
    async with connections(own_gateway, HEALTH_WATCHES // A_CONNECTIONS_SHARE + 3) as channels:
        calls: list[Any] = []
        for channel in channels[:-1]:
            opened = [watch(channel, HEALTH_WATCH) for _ in range(A_CONNECTIONS_SHARE)]
            await asyncio.gather(*map(first, opened))
            calls += opened
        assert await watch(channels[-1]).read() == b"x"
        assert sum(not call.done() for call in calls) == HEALTH_WATCHES
        late = watch(channels[-1], HEALTH_WATCH)
        assert await late.code() == grpc.StatusCode.RESOURCE_EXHAUSTED
        assert await unary(channels[-1], HEALTH)(b"")
        for call in calls:
            call.cancel()


async def first(call: Any) -> Any:
    with contextlib.suppress(grpc.aio.AioRpcError):
        return await call.read()


async def test_a_call_that_is_not_answered_ends(gateway: Envoy) -> None:
    """Even if the client sets no deadline."""
    async with grpc.aio.insecure_channel(f"127.0.0.1:{gateway.port}") as channel:
        call = hold(channel)(b"x")
        async with asyncio.timeout(70):
            assert await call.read() == b"x"
            assert await call.code() != grpc.StatusCode.OK
