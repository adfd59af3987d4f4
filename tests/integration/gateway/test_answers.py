"""The answers of REST clients: status, headers and bytes, for every outcome of a request."""

from __future__ import annotations

import asyncio
import re
import uuid
from pathlib import Path
from typing import Any
from urllib.parse import quote

import grpc
import httpx
import pytest
from tests.integration.gateway.backend import NATIVE_SERVICE

from registry_grpc.devtools.envoy import Envoy, EnvoyConfig

API = "/api/v1/model-registry"
JSON = "application/json; charset=utf-8"
# Headers of gRPC and of the gateway that clients must not get.
LEAKS = re.compile(r"grpc-.*|x-envoy-.*|server|trailer|te")

STATUSES = {
    "CANCELLED": 499,
    "UNKNOWN": 500,
    "INVALID_ARGUMENT": 400,
    "DEADLINE_EXCEEDED": 504,
    "NOT_FOUND": 404,
    "ALREADY_EXISTS": 409,
    "PERMISSION_DENIED": 403,
    "RESOURCE_EXHAUSTED": 429,
    "FAILED_PRECONDITION": 400,
    "ABORTED": 409,
    "OUT_OF_RANGE": 400,
    "UNIMPLEMENTED": 501,
    "INTERNAL": 500,
    "UNAVAILABLE": 503,
    "DATA_LOSS": 500,
    "UNAUTHENTICATED": 401,
}


def assert_error(answer: httpx.Response, status: int, text: str) -> None:
    assert (answer.status_code, answer.json()) == (status, {"error": text})
    assert_plain(answer)


def assert_plain(answer: httpx.Response) -> None:
    """A JSON answer with a request id and without traces of the gateway."""
    assert answer.headers["content-type"] == JSON
    assert not answer.content.endswith(b"\n")
    assert answer.headers["x-request-id"]
    assert [name for name in answer.headers if LEAKS.fullmatch(name)] == []


@pytest.mark.parametrize("status", [200, 201, 202])
async def test_the_entity_tag_becomes_a_header(rest: httpx.AsyncClient, status: int) -> None:
    headers = {"x-test-etag": '"12.ab"'} | ({"x-test-http-code": str(status)} if status != 200 else {})
    answer = await rest.get(f"{API}/models", headers=headers)
    assert (answer.status_code, answer.headers["etag"]) == (status, '"12.ab"')
    assert_plain(answer)


async def test_not_modified_is_empty_and_the_connection_stays_usable(rest: httpx.AsyncClient) -> None:
    headers = {"x-test-etag": '"12.ab"', "x-test-http-code": "304", "x-test-size": "2"}
    for _ in range(2):
        answer = await rest.get(f"{API}/models", headers=headers)
        assert (answer.status_code, answer.headers["etag"], answer.content) == (304, '"12.ab"', b"")
        assert {"content-type", "content-length"}.isdisjoint(answer.headers)
    assert "etag" not in (await rest.get(f"{API}/models")).headers


async def test_conditions_reach_the_registry_and_those_on_times_do_not(rest: httpx.AsyncClient) -> None:
    wanted = {"if-match": '"1"', "if-none-match": '"2", W/"3"', "idempotency-key": "k"}
    others = {"if-modified-since": "x", "if-unmodified-since": "x", "if-range": "x"}
    metadata = (await rest.get(f"{API}/models", headers=wanted | others)).json()["metadata"]
    assert {name: value for name, value in metadata.items() if name in wanted | others} == wanted


async def raw(gateway: Envoy, request: bytes) -> tuple[bytes, bytes]:
    """Send bytes that no HTTP client would send. Returns head and body of the answer."""
    reader, writer = await asyncio.open_connection("127.0.0.1", gateway.port)
    writer.write(request)
    async with asyncio.timeout(5):
        head = await reader.readuntil(b"\r\n\r\n")
        (length,) = re.findall(rb"content-length: (\d+)", head)
        body = await reader.readexactly(int(length))
    writer.close()
    return head, body


async def test_a_success_carries_the_registrys_bytes_and_nothing_of_grpc(rest: httpx.AsyncClient) -> None:
    answer = await rest.get(f"{API}/models/abc", headers={"x-test-size": "12"})
    assert (answer.status_code, answer.content) == (200, b'"xxxxxxxxxx"')
    assert sorted(answer.headers) == ["content-length", "content-type", "date", "x-request-id"]
    assert_plain(answer)


