"""Secrets in the database, and request ids in the log (Q48, Q56)."""

from __future__ import annotations

import uuid
from pathlib import Path

import asyncpg
import pytest
from tests.e2e.api import Api
from tests.e2e.builders import a_model, a_version, fresh, version_body
from tests.e2e.processes import wait_until
from tests.e2e.stack import Addresses


class Logs:
    """The logs of all parts of the stack."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def contain(self, text: str) -> bool:
        return any(text in log.read_text(errors="replace") for log in self._folder.rglob("*.log"))


@pytest.fixture
def logs(stack: Addresses) -> Logs:
    if not stack.folder:
        pytest.skip("nobody says where the running service logs to")
    return Logs(Path(stack.folder))


async def test_secrets_are_not_readable_in_the_database(api: Api, stack: Addresses) -> None:
    if not stack.database_url:
        pytest.skip("nobody says where the running service keeps its data")
    version = a_version(api, a_model(api)["id"], access_key="readable-access", secret_key="readable-secret")
    connection = await asyncpg.connect(stack.database_url)
    try:
        row = await connection.fetchrow("SELECT v::text FROM model_version v WHERE id = $1", uuid.UUID(version["id"]))
        stored = await connection.fetchrow(
            "SELECT access_key, secret_key FROM model_version WHERE id = $1", uuid.UUID(version["id"])
        )
    finally:
        await connection.close()
    assert row is not None
    assert stored is not None
    assert "readable" not in row[0]
    assert stored["access_key"]
    assert stored["secret_key"]
    assert stored["access_key"] != stored["secret_key"]


def test_secrets_never_reach_the_log(api: Api, logs: Logs) -> None:
    model = a_model(api)
    secret = fresh("secret")
    path = f"/models/{model['id']}/versions"
    for body in (
        version_body(access_key=secret, secret_key=secret),
        version_body(access_key=secret, secret_key=secret, labels={"a": 1}),
        version_body(access_key=secret, secret_key="x" * 501),
        version_body("", access_key=secret),
    ):
        api.post(path, body)
    seen = fresh("seen")
    api.request("GET", "/models", headers={"X-Request-ID": seen})
    assert wait_until(lambda: logs.contain(seen), 10)
    assert not logs.contain(secret)


@pytest.mark.parametrize("sent", [None, "chosen"])
def test_the_log_has_the_request_id_that_the_client_got(api: Api, logs: Logs, sent: str | None) -> None:
    headers = {"X-Request-ID": fresh(sent)} if sent else {}
    request_id = api.request("GET", "/models", headers=headers).headers["x-request-id"]
    assert wait_until(lambda: logs.contain(request_id), 10)


def test_a_query_does_not_reach_the_log(api: Api, logs: Logs) -> None:
    private, seen = fresh("private"), fresh("seen")
    api.get(f"/models?search={private}")
    api.request("GET", "/models", headers={"X-Request-ID": seen})
    assert wait_until(lambda: logs.contain(seen), 10)
    assert not logs.contain(private)
