"""Native gRPC and gRPC-Web on the same port are not changed by the filters for REST."""

from __future__ import annotations

import asyncio
import base64
from typing import Any

import grpc
import httpx
import pytest
from google.rpc import error_details_pb2, status_pb2
from grpc_health.v1 import health_pb2
from tests.integration.gateway.backend import NATIVE_SERVICE, REFLECTION_SERVICE

Channel = grpc.aio.Channel
WEB = {"content-type": "application/grpc-web+proto", "x-grpc-web": "1", "origin": "http://localhost:5173"}
PREFLIGHT = {"access-control-request-method": "POST", "access-control-request-headers": "x-grpc-web,project-id"}


def unary(channel: Channel, method: str = f"/{NATIVE_SERVICE}/Unary") -> Any:
    return channel.unary_unary(method)


def stream(channel: Channel) -> Any:
    return channel.unary_stream(f"/{NATIVE_SERVICE}/Stream")


def chat(channel: Channel, method: str) -> Any:
    return channel.stream_stream(method)


def hold(channel: Channel) -> Any:
    return channel.unary_stream(f"/{NATIVE_SERVICE}/Hold")


async def test_unary_passes_with_its_metadata(channel: Channel) -> None:
    call = unary(channel)(b"hello", metadata=(("project-id", "p"),))
    assert await call == b"hello"
    metadata = dict(await call.initial_metadata())
    assert metadata["x-marker"] == "kept"
    assert metadata["x-request-id"]


async def test_a_failure_keeps_its_message_and_details(channel: Channel) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as failure:
        await unary(channel)(b"fail")
    assert (failure.value.code(), failure.value.details()) == (grpc.StatusCode.NOT_FOUND, 'no "such" thing: é')
    trailers = dict(failure.value.trailing_metadata())
    status = status_pb2.Status.FromString(trailers["grpc-status-details-bin"])
    info = error_details_pb2.ErrorInfo()
    assert status.details[0].Unpack(info)
    assert (info.reason, info.domain) == ("GONE", "test")


async def test_an_unknown_method_is_unimplemented(channel: Channel) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as failure:
        await unary(channel, f"/{NATIVE_SERVICE}/Nope")(b"")
    assert failure.value.code() == grpc.StatusCode.UNIMPLEMENTED


async def test_a_stream_passes_with_its_status(channel: Channel) -> None:
    call = stream(channel)(b"3")
    assert [await call.read() for _ in range(3)] == [b"0", b"1", b"2"]
    assert (await call.code(), await call.details()) == (grpc.StatusCode.ABORTED, "after the stream")


async def test_messages_pass_both_ways_while_a_stream_is_open(channel: Channel) -> None:
    """Server reflection needs that nothing waits for the end of the request."""
    call = chat(channel, f"/{REFLECTION_SERVICE}/ServerReflectionInfo")()
    for text in (b"one", b"two"):
        await call.write(text)
        assert await asyncio.wait_for(call.read(), 5) == text
    await call.done_writing()
    assert await call.code() == grpc.StatusCode.OK


async def test_the_standard_health_service_passes(channel: Channel) -> None:
    serving = health_pb2.HealthCheckResponse(status=health_pb2.HealthCheckResponse.SERVING)
    assert await unary(channel, "/grpc.health.v1.Health/Check")(b"") == serving.SerializeToString()


async def test_the_clients_deadline_passes(channel: Channel) -> None:
    check = unary(channel, "/modelregistry.v1.rest.HealthService/Check")
    with pytest.raises(grpc.aio.AioRpcError) as failure:
        await check(b"", metadata=(("x-test-seconds", "5"),), timeout=0.2)
    assert failure.value.code() == grpc.StatusCode.DEADLINE_EXCEEDED


async def test_large_messages_pass(channel: Channel) -> None:
    message = b"x" * 3_000_000
    assert await unary(channel)(message) == message


async def test_larger_messages_than_the_body_limit_are_resource_exhausted(channel: Channel) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as failure:
        await unary(channel)(b"x" * (8 * 1024 * 1024))
    assert (failure.value.code(), failure.value.details()) == (
        grpc.StatusCode.RESOURCE_EXHAUSTED,
        "request body too large",
    )


def frame(data: bytes) -> bytes:
    return b"\0" + len(data).to_bytes(4, "big") + data


def frames(data: bytes) -> list[tuple[int, bytes]]:
    found = []
    while data:
        end = 5 + int.from_bytes(data[1:5], "big")
        found.append((data[0], data[5:end]))
        data = data[end:]
    return found


async def test_grpc_web_unary(rest: httpx.AsyncClient) -> None:
    answer = await rest.post(f"/{NATIVE_SERVICE}/Unary", content=frame(b"hello"), headers=WEB)
    assert (answer.status_code, answer.headers["content-type"]) == (200, "application/grpc-web+proto")
    (kind, message), (trailer_kind, trailers) = frames(answer.content)
    assert (kind, message, trailer_kind) == (0, b"hello", 0x80)
    assert b"grpc-status:0" in trailers
    assert answer.headers["access-control-allow-origin"] == "http://localhost:5173"
    assert "grpc-status" in answer.headers["access-control-expose-headers"]


async def test_grpc_web_text_failure(rest: httpx.AsyncClient) -> None:
    headers = WEB | {"content-type": "application/grpc-web-text"}
    content = base64.b64encode(frame(b"fail"))
    answer = await rest.post(f"/{NATIVE_SERVICE}/Unary", content=content, headers=headers)
    assert answer.status_code == 200
    assert (answer.headers["grpc-status"], answer.headers["grpc-message"]) == ("5", 'no "such" thing: %C3%A9')


async def test_a_browsers_preflight_is_answered(rest: httpx.AsyncClient) -> None:
    path = "/modelregistry.v1.DeploymentService/GetDeployment"
    answer = await rest.options(path, headers=PREFLIGHT | {"origin": "http://localhost:5173"})
    assert (answer.status_code, answer.headers["access-control-allow-origin"]) == (200, "http://localhost:5173")
    assert answer.headers["access-control-allow-methods"] == "POST"
    assert {"x-grpc-web", "project-id", "x-user"} <= set(answer.headers["access-control-allow-headers"].split(", "))


@pytest.mark.parametrize("origin", ["https://evil.example", "http://localhost.evil.example", "null"])
async def test_other_origins_are_not_allowed(rest: httpx.AsyncClient, origin: str) -> None:
    path = f"/{NATIVE_SERVICE}/Unary"
    preflight = await rest.options(path, headers=PREFLIGHT | {"origin": origin})
    assert (preflight.status_code, preflight.json()) == (404, {"error": "not found"})
    call = await rest.post(path, content=frame(b"x"), headers=WEB | {"origin": origin})
    for answer in (preflight, call):
        assert "access-control-allow-origin" not in answer.headers
