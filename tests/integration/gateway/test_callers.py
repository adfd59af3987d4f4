"""The gateway limits the requests of each project, and its own refusals have the shape of the registry's."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import grpc
import httpx
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from tests.integration.gateway.backend import NATIVE_SERVICE, backend_server
from tests.integration.gateway.test_answers import API, assert_error

from registry_grpc.devtools import envoy as envoys
from registry_grpc.devtools.envoy import Envoy, EnvoyConfig

TOO_MANY = "too many requests of this project, try again later"
RATE = 1


@pytest.fixture
async def endpoint() -> AsyncIterator[str]:
    server, health_service = backend_server()
    port = server.add_insecure_port("127.0.0.1:0")
    await health_service.set("", health_pb2.HealthCheckResponse.SERVING)
    await server.start()
    yield f"127.0.0.1:{port}"
    await server.stop(grace=None)


@pytest.fixture
async def slow(endpoint: str, tmp_path: Path) -> AsyncIterator[Envoy]:
    """A gateway that lets each project make one request a second."""
    async with Envoy(EnvoyConfig(folder=tmp_path, endpoints=[endpoint], requests_per_second=RATE)) as envoy:
        yield envoy


async def test_each_project_has_its_own_bucket(slow: Envoy) -> None:
    async with httpx.AsyncClient(base_url=slow.url, trust_env=False) as rest:
        answers = [await rest.get(f"{API}/models", headers={"project-id": "A"}) for _ in range(20)]
        refused = [answer for answer in answers if answer.status_code != 200]
        assert answers[0].status_code == 200
        assert refused, "twenty requests take less than twenty seconds"
        for answer in refused:
            assert_error(answer, 429, TOO_MANY)
            assert answer.headers["retry-after"] == "1"
        assert (await rest.get(f"{API}/models", headers={"project-id": "B"})).status_code == 200
        assert {(await rest.get("/healthz")).status_code for _ in range(20)} == {200}


async def test_native_callers_are_told_to_wait(slow: Envoy) -> None:
    async with grpc.aio.insecure_channel(f"127.0.0.1:{slow.port}", options=[("grpc.enable_retries", 0)]) as channel:
        unary: Any = channel.unary_unary(f"/{NATIVE_SERVICE}/Unary")
        calls = [unary(b"x", metadata=[("project-id", "A")]) for _ in range(20)]
        codes = [await call.code() for call in calls]
        assert codes.count(grpc.StatusCode.RESOURCE_EXHAUSTED) >= 1
        refused = calls[codes.index(grpc.StatusCode.RESOURCE_EXHAUSTED)]
        assert await refused.details() == TOO_MANY
        told = [*await refused.initial_metadata(), *await refused.trailing_metadata()]
        assert ("grpc-retry-pushback-ms", "1000") in told
        assert await unary(b"x", metadata=[("project-id", "B")]) == b"x"
        health: Any = health_pb2_grpc.HealthStub(channel)
        for _ in range(20):
            await health.Check(health_pb2.HealthCheckRequest())


@pytest.mark.parametrize(
    ("status", "code", "text"),
    [
        (401, grpc.StatusCode.UNAUTHENTICATED, "unauthenticated"),
        (403, grpc.StatusCode.PERMISSION_DENIED, "forbidden"),
    ],
)
async def test_a_refusal_by_a_filter_of_the_operator_has_the_shape_of_the_registry(
    status: int, code: grpc.StatusCode, text: str, endpoint: str, tmp_path: Path, *, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An operator may add Envoy's own authentication. Here a filter that refuses all stands for it."""
    original = envoys.bootstrap

    def guarded(config: EnvoyConfig) -> dict[str, Any]:
        document = original(config)
        manager = document["static_resources"]["listeners"][0]["filter_chains"][0]["filters"][0]["typed_config"]
        guard = {
            "name": "guard",
            "typed_config": {
                "@type": "type.googleapis.com/envoy.extensions.filters.http.lua.v3.Lua",
                "default_source_code": {
                    "inline_string": "function envoy_on_request(handle)\n"
                    f"handle:respond({{[':status'] = '{status}'}}, 'why') end"
                },
            },
        }
        names = [entry["name"] for entry in manager["http_filters"]]
        manager["http_filters"].insert(names.index("callers"), guard)
        return document

    monkeypatch.setattr(envoys, "bootstrap", guarded)
    async with Envoy(EnvoyConfig(folder=tmp_path, endpoints=[endpoint])) as envoy:
        log = tmp_path / "reached"
        async with httpx.AsyncClient(base_url=envoy.url, trust_env=False) as rest:
            for answer in (
                await rest.get(f"{API}/models", headers={"x-test-log": str(log)}),
                await rest.post(f"{API}/models", json={"name": "x"}, headers={"x-test-log": str(log)}),
            ):
                assert_error(answer, status, text)
                assert answer.headers.get("www-authenticate") == ("Bearer" if status == 401 else None)
        async with grpc.aio.insecure_channel(f"127.0.0.1:{envoy.port}") as channel:
            unary: Any = channel.unary_unary(f"/{NATIVE_SERVICE}/Unary")
            with pytest.raises(grpc.aio.AioRpcError) as caught:
                await unary(b"x", metadata=[("x-test-log", str(log))])
        assert caught.value.code() is code
        assert not log.exists()
