"""A client's trace goes through the gateway, with and without spans of its own."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
from tests.integration.gateway.backend import backend_server
from tests.integration.gateway.test_answers import API
from tests.integration.gateway.test_requests import echoed
from tests.otlp import PARENT, SAMPLED, TRACE, UNSAMPLED, SpanReceiver, receiving_spans

from registry_grpc.devtools.envoy import Envoy, EnvoyConfig

pytestmark = pytest.mark.slow

_SECRET = "hunter2"


@pytest.mark.parametrize("sent", [SAMPLED, UNSAMPLED, "nonsense"])
async def test_a_trace_passes_unchanged(rest: httpx.AsyncClient, sent: str) -> None:
    answer = await rest.get(f"{API}/models", headers={"traceparent": sent, "tracestate": "vendor=1"})
    seen = echoed(answer)["metadata"]
    assert (seen["traceparent"], seen["tracestate"]) == (sent, "vendor=1")


@dataclass
class Traced:
    """A gateway that makes spans."""

    rest: httpx.AsyncClient
    receiver: SpanReceiver


@pytest.fixture
def receiver() -> Iterator[SpanReceiver]:
    with receiving_spans() as receiver:
        yield receiver


@pytest.fixture
async def traced(receiver: SpanReceiver, tmp_path: Path) -> AsyncIterator[Traced]:
    server, _ = backend_server()
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    place = receiver.url.removeprefix("http://")
    config = EnvoyConfig(folder=tmp_path, endpoints=[f"127.0.0.1:{port}"], switches=["traces"], traces_endpoint=place)
    async with (
        Envoy(config) as envoy,
        httpx.AsyncClient(base_url=envoy.url, trust_env=False, timeout=20) as rest,
    ):
        yield Traced(rest, receiver)
    await server.stop(grace=None)


async def test_the_gateway_puts_a_span_of_its_own_into_the_trace(traced: Traced) -> None:
    sent = {"traceparent": SAMPLED, "x-request-id": "mine", "authorization": f"Bearer {_SECRET}"}
    answer = await traced.rest.get(f"{API}/models?q={_SECRET}", headers=sent)
    assert answer.headers["x-request-id"] == "mine"
    version, trace, parent, flags = echoed(answer)["metadata"]["traceparent"].split("-")
    assert (version, trace, flags) == ("00", TRACE, "01")
    async with asyncio.timeout(20):
        while not traced.receiver.spans:  # noqa: ASYNC110
            await asyncio.sleep(0.02)
    (span,) = traced.receiver.spans
    assert (span.trace, span.id, span.parent, span.service) == (TRACE, parent, PARENT, "registry-gateway")
    assert _SECRET.encode() not in b"".join(traced.receiver.bodies)


async def test_the_gateway_makes_no_span_of_other_requests(traced: Traced) -> None:
    for headers in ({}, {"traceparent": UNSAMPLED}):
        seen = echoed(await traced.rest.get(f"{API}/models", headers=headers))["metadata"]
        assert seen.get("traceparent", "-00").endswith("-00")
    await traced.rest.get(f"{API}/models", headers={"traceparent": SAMPLED})
    async with asyncio.timeout(20):
        while not traced.receiver.spans:  # noqa: ASYNC110
            await asyncio.sleep(0.02)
    assert [span.parent for span in traced.receiver.spans] == [PARENT]