@pytest.mark.parametrize("code", [200, 201, 202, 400, 404, 409, 500, 503, 504])
async def test_the_registry_chooses_the_status(rest: httpx.AsyncClient, code: int) -> None:
    answer = await rest.post(f"{API}/models", json={}, headers={"x-test-http-code": str(code)})
    assert answer.status_code == code
    assert answer.json()["method"] == "modelregistry.v1.rest.RegisteredModelService.CreateRegisteredModel"
    assert_plain(answer)


async def test_204_has_neither_body_nor_content_type(rest: httpx.AsyncClient) -> None:
    answer = await rest.delete(f"{API}/models/abc", headers={"x-test-http-code": "204"})
    assert (answer.status_code, answer.content) == (204, b"")
    assert sorted(answer.headers) == ["date", "x-request-id"]


async def test_a_client_cannot_choose_the_status(rest: httpx.AsyncClient) -> None:
    chosen = {"content-type": "application/json; charset=utf-8; status=299"}
    answer = await rest.post(f"{API}/models", json={}, headers=chosen)
    assert answer.status_code == 200
    assert_plain(answer)


async def test_health_is_the_registrys(rest: httpx.AsyncClient) -> None:
    answer = await rest.get("/healthz", headers={"x-test-http-code": "503"})
    assert (answer.status_code, answer.json()["method"]) == (503, "modelregistry.v1.rest.HealthService.Check")


def test_every_grpc_status_is_known() -> None:
    assert set(STATUSES) == {code.name for code in grpc.StatusCode} - {"OK"}


@pytest.mark.parametrize("late", [False, True], ids=["at-once", "after-headers"])
@pytest.mark.parametrize("code", STATUSES)
async def test_a_failed_rpc_becomes_a_status_and_an_error(rest: httpx.AsyncClient, code: str, *, late: bool) -> None:
    headers = {"x-test-code": code, "x-test-message": "went wrong"} | ({"x-test-late": "1"} if late else {})
    answer = await rest.get(f"{API}/models/abc", headers=headers)
    assert_error(answer, STATUSES[code], "went wrong")


@pytest.mark.parametrize("text", ['no "such" é\u2028\\path\\n', "a\nb\r\t\x01\x7f", "100 %, %41 <&>", "", "x" * 5000])
async def test_an_errors_text_arrives_unchanged(rest: httpx.AsyncClient, text: str) -> None:
    headers = {"x-test-code": "NOT_FOUND", "x-test-message": quote(text)}
    assert_error(await rest.get(f"{API}/models/abc", headers=headers), 404, text)


async def test_a_refused_client_gets_a_time_to_return(rest: httpx.AsyncClient) -> None:
    for asked in ({"x-test-code": "RESOURCE_EXHAUSTED"}, {"x-test-http-code": "429"}):
        answer = await rest.get(f"{API}/models", headers=asked)
        assert (answer.status_code, answer.headers.get_list("retry-after")) == (429, ["1"])
        assert_plain(answer)


async def test_a_caller_who_is_not_known_is_told_what_to_send(rest: httpx.AsyncClient) -> None:
    for asked in ({"x-test-code": "UNAUTHENTICATED"}, {"x-test-http-code": "401"}):
        for answer in (
            await rest.get(f"{API}/models", headers=asked),
            await rest.post(f"{API}/models", json={}, headers=asked),
        ):
            assert (answer.status_code, answer.headers.get_list("www-authenticate")) == (401, ["Bearer"])
            assert_plain(answer)
    for asked in ({"x-test-code": "PERMISSION_DENIED"}, {"x-test-http-code": "403"}):
        assert "www-authenticate" not in (await rest.get(f"{API}/models", headers=asked)).headers


async def test_without_workers_the_gateway_answers_at_once(tmp_path: Path) -> None:
    async with (
        Envoy(EnvoyConfig(folder=tmp_path, endpoints=[f"{tmp_path}/nobody.sock"])) as envoy,
        httpx.AsyncClient(base_url=envoy.url, trust_env=False) as rest,
        grpc.aio.insecure_channel(f"127.0.0.1:{envoy.port}") as channel,
    ):
        for answer in (
            await rest.get(f"{API}/models"),
            await rest.post(f"{API}/models", json={}),
            await rest.get("/healthz"),
        ):
            assert_error(answer, 503, "service unavailable")
        unary: Any = channel.unary_unary(f"/{NATIVE_SERVICE}/Unary")
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await unary(b"x")
        assert caught.value.code() is grpc.StatusCode.UNAVAILABLE


