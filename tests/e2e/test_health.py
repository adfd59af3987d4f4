"""The health route (contract 5.5). `test_failures.py` tests it without a database."""

from __future__ import annotations

import socket
from urllib.parse import urlsplit

import httpx
import pytest
from tests.e2e.api import Api
from tests.e2e.checks import json_of, same


def test_a_healthy_service_answers_ok(http: httpx.Client) -> None:
    assert same(json_of(http.get("/healthz")), {"status": "ok"})


@pytest.mark.parametrize("project", ["", "nonsense", "00000000-0000-0000-0000-000000000000"])
def test_health_does_not_look_at_the_project(http: httpx.Client, project: str) -> None:
    assert http.get("/healthz", headers={"Project-ID": project}).status_code == 200


@pytest.mark.parametrize("path", ["/healthz", "/model-registry/healthz"])
def test_health_is_not_below_the_prefix(api: Api, path: str) -> None:
    assert api.get(path).status_code == 404


def test_head_is_answered_without_a_body_and_the_connection_stays_usable(http: httpx.Client) -> None:
    """A client that expects no body would take one for the beginning of the next answer."""
    address = urlsplit(str(http.base_url))
    with (
        socket.create_connection((address.hostname, address.port), timeout=10) as connection,
        connection.makefile("rb") as answers,
    ):
        for method, has_body in (("HEAD", False), ("HEAD", False), ("GET", True)):
            connection.sendall(f"{method} /healthz HTTP/1.1\r\nhost: x\r\n\r\n".encode())
            assert answers.readline() == b"HTTP/1.1 200 OK\r\n"
            while answers.readline() != b"\r\n":
                pass
            if has_body:
                assert answers.read(len(b'{"status":"ok"}')) == b'{"status":"ok"}'
