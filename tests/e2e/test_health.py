"""The health route (5.5). That it answers 503 without a database is in test_failures."""

from __future__ import annotations

import httpx
import pytest
from tests.e2e.api import Api
from tests.e2e.checks import json_of, same


def test_a_healthy_service_says_ok(http: httpx.Client) -> None:
    assert same(json_of(http.get("/healthz")), {"status": "ok"})


@pytest.mark.parametrize("project", ["", "nonsense", "00000000-0000-0000-0000-000000000000"])
def test_health_does_not_look_at_the_project(http: httpx.Client, project: str) -> None:
    assert http.get("/healthz", headers={"Project-ID": project}).status_code == 200


@pytest.mark.parametrize("path", ["/healthz", "/model-registry/healthz"])
def test_health_is_not_below_the_prefix(api: Api, path: str) -> None:
    assert api.get(path).status_code == 404
