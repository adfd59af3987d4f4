"""REST requests reach the registry unchanged, by their route; and the requests about which Envoy decides itself."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from tests.integration.gateway.backend import Route, rest_routes
from tests.integration.gateway.test_answers import API, assert_error, assert_plain, raw

from registry_grpc.devtools.envoy import Envoy

ROUTES = rest_routes()
WITH_ID = [route for route in ROUTES if route.variables()]
LIMIT = 8 * 1024 * 1024
LARGEST_UNREAD = 64 * 1024


async def send(rest: httpx.AsyncClient, verb: str, target: str, **more: Any) -> httpx.Response:
    """Send the target unchanged. httpx would normalise it."""
    url = httpx.URL(str(rest.base_url)).copy_with(raw_path=target.encode())
    return await rest.request(verb, url, **more)


def echoed(answer: httpx.Response) -> Any:
    assert answer.status_code == 200, answer.text
    assert_plain(answer)
    return answer.json()


def target_of(answer: httpx.Response) -> str:
    """The target that the registry received."""
    target: str = echoed(answer)["metadata"]["x-envoy-original-path"]
    return target


# --- routes ------------------------------------------------------------------------------------------------------


def test_all_routes_are_seen() -> None:
    assert len(ROUTES) == len({str(route) for route in ROUTES}) == 38


@pytest.mark.parametrize("route", ROUTES, ids=str)
async def test_every_route_reaches_its_rpc_with_the_raw_target_and_body(rest: httpx.AsyncClient, route: Route) -> None:
    target = route.path("a%2Db%zz") + "?id=other&limit=1"
    body = "" if route.verb == "GET" else '{"id":"other",'
    seen = echoed(await send(rest, route.verb, target, content=body))
    assert (seen["method"], seen["body"]) == (route.rpc, body)
    assert seen["metadata"]["x-envoy-original-path"] == target
    assert seen["metadata"]["x-envoy-original-method"] == route.verb


async def test_a_probe_of_health_reaches_the_registry(rest: httpx.AsyncClient) -> None:
    seen = echoed(await rest.get("/healthz"))
    assert (seen["method"], seen["body"]) == ("modelregistry.v1.rest.HealthService.Check", "")


async def test_the_answer_to_head_has_no_body_that_the_next_answer_would_begin_with(gateway: Envoy) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", gateway.port)
    writer.write(b"HEAD /healthz HTTP/1.1\r\nhost: x\r\n\r\n" * 2)
    async with asyncio.timeout(5):
        for _ in range(2):
            assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 200 OK\r\n")
    writer.close()


@pytest.mark.parametrize("route", WITH_ID, ids=str)
async def test_an_id_with_an_escaped_slash_is_one_segment_to_the_gateway(rest: httpx.AsyncClient, route: Route) -> None:
    """The registry answers 404."""
    answer = await send(rest, route.verb, route.path("a%2Fb"))
    assert (echoed(answer)["method"], target_of(answer)) == (route.rpc, route.path("a%2Fb"))


@pytest.mark.parametrize("path", ["/%6dodels", "/models%2F", "/models/a/%76ersions", "/model%73/a/versions"])
async def test_literals_match_on_the_raw_path(rest: httpx.AsyncClient, path: str) -> None:
    assert_error(await send(rest, "GET", API + path), 404, "not found")


@pytest.mark.parametrize("slashes", ["/", "//", "///"])
@pytest.mark.parametrize("route", ROUTES, ids=str)
async def test_slashes_at_the_end_lead_to_the_same_route(rest: httpx.AsyncClient, route: Route, slashes: str) -> None:
    answer = await send(rest, route.verb, f"{route.path()}{slashes}?a=b")
    assert (echoed(answer)["method"], target_of(answer)) == (route.rpc, f"{route.path()}{slashes}?a=b")


@pytest.mark.parametrize("route", WITH_ID, ids=str)
async def test_an_empty_id_in_the_middle_reaches_the_registry_or_is_no_route(
    rest: httpx.AsyncClient, route: Route
) -> None:
    path = route.path("")
    answer = await send(rest, route.verb, path)
    if path.endswith("/"):  # slashes at the end: another route, or none
        assert answer.status_code in {200, 404}
    else:
        assert (echoed(answer)["method"], target_of(answer)) == (route.rpc, path)


@pytest.mark.parametrize("text", ["%2e%2e", "a;b", "a:b", "~", "%00", "%ff", "%", "x" * 20_000])
async def test_an_id_arrives_as_it_was_sent(rest: httpx.AsyncClient, text: str) -> None:
    answer = await send(rest, "GET", f"{API}/models/{text}")
    assert (echoed(answer)["method"].rpartition(".")[2], target_of(answer)) == (
        "GetRegisteredModel",
        f"{API}/models/{text}",
    )


@pytest.mark.parametrize("path", ["/models/..", "/models/.", "/./models", "/models/../models"])
async def test_dots_are_text(gateway: Envoy, path: str) -> None:
    head, body = await raw(gateway, f"GET {API}{path} HTTP/1.1\r\nhost: x\r\n\r\n".encode())
    if path.startswith("/models/.") and path.count("/") == 2:
        assert f'"x-envoy-original-path":"{API}{path}"'.encode() in body
    else:
        assert head.startswith(b"HTTP/1.1 404 ")


@pytest.mark.parametrize(
    "query",
    [
        "limit=abc&limit=&limit=1.5&limit=99999999999999999999",
        "sortBy=name&sort_by=name",
        "search=a+b%2Bc%20%C3%A9%25&search=%zz&search=%ff&search=%00",
        "content_type=text/html&data=aGFjaw==&extensions.type_url=x&contentType=x",
        "a;b&&=&==&[]=1&un.known=2&?=/",
        "x" * 40_000,
    ],
)
@pytest.mark.parametrize("verb", ["GET", "POST"])
async def test_the_query_arrives_as_it_was_sent(rest: httpx.AsyncClient, verb: str, query: str) -> None:
    seen = echoed(await send(rest, verb, f"{API}/models?{query}"))
    assert seen["metadata"]["x-envoy-original-path"] == f"{API}/models?{query}"
    assert seen["body"] == ""


@pytest.mark.parametrize("target", ["?search=é", "/é", "?search=a#b", "#"])
async def test_a_target_that_is_not_escaped_is_malformed(gateway: Envoy, target: str) -> None:
    head, body = await raw(gateway, f"GET {API}/models{target} HTTP/1.1\r\nhost: x\r\n\r\n".encode())
    assert (head.split()[1], body) == (b"400", b'{"error":"malformed request"}')


@pytest.mark.parametrize("method", [b"FOO", b"QUERY", b"get", b"CONNECT"])
async def test_a_method_that_envoy_does_not_know_is_malformed(gateway: Envoy, method: bytes) -> None:
    head, body = await raw(gateway, b"%b %b/models HTTP/1.1\r\nhost: x\r\n\r\n" % (method, API.encode()))
    assert (head.split()[1], body) == (b"400", b'{"error":"malformed request"}')
    assert b"\r\nx-request-id: " in head


# --- bodies ------------------------------------------------------------------------------------------------------

BODIES = [b"", b"  ", b"null", b"[]", b"no JSON", b'{"a', b'{"name":"\xff\x00"}', b'{"name":"a"} junk', b"[" * 100_000]


@pytest.mark.parametrize("body", BODIES, ids=range(len(BODIES)))
@pytest.mark.parametrize(
    ("verb", "path"),
    [("POST", "/models"), ("PATCH", "/models/a"), ("DELETE", "/models/a"), ("POST", "/inference_services/a/sync")],
)
async def test_a_body_arrives_as_it_was_sent(rest: httpx.AsyncClient, verb: str, path: str, body: bytes) -> None:
    if verb == "DELETE":
        body = body[:LARGEST_UNREAD]
    assert echoed(await rest.request(verb, API + path, content=body))["body"].encode("latin-1") == body


@pytest.mark.parametrize("body", BODIES, ids=range(len(BODIES)))
@pytest.mark.parametrize("path", ["/models", "/models/a", "/model"])
async def test_the_body_of_a_get_does_no_harm(rest: httpx.AsyncClient, path: str, body: bytes) -> None:
    seen = echoed(await rest.request("GET", API + path, content=body[:LARGEST_UNREAD]))
    assert seen["metadata"]["x-envoy-original-path"] == API + path


@pytest.mark.parametrize(
    "content_type", [None, "", "text/xml", "application/x-www-form-urlencoded", "nonsense", "application/grpcx"]
)
async def test_the_content_type_of_a_body_is_ignored(rest: httpx.AsyncClient, content_type: str | None) -> None:
    headers = {} if content_type is None else {"content-type": content_type}
    answer = await rest.post(f"{API}/models?name=query", content=b'{"name":"x"}', headers=headers)
    assert echoed(answer)["body"] == '{"name":"x"}'


async def chunks(total: int) -> AsyncIterator[bytes]:
    for _ in range(total // 65536):
        yield b" " * 65536


async def test_a_body_in_chunks_arrives_in_one_piece(rest: httpx.AsyncClient) -> None:
    async def pieces() -> AsyncIterator[bytes]:
        for piece in (b'{"na', b'me"', b':"x"}'):
            yield piece

    assert echoed(await rest.post(f"{API}/models", content=pieces()))["body"] == '{"name":"x"}'
    assert len(echoed(await rest.post(f"{API}/models", content=chunks(1024 * 1024)))["body"]) == 1024 * 1024


async def test_a_body_as_large_as_the_limit_passes(rest: httpx.AsyncClient) -> None:
    answer = await rest.post(f"{API}/models", content=b" " * LIMIT, headers={"x-test-size": "10"})
    assert (answer.status_code, answer.content) == (200, b'"xxxxxxxx"')


@pytest.mark.parametrize(
    ("verb", "longest_chunked"),
    [("POST", LIMIT), ("PATCH", LIMIT), ("DELETE", LARGEST_UNREAD), ("GET", LARGEST_UNREAD)],
)
async def test_a_larger_body_is_413(rest: httpx.AsyncClient, verb: str, longest_chunked: int) -> None:
    path = f"{API}/models" if verb == "POST" else f"{API}/models/a"
    for content in (b" " * (LIMIT + 1), chunks(longest_chunked + 1024 * 1024)):
        assert_error(await rest.request(verb, path, content=content), 413, "request body too large")


async def test_expect_100_continue_is_answered(gateway: Envoy) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", gateway.port)
    writer.write(f"POST {API}/models HTTP/1.1\r\nhost: x\r\ncontent-length: 2\r\nexpect: 100-continue\r\n\r\n".encode())
    async with asyncio.timeout(5):
        assert await reader.readuntil(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
        writer.write(b"{}")
        assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 200 OK\r\n")
    writer.close()


# --- headers -----------------------------------------------------------------------------------------------------


async def test_headers_reach_the_registry_as_metadata(rest: httpx.AsyncClient) -> None:
    headers = {"Project-ID": "P", "with_underscore": "u", "x-Custom": "C"}
    metadata = echoed(await rest.get(f"{API}/models/a", headers=headers))["metadata"]
    assert {"project-id": "P", "with_underscore": "u", "x-custom": "C"}.items() <= metadata.items()


async def test_a_client_cannot_speak_for_the_gateway(rest: httpx.AsyncClient) -> None:
    forged = {
        "grpc-timeout": "1n",
        "grpc-encoding": "gzip",
        "grpc-accept-encoding": "gzip",
        "te": "x",
        "x-envoy-original-path": "/forged",
        "x-envoy-original-method": "FORGED",
        "x-envoy-retry-on": "5xx",
        "x-envoy-upstream-rq-timeout-ms": "1",
    }
    answer = await rest.get(f"{API}/models/a", headers=forged | {"x-test-seconds": "0.1"})
    seen = echoed(answer)["metadata"]
    assert seen["x-envoy-original-path"] == f"{API}/models/a"
    assert seen["x-envoy-original-method"] == "GET"
    assert not {"x-envoy-retry-on", "x-envoy-upstream-rq-timeout-ms"} & seen.keys()


@pytest.mark.parametrize(("verb", "path"), [("GET", "/models"), ("GET", "/models/a"), ("POST", "/models")])
async def test_only_the_gateway_has_a_deadline_for_a_rest_call(rest: httpx.AsyncClient, verb: str, path: str) -> None:
    seen = echoed(await rest.request(verb, API + path, headers={"grpc-timeout": "5S"}))
    assert seen["seconds"] is None
    assert "grpc-timeout" not in seen["metadata"]


@pytest.mark.parametrize("name", ["x-some-bin", "grpc-timeout", "grpc-encoding", "User-Agent", "Accept", "Cookie"])
async def test_headers_that_no_worker_reads_are_not_passed_on(rest: httpx.AsyncClient, name: str) -> None:
    seen = echoed(await rest.get(f"{API}/models/a", headers={name: "not base64!"}))
    assert name.lower() not in seen["metadata"]


@pytest.mark.parametrize("verb", ["GET", "POST"])
@pytest.mark.parametrize("content_type", ["application/grpc", "application/grpc+proto"])
async def test_grpc_on_a_rest_path_gets_a_clear_error(rest: httpx.AsyncClient, verb: str, content_type: str) -> None:
    answer = await rest.request(verb, f"{API}/models", headers={"content-type": content_type})
    assert (answer.headers["grpc-status"], answer.headers["grpc-message"]) == ("2", "this path is not gRPC")


@pytest.mark.parametrize(
    ("verb", "kind", "status"),
    [
        ("GET", "application/grpc-web", 415),
        ("POST", "application/grpc-web", 415),
        ("POST", "application/grpc-web+proto", 415),
        ("POST", "application/grpc-web-text", 415),
    ],
)
async def test_grpc_web_on_a_rest_path_is_refused(rest: httpx.AsyncClient, verb: str, kind: str, status: int) -> None:
    answer = await rest.request(verb, f"{API}/models", content=b"?", headers={"content-type": kind})
    assert (answer.status_code, answer.content) == (status, b"")


@pytest.mark.parametrize(
    ("head", "stays"),
    [
        (f"GET {API}/models/a HTTP/1.1\r\n", True),
        ("GET /nope HTTP/1.1\r\n", True),
        (f"FOO {API}/models HTTP/1.1\r\n", False),
        (f"GET {API}/models?search=é HTTP/1.1\r\n", False),
    ],
)
async def test_the_connection_stays_unless_the_gateway_could_not_read_on(
    gateway: Envoy, head: str, *, stays: bool
) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", gateway.port)
    writer.write(f"{head}host: x\r\n\r\n".encode())
    async with asyncio.timeout(5):
        answer = await reader.readuntil(b"\r\n\r\n")
        assert (b"connection: close" not in answer) == stays
    writer.close()


async def test_a_hundred_header_lines_pass_and_more_are_431(gateway: Envoy) -> None:
    for count, status in ((100, b"200"), (101, b"431")):
        lines = b"".join(b"x-%d: y\r\n" % number for number in range(count - 1))
        head, body = await raw(gateway, b"GET %b/models HTTP/1.1\r\nhost: x\r\n%b\r\n" % (API.encode(), lines))
        assert head.split()[1] == status
    assert body == b'{"error":"request URL or headers too large"}'
    assert b"\r\nx-request-id: " in head
