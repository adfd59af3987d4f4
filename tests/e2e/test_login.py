"""A user logs in at a real OpenID Connect provider, which runs as a process of its own, and calls the registry."""

from __future__ import annotations

import json
import re
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any
from urllib.parse import parse_qs, urlsplit

import grpc
import httpx
import pytest
from tests.e2e.api import PREFIX
from tests.e2e.stack import Stack, free_port

from modelregistry.v1 import access_pb2 as pb
from modelregistry.v1 import registered_model_pb2
from modelregistry.v1.access_pb2_grpc import AccessServiceStub
from modelregistry.v1.registered_model_pb2_grpc import RegisteredModelServiceStub

pytestmark = [pytest.mark.slow, pytest.mark.timeout(180)]

_ACCESS: Any = AccessServiceStub
_MODELS: Any = RegisteredModelServiceStub
CLIENT = "registry"
BACK = "http://127.0.0.1/back"
USERS: list[dict[str, object]] = [
    {"sub": "1", "email": "ann@example.com", "email_verified": True, "groups": ["operators"]},
    {"sub": "2", "email": "bob@example.com", "email_verified": True, "groups": ["vision"]},
    {"sub": "3", "email": "ann@example.com", "email_verified": False, "groups": ["operators"]},
]
PROJECT = "22222222-2222-2222-2222-222222222222"


@contextmanager
def provider() -> Iterator[str]:
    """Its URL."""
    port = free_port()
    command = [sys.executable, "-m", "oidc_provider_mock", "--port", str(port)]
    for user in USERS:
        command += ["--user-claims", json.dumps(user)]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline and process.poll() is None:
            with suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
                break
            time.sleep(0.05)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(timeout=20)


def log_in(issuer: str, sub: str) -> str:
    """The id token at the end of the authorization code flow."""
    with httpx.Client(timeout=20) as http:
        metadata = http.get(f"{issuer}/.well-known/openid-configuration").json()
        query = {"client_id": CLIENT, "redirect_uri": BACK, "response_type": "code", "scope": "openid email"}
        there = http.post(metadata["authorization_endpoint"], params=query, data={"sub": sub})
        assert there.status_code == 302, there.text
        (code,) = parse_qs(urlsplit(there.headers["location"]).query)["code"]
        given = {"grant_type": "authorization_code", "code": code, "redirect_uri": BACK}
        token: str = http.post(metadata["token_endpoint"], data=given, auth=(CLIENT, "secret")).json()["id_token"]
    return token


def test_users_log_in_and_call_rest_and_grpc() -> None:
    with provider() as issuer:
        accepted = [{"issuer": issuer, "audiences": [CLIENT], "user_claim": "email", "prefix": "corp:"}]
        stack = Stack(
            REGISTRY_AUTH="required",
            REGISTRY_ISSUERS=json.dumps(accepted),
            REGISTRY_OPERATOR_GROUPS="corp:operators",
            REGISTRY_CLUSTER="none",
        )
        try:
            addresses = stack.start()
            with (
                httpx.Client(base_url=addresses.base_url + PREFIX, timeout=30) as http,
                grpc.insecure_channel(addresses.target) as channel,
            ):
                _call(http, channel, issuer)
        finally:
            stack.stop()
            stack.remove()


def _call(http: httpx.Client, channel: grpc.Channel, issuer: str) -> None:
    def with_token(sub: str) -> dict[str, str]:
        return {"Authorization": f"Bearer {log_in(issuer, sub)}", "Project-ID": PROJECT}

    def metadata(headers: dict[str, str]) -> list[tuple[str, str]]:
        return [(name.lower(), value) for name, value in headers.items()]

    access, ann, bob = _ACCESS(channel), with_token("1"), with_token("2")
    assert http.post("/models", json={"name": "iris"}, headers={"Project-ID": PROJECT}).status_code == 401
    assert http.get("/models", headers=with_token("3")).status_code == 401, "her address is not verified"
    assert http.post("/models", json={"name": "iris"}, headers=bob).status_code == 403
    group = pb.SetMemberRequest(kind="MEMBER_KIND_GROUP", name="corp:vision", role="ROLE_EDITOR")
    access.SetMember(group, metadata=metadata(ann), timeout=20)
    caller = access.GetCaller(pb.GetCallerRequest(), metadata=metadata(bob), timeout=20)
    assert (caller.name, list(caller.groups), caller.method) == ("corp:bob@example.com", ["corp:vision"], issuer)

    deadline = time.monotonic() + 3
    while (made := http.post("/models", json={"name": "iris"}, headers=bob)).status_code == 403:
        assert time.monotonic() < deadline, "the other worker learns of the role by a notification"
    assert made.status_code == 201, made.text
    found = _MODELS(channel).FindRegisteredModel(
        registered_model_pb2.FindRegisteredModelRequest(name="iris"), metadata=metadata(bob), timeout=20
    )
    assert re.fullmatch(r"[0-9a-f-]{36}", found.registered_model.id)
    assert found.registered_model.id == made.json()["id"]
