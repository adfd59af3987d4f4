"""Differences that a REST client of the Go service may notice, as listed in docs/rest-compat.md."""

from __future__ import annotations

import socket
from urllib.parse import urlsplit

import pytest
from tests.e2e.api import PREFIX, Api
from tests.e2e.builders import World, fresh
from tests.e2e.checks import assert_error, json_of


def raw(api: Api, head: bytes) -> tuple[int, str, bytes]:
    """Status, headers and body of the answer to a request that HTTP clients would not send unchanged."""
    address = urlsplit(str(api.http.base_url))
    project = f"Project-ID: {api.project_id}".encode()
    with socket.create_connection((address.hostname, address.port), timeout=10) as connection:
        connection.sendall(head + b"\r\nhost: x\r\nconnection: close\r\n" + project + b"\r\n\r\n")
        answer = b"".join(iter(lambda: connection.recv(65536), b""))
    headers, _, body = answer.partition(b"\r\n\r\n")
    return int(headers.split()[1]), headers.decode("latin-1").lower(), body


def raw_get(api: Api, target: str) -> tuple[int, bytes]:
    status, _, body = raw(api, f"GET {PREFIX}{target} HTTP/1.1".encode())
    return status, body


NOT_FOUND = (404, b'{"error":"not found"}')
MALFORMED = (400, b'{"error":"malformed request"}')


def test_an_unknown_path_answers_an_error_as_json(api: Api) -> None:
    assert_error(api.get("/nothing"), 404, "not found")
    assert_error(api.request("PUT", "/models"), 404, "not found")


@pytest.mark.parametrize("slashes", ["/", "//", "///"])
@pytest.mark.parametrize("path", ["/models", "/models/{model}", "/models/{model}/versions", "/serve_models"])
def test_slashes_at_the_end_do_not_count(world: World, path: str, slashes: str) -> None:
    path = world.path(path)
    assert json_of(world.api.get(path + slashes)) == world.api.read(path)


def test_a_slash_at_the_end_creates_once(api: Api) -> None:
    json_of(api.post("/models/", {"name": fresh("model")}), 201)
    assert api.read("/models")["total"] == 1


@pytest.mark.parametrize("path", ["/%6dodels", "/models/{model}/%76ersions", "/model%73/{model}"])
def test_an_escaped_literal_is_unknown(world: World, path: str) -> None:
    assert raw_get(world.api, world.path(path)) == NOT_FOUND


@pytest.mark.parametrize("target", ["/models?search=é", "/models/é", "/models?search=a#b", "/models#"])
def test_a_target_that_is_not_escaped_is_malformed(api: Api, target: str) -> None:
    assert raw_get(api, target) == MALFORMED


@pytest.mark.parametrize("method", ["FOO", "QUERY", "get", "CONNECT"])
def test_a_method_that_envoy_does_not_know_is_malformed(api: Api, method: str) -> None:
    status, headers, body = raw(api, f"{method} {PREFIX}/models HTTP/1.1".encode())
    assert (status, body) == MALFORMED
    assert "x-request-id: " in headers


def test_an_upgrade_is_refused(api: Api) -> None:
    head = f"GET {PREFIX}/models HTTP/1.1\r\nupgrade: websocket\r\nconnection: upgrade".encode()
    status, _, body = raw(api, head)
    assert (status, body) == (403, b'{"error":"malformed request"}')


def test_headers_of_60_kib_pass_and_larger_ones_do_not(api: Api) -> None:
    json_of(api.request("GET", "/models", headers={"x-long": "x" * 59_000}))
    status, headers, body = raw(api, f"GET {PREFIX}/models?x={'x' * 62_000} HTTP/1.1".encode())
    assert (status, body) == (431, b'{"error":"request URL or headers too large"}')
    assert "x-request-id: " in headers


def test_more_than_a_hundred_header_lines_are_too_many(api: Api) -> None:
    json_of(api.request("GET", "/models", headers={f"x-{number}": "y" for number in range(80)}))
    lines = "".join(f"\r\nx-{number}: y" for number in range(100))
    status, _, body = raw(api, f"GET {PREFIX}/models HTTP/1.1{lines}".encode())
    assert (status, body) == (431, b'{"error":"request URL or headers too large"}')


@pytest.mark.parametrize("content_type", ["application/grpc", "application/grpc+proto"])
def test_grpc_on_a_rest_path_gets_a_clear_error(api: Api, content_type: str) -> None:
    answer = api.request("POST", "/models", content="{}", headers={"content-type": content_type})
    assert (answer.headers["grpc-status"], answer.headers["grpc-message"]) == ("2", "this path is not gRPC")
    assert api.read("/models")["total"] == 0


@pytest.mark.parametrize("form", ["urn:uuid:{id}", "{{{id}}}", "URN:UUID:{id}", "x{id}x"])
def test_uuids_with_prefix_or_braces_are_refused(world: World, form: str) -> None:
    framed = form.format(id=world.model["id"])
    assert_error(world.api.get(f"/models/{framed}"), 400, "invalid model id")
    assert_error(
        world.api.request("GET", "/models", headers={"Project-ID": framed}),
        400,
        "project ID is required (Project-ID header)",
    )