@pytest.mark.parametrize(
    ("verb", "path"),
    [
        ("GET", "/nope"),
        ("GET", API),
        ("GET", f"{API}/nope"),
        ("GET", f"{API}/models/a/nope"),
        ("GET", f"{API}//models"),
        ("GET", f"/{API}/models"),
        ("GET", f"{API}/models%2Fabc?id=B"),
        ("GET", f"{API}/MODELS"),
        ("PUT", f"{API}/models"),
        ("POST", f"{API}/models/a"),
        ("OPTIONS", f"{API}/models"),
        ("POST", "/healthz"),
        ("POST", "/modelregistry.v1.RegisteredModelService/GetRegisteredModel"),
        ("POST", "/modelregistry.v1.rest.RegisteredModelService/GetRegisteredModel"),
    ],
)
async def test_an_unknown_route_is_not_found(rest: httpx.AsyncClient, verb: str, path: str) -> None:
    answer = await rest.request(verb, httpx.URL(str(rest.base_url).rstrip("/") + path))
    assert_error(answer, 404, "not found")


async def test_head_is_not_found_without_a_body(rest: httpx.AsyncClient) -> None:
    answer = await rest.head(f"{API}/models")
    assert (answer.status_code, answer.content) == (404, b"")
    assert_plain(answer)


@pytest.mark.parametrize("path", [f"{API}/models/abc", "/nope", f"{API}/models?limit=x"])
@pytest.mark.parametrize("sent", ["1", "5d6f2a3e-0000-7000-8000-00000000000f", 'a "b" ü; c', "x" * 5000])
async def test_the_request_id_comes_back_unchanged(rest: httpx.AsyncClient, path: str, sent: str) -> None:
    answer = await rest.get(path, headers={b"X-Request-ID": sent.encode()})
    assert [value for name, value in answer.headers.raw if name == b"x-request-id"] == [sent.encode()]


@pytest.mark.parametrize("headers", [{}, {"X-Request-ID": ""}], ids=["absent", "empty"])
@pytest.mark.parametrize("path", [f"{API}/models/abc", "/nope", f"{API}/models?limit=x"])
async def test_without_a_request_id_one_is_made(rest: httpx.AsyncClient, path: str, headers: dict[str, str]) -> None:
    made = {(await rest.get(path, headers=headers)).headers["x-request-id"] for _ in range(2)}
    assert len(made) == 2
    assert {uuid.UUID(text).version for text in made} == {4}


async def test_the_registry_sees_the_request_id(rest: httpx.AsyncClient) -> None:
    answer = await rest.get(f"{API}/models/abc")
    assert answer.json()["metadata"]["x-request-id"] == answer.headers["x-request-id"]


@pytest.mark.parametrize("size", [2_000_000, 15_000_000])
async def test_large_answers_pass(rest: httpx.AsyncClient, size: int) -> None:
    answer = await rest.get(f"{API}/models", headers={"x-test-size": str(size)})
    assert (answer.status_code, len(answer.content)) == (200, size)


@pytest.mark.parametrize(
    ("request_bytes", "status", "text"),
    [
        (b"nonsense\r\n\r\n", b"400 Bad Request", b"malformed request"),
        (b"GET /healthz HTTP/1.1\r\n\r\n", b"400 Bad Request", b"malformed request"),
        (b"GET /\xff HTTP/1.1\r\nhost: x\r\n\r\n", b"400 Bad Request", b"malformed request"),
        (
            b"GET /healthz HTTP/1.1\r\nhost: x\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n",
            b"403 Forbidden",
            b"malformed request",
        ),
        (
            b"GET /?%b HTTP/1.1\r\nhost: x\r\n\r\n" % (b"x" * 70_000),
            b"431 Request Header Fields Too Large",
            b"request URL or headers too large",
        ),
        (
            b"GET /healthz HTTP/1.1\r\nhost: x\r\ntransfer-encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
            b"501 Not Implemented",
            b"unsupported transfer encoding",
        ),
    ],
)
async def test_a_request_that_is_not_http_gets_a_json_error(
    gateway: Envoy, request_bytes: bytes, status: bytes, text: bytes
) -> None:
    head, body = await raw(gateway, request_bytes)
    assert head.startswith(b"HTTP/1.1 " + status)
    assert b"content-type: application/json; charset=utf-8" in head
    assert b"\r\nx-request-id: " in head
    assert body == b'{"error":"%b"}' % text


async def test_http_1_0_is_served(gateway: Envoy) -> None:
    head, _ = await raw(gateway, b"GET /healthz HTTP/1.0\r\n\r\n")
    assert head.startswith(b"HTTP/1.0 200 OK\r\n")
