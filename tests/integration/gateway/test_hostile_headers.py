"""Headers that gRPC cannot parse travel on a connection that all clients share; they may hurt their sender only."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import grpc
import httpx
import pytest
from grpc_health.v1 import health_pb2
from tests.integration.gateway.backend import NATIVE_SERVICE, backend_server
from tests.integration.gateway.test_answers import API
from tests.integration.gateway.test_native import frame, unary

from registry_grpc.devtools.envoy import Envoy, EnvoyConfig

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
    """Of the test alone: what is broken in its connection to the worker must not break other tests."""
    server, health_service = backend_server()
    server.add_insecure_port(f"unix:{tmp_path}/worker.sock")
    await health_service.set("", health_pb2.HealthCheckResponse.SERVING)
    await server.start()
    async with Envoy(EnvoyConfig(folder=tmp_path / "gateway", endpoints=[f"{tmp_path}/worker.sock"])) as envoy:
        yield envoy
    await server.stop(grace=None)


async def test_only_the_sender_fails(own_gateway: Envoy) -> None:
    async with (
        httpx.AsyncClient(base_url=own_gateway.url, trust_env=False, timeout=10) as client,
        grpc.aio.insecure_channel(f"127.0.0.1:{own_gateway.port}") as channel,
    ):
        for name, value in BROKEN:
            for _ in range(3):
                headers = {"content-type": "application/grpc", name: value}
                await client.post(f"/{NATIVE_SERVICE}/Unary", content=frame(b"x"), headers=headers)
                await client.get(f"{API}/models/a", headers={name: value})
            answers = await asyncio.gather(*(client.get(f"{API}/models/a") for _ in range(INNOCENT)))
            assert {answer.status_code for answer in answers} == {200}, name
            assert await asyncio.gather(*(unary(channel)(b"y") for _ in range(INNOCENT))) == [b"y"] * INNOCENT, name


@pytest.mark.parametrize("name_and_value", [pair for pair in BROKEN if pair[0].startswith("grpc-")], ids=lambda p: p[0])
async def test_rest_clients_have_no_headers_of_grpc(rest: httpx.AsyncClient, name_and_value: tuple[str, str]) -> None:
    """What they send is theirs, and means nothing here."""
    answer = await rest.get(f"{API}/models/a", headers=dict([name_and_value]))
    assert answer.status_code == 200
