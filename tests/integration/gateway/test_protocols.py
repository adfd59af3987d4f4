"""Unsupported protocols are refused at once, and the answers of filters reach the client."""

from __future__ import annotations

import asyncio

import httpx
import pytest
from tests.integration.gateway.backend import NATIVE_SERVICE
from tests.integration.gateway.test_answers import API, JSON, assert_error

from registry_grpc.devtools.envoy import Envoy

CONNECT = "the Connect protocol is not spoken here: use gRPC, gRPC-Web or REST"
RPC = "/modelregistry.v1.RegisteredModelService/GetRegisteredModel"


async def answer_to(gateway: Envoy, head: str) -> tuple[bytes, bytes]:
    """Send the head of a request without its body. Returns head and body of the answer."""
    reader, writer = await asyncio.open_connection("127.0.0.1", gateway.port)
    writer.write(head.replace("\n", "\r\n").encode() + b"\r\n\r\n")
    async with asyncio.timeout(5):
        found = await reader.readuntil(b"\r\n\r\n")
        (length,) = [line for line in found.lower().splitlines() if line.startswith(b"content-length:")]
        body = await reader.readexactly(int(length.split()[1]))
    writer.close()
    return found, body


@pytest.mark.parametrize("path", [RPC, f"/{NATIVE_SERVICE}/Unary", f"{API}/models"])
@pytest.mark.parametrize("content_type", ["application/connect+json", "application/connect+proto"])
async def test_a_connect_stream_is_refused_before_its_body(gateway: Envoy, path: str, content_type: str) -> None:
    head, body = await answer_to(
        gateway, f"POST {path} HTTP/1.1\nHost: x\nContent-Type: {content_type}\nTransfer-Encoding: chunked"
    )
    assert head.startswith(b"HTTP/1.1 415 ")
    assert f"content-type: {JSON}".encode() in head
    assert body == b'{"error":"%b"}' % CONNECT.encode()


@pytest.mark.parametrize("content_type", ["application/json", "application/proto", "application/json; charset=utf-8"])
async def test_a_connect_call_is_refused_before_its_body(gateway: Envoy, content_type: str) -> None:
    head, body = await answer_to(
        gateway, f"POST {RPC} HTTP/1.1\nHost: x\nContent-Type: {content_type}\nContent-Length: 10"
    )
    assert head.startswith(b"HTTP/1.1 415 ")
    assert body == b'{"error":"%b"}' % CONNECT.encode()


@pytest.mark.parametrize("encoding", ["gzip", "br", "identity, gzip", "bogus"])
@pytest.mark.parametrize("verb", ["POST", "PATCH"])
async def test_an_encoded_body_is_refused(rest: httpx.AsyncClient, verb: str, encoding: str) -> None:
    answer = await rest.request(verb, f"{API}/models/a", content=b"{}", headers={"content-encoding": encoding})
    assert_error(answer, 415, "Content-Encoding must be identity")


@pytest.mark.parametrize("encoding", ["identity", "Identity", ""])
async def test_a_body_as_it_is_may_say_so(rest: httpx.AsyncClient, encoding: str) -> None:
    answer = await rest.post(f"{API}/models", json={}, headers={"content-encoding": encoding})
    assert answer.status_code == 200


async def test_a_tunnel_is_refused_at_once(gateway: Envoy) -> None:
    head, body = await answer_to(gateway, "CONNECT example.com:443 HTTP/1.1\nHost: example.com:443")
    assert head.startswith(b"HTTP/1.1 405 ")
    assert body == b'{"error":"method not allowed"}'
    assert b"x-request-id: " in head


async def test_head_of_healthz_answers_like_get(rest: httpx.AsyncClient) -> None:
    for code in ("200", "503"):
        head = await rest.head("/healthz", headers={"x-test-http-code": code})
        get = await rest.get("/healthz", headers={"x-test-http-code": code})
        assert (head.status_code, head.content) == (get.status_code, b"")
        assert head.headers["content-type"] == get.headers["content-type"]


async def test_head_with_keep_alive_leaves_the_connection_in_order(gateway: Envoy) -> None:
    async with httpx.AsyncClient(base_url=gateway.url, trust_env=False, limits=httpx.Limits(max_connections=1)) as one:
        for _ in range(3):
            assert (await one.head("/healthz")).status_code == 200
            assert (await one.get("/healthz")).status_code == 200
