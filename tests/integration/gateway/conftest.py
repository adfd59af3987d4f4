"""One Envoy with one backend for all tests that do not stop them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import grpc
import httpx
import pytest
from grpc_health.v1 import health_pb2
from tests.integration.gateway.backend import backend_server

from registry_grpc.devtools.envoy import Envoy, EnvoyConfig


@pytest.fixture(scope="session")
async def gateway(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Envoy]:
    folder: Path = tmp_path_factory.mktemp("gateway")
    server, health_service = backend_server()
    port = server.add_insecure_port("127.0.0.1:0")
    await health_service.set("", health_pb2.HealthCheckResponse.SERVING)
    await server.start()
    async with Envoy(EnvoyConfig(folder=folder, endpoints=[f"127.0.0.1:{port}"])) as envoy:
        yield envoy
    await server.stop(grace=None)


@pytest.fixture(scope="session")
async def rest(gateway: Envoy) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(base_url=gateway.url, trust_env=False, timeout=20) as client:
        yield client


@pytest.fixture(scope="session")
async def channel(gateway: Envoy) -> AsyncIterator[grpc.aio.Channel]:
    async with grpc.aio.insecure_channel(f"127.0.0.1:{gateway.port}") as channel:
        yield channel
