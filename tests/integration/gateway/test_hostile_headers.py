"""Headers that gRPC cannot parse use a connection that all clients share, but may only affect their sender."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import grpc
import httpx
import pytest
from grpc_health.v1 import health_pb2
from tests.integration.gateway.test_answers import API
from tests.integration.gateway.test_native import frame, unary

from registry_grpc.devtools.envoy import Envoy, EnvoyConfig
from registry_grpc.server import SERVER_OPTIONS

pytestmark = pytest.mark.slow

SERVICE = "modelregistry.v1.Test"
INNOCENT = 100
BROKEN = [
    ("grpc-timeout", "1x"),
    ("grpc-encoding", "bogus"),
    ("grpc-accept-encoding", "bogus"),
    ("grpc-previous-rpc-attempts", "many"),
    ("grpc-retry-pushback-ms", "soon"),
    ("grpc-status", "none"),
    ("grpc-tags-bin", "?"),
    ("te", "bogus"),
    ("lb-cost-bin", "?"),
]


@pytest.fixture
async def own_gateway(tmp_path: Path) -> AsyncIterator[Envoy]:
    """A gateway for this test only, because its connections may break. Its server has the options of a worker."""

    async def call(request: bytes, _context: Any) -> bytes:
        return request

    async def serving(_request: bytes, _context: Any) -> bytes:
        return health_pb2.HealthCheckResponse(status="SERVING").SerializeToString()

    server = grpc.aio.server(options=SERVER_OPTIONS)
    for service, method, function in ((SERVICE, "Call", call), ("grpc.health.v1.Health", "Check", serving)):
        handlers: dict[str, Any] = {method: grpc.unary_unary_rpc_method_handler(function)}
        server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(service, handlers),))
    server.add_insecure_port(f"unix:{tmp_path}/worker.sock")
    await server.start()
    async with Envoy(EnvoyConfig(folder=tmp_path / "gateway", endpoints=[f"{tmp_path}/worker.sock"])) as envoy:
        yield envoy
    await server.stop(grace=None)


async def test_only_the_sender_fails(own_gateway: Envoy) -> None:
    async with (
        httpx.AsyncClient(base_url=own_gateway.url, trust_env=False, timeout=10) as client,
        grpc.aio.insecure_channel(f"127.0.0.1:{own_gateway.port}") as channel,
    ):
        innocent = unary(channel, f"/{SERVICE}/Call")
        for name, value in BROKEN:
            headers = {"content-type": "application/grpc", name: value}
            for _ in range(3):
                await client.post(f"/{SERVICE}/Call", content=frame(b"x"), headers=headers)
            assert await asyncio.gather(*(innocent(b"y", timeout=30) for _ in range(INNOCENT))) == [b"y"] * INNOCENT, (
                name
            )


@pytest.mark.parametrize("name_and_value", [pair for pair in BROKEN if pair[0].startswith("grpc-")], ids=lambda p: p[0])
async def test_rest_clients_have_no_headers_of_grpc(rest: httpx.AsyncClient, name_and_value: tuple[str, str]) -> None:
    """Headers of the client with gRPC's names have no effect."""
    answer = await rest.get(f"{API}/models/a", headers=dict([name_and_value]))
    assert answer.status_code == 200


@pytest.mark.parametrize("name", ["a*b", "a$", "+a", "a|b", "`a", "!"])
async def test_a_header_whose_name_grpc_refuses_has_no_effect(rest: httpx.AsyncClient, name: str) -> None:
    """HTTP allows more characters in names than gRPC, which would fail the call."""
    answer = await rest.get(f"{API}/models/a", headers={name: "x"})
    assert answer.status_code == 200


async def test_a_call_that_workers_would_break_off_is_not_held_against_them(own_gateway: Envoy) -> None:
    """Calls without `te`, as behind some proxies, and with other methods. Three in a row would exclude a worker."""
    async with httpx.AsyncClient(base_url=own_gateway.url, trust_env=False, timeout=10) as client:
        headers = {"content-type": "application/grpc"}
        answer = await client.post(f"/{SERVICE}/Call", content=frame(b"x"), headers=headers)
        assert (answer.status_code, answer.content[:6]) == (200, frame(b"x"))
        for method in ("GET", "PUT", "DELETE", "OPTIONS"):
            refused = await client.request(method, f"/{SERVICE}/Call", content=frame(b"x"), headers=headers)
            assert (refused.headers["grpc-status"], refused.headers.get("grpc-message")) == ("2", "a call is a POST")


async def test_a_message_is_not_unpacked(own_gateway: Envoy) -> None:
    """15 KiB would become 16 MiB, and 128 such requests at a time need more than a worker's memory."""
    zip_ = grpc.Compression.Gzip
    async with grpc.aio.insecure_channel(f"127.0.0.1:{own_gateway.port}", compression=zip_) as channel:
        with pytest.raises(grpc.aio.AioRpcError) as failure:
            await unary(channel, f"/{SERVICE}/Call")(b"x" * 100_000, timeout=30)
        assert failure.value.code() == grpc.StatusCode.UNIMPLEMENTED
