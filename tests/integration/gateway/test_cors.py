"""Requests of pages with other origins: REST and gRPC-Web allow the same origins."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
from tests.integration.gateway.test_answers import API, assert_error

from registry_grpc.devtools.envoy import Envoy, EnvoyConfig
from registry_grpc.settings import Settings

GRPC = "/modelregistry.v1.DeploymentService/GetDeployment"
PREFLIGHT = {"access-control-request-method": "PATCH", "access-control-request-headers": "project-id,content-type"}
LOCAL = [
    "http://localhost",
    "http://localhost:5173",
    "https://localhost:8443",
    "http://127.0.0.1:3000",
    "https://127.0.0.1",
]
FOREIGN = [
    "https://localhost.example",
    "http://localhost:5173.example",
    "http://127x0.0.1:1",
    "null",
    "http://[::1]:80",
]


@pytest.mark.parametrize("path", [f"{API}/models", f"{API}/models/a", "/healthz", GRPC])
@pytest.mark.parametrize("origin", LOCAL)
async def test_a_preflight_of_a_local_page_is_answered(rest: httpx.AsyncClient, path: str, origin: str) -> None:
    answer = await rest.options(path, headers=PREFLIGHT | {"origin": origin})
    assert (answer.status_code, answer.headers["access-control-allow-origin"]) == (200, origin)


@pytest.mark.parametrize("origin", FOREIGN)
async def test_no_other_pages_is(rest: httpx.AsyncClient, origin: str) -> None:
    answer = await rest.options(f"{API}/models", headers=PREFLIGHT | {"origin": origin})
    assert_error(answer, 404, "not found")
    assert "access-control-allow-origin" not in answer.headers


async def test_a_page_may_use_the_whole_rest_api(rest: httpx.AsyncClient) -> None:
    answer = await rest.options(f"{API}/models", headers=PREFLIGHT | {"origin": LOCAL[0]})
    assert set(answer.headers["access-control-allow-methods"].split(", ")) == {"GET", "POST", "PATCH", "DELETE"}
    assert {
        *("project-id", "content-type", "x-request-id", "x-user", "authorization"),
        *("idempotency-key", "if-match", "if-none-match", "traceparent", "tracestate"),
    } <= set(answer.headers["access-control-allow-headers"].split(", "))


async def test_a_page_reads_answers_and_errors(rest: httpx.AsyncClient) -> None:
    for path in (f"{API}/models/a", "/nope"):
        answer = await rest.get(path, headers={"origin": LOCAL[1]})
        assert answer.headers["access-control-allow-origin"] == LOCAL[1]
        exposed = set(answer.headers["access-control-expose-headers"].split(", "))
        assert {"x-request-id", "etag", "location", "retry-after"} <= exposed


async def test_options_without_an_origin_is_not_found(rest: httpx.AsyncClient) -> None:
    assert_error(await rest.options(f"{API}/models"), 404, "not found")


@pytest.fixture
async def own_origins(tmp_path: Path) -> AsyncIterator[httpx.AsyncClient]:
    origins = Settings(cors_origins="https://app.example, http://dev.example:*").cors_origins  # type: ignore[arg-type]
    config = EnvoyConfig(folder=tmp_path, endpoints=["127.0.0.1:1"], cors_origins=origins)
    async with Envoy(config) as envoy, httpx.AsyncClient(base_url=envoy.url, trust_env=False) as client:
        yield client


async def test_the_setting_replaces_them(own_origins: httpx.AsyncClient) -> None:
    for path in (f"{API}/models", GRPC):
        found = {}
        for origin in ("https://app.example", "http://dev.example:81", "https://app.example:444", LOCAL[0]):
            found[origin] = (await own_origins.options(path, headers=PREFLIGHT | {"origin": origin})).status_code
        assert list(found.values()) == [200, 200, 404, 404]


@pytest.mark.parametrize("text", ["*", "app.example", "https://app.example/", "https://*.example", "http://x:*1"])
def test_a_setting_that_is_no_origin_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="as browsers send them"):
        Settings(cors_origins=text)  # type: ignore[arg-type]
