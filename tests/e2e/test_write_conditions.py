"""Conditions and keys of REST writes that are unusual, wrong, or used at the same time by many."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest
from tests.e2e.api import PREFIX, Api
from tests.e2e.builders import World, a_model
from tests.e2e.checks import json_of
from tests.e2e.routes import ACTIONS, DELETES, PATCHES, Route
from tests.e2e.rpc import Rpc

from modelregistry.v1 import registered_model_pb2 as pb

STALE = {"error": "it was changed since its etag was read: read it again, and make the change anew"}


def sent(
    api: Api, method: str, path: str, headers: Sequence[tuple[str, str | bytes]], body: Any = None
) -> httpx.Response:
    """Unlike `Api.request`, sends a header as often as it is given."""
    raw = [(b"project-id", api.project_id.encode())]
    raw += [(name.encode(), value if isinstance(value, bytes) else value.encode()) for name, value in headers]
    return api.http.request(method, PREFIX + path, headers=raw, json=body)


def stale_and_new(api: Api, path: str) -> tuple[str, str]:
    stale = api.get(path).headers["etag"]
    json_of(api.patch(path, {"description": "edited"}))
    return stale, api.get(path).headers["etag"]


# --- If-Match ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("condition", "status"),
    [
        ("*", 200), ("{new}", 200), ("W/{new}", 200), ('"x", {new}', 200), ("{stale},{new}", 200), ("{new},", 200),
        ("{stale}", 412), ("W/{stale}", 412), ('"*"', 412), ('""', 412), (",", 412), ('"', 412), ("x", 412),
        ('"".', 412), ('*, "x"', 412), ('"{new}', 200), ('".1"', 412),
    ],
)  # fmt: skip
def test_if_match(api: Api, condition: str, status: int) -> None:
    path = f"/models/{a_model(api)['id']}"
    stale, new = stale_and_new(api, path)
    answer = sent(api, "PATCH", path, [("If-Match", condition.format(stale=stale, new=new))], {"description": "mine"})
    assert answer.status_code == status, answer.text
    assert api.read(path)["description"] == ("mine" if status == 200 else "edited")


def test_if_match_may_have_several_lines(api: Api) -> None:
    path = f"/models/{a_model(api)['id']}"
    stale, new = stale_and_new(api, path)
    lines = [("If-Match", stale), ("If-Match", new)]
    assert sent(api, "PATCH", path, lines, {}).status_code == 200
    refused = sent(api, "PATCH", path, lines, {})
    assert (refused.status_code, refused.json()) == (412, STALE)
    tag = api.get(path).headers["etag"]
    assert sent(api, "GET", path, [("If-None-Match", '"x"'), ("If-None-Match", tag)]).status_code == 304


@pytest.mark.parametrize("route", [*PATCHES, *DELETES, ACTIONS[0]], ids=str)
def test_a_condition_that_cannot_be_checked_is_refused(world: World, route: Route) -> None:
    path = world.path(route.path)
    conditions = [("If-None-Match", "*"), ("If-None-Match", '"x"'), ("If-Match", "")]
    if path.endswith("/undeploy"):
        conditions = [("If-None-Match", '"x"'), ("If-Match", '"x"')]
    for name, value in conditions:
        answer = sent(world.api, route.method, path, [(name, value)], {} if route.method == "PATCH" else None)
        assert answer.status_code == 400, (name, answer.text)
        assert name in answer.json()["error"]
    if not path.endswith("/undeploy"):
        assert world.api.get(path).status_code == 200


def test_conditions_on_creations_and_lists_do_not_count(api: Api) -> None:
    for name in ("If-Match", "If-None-Match"):
        assert sent(api, "POST", "/models", [(name, '"x"')], {"name": name}).status_code == 201
        answer = sent(api, "GET", "/models", [(name, "*")])
        assert (answer.status_code, "etag" in answer.headers) == (200, False)


# --- Idempotency-Key ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("key", ["", "k" * 129, f'"{"k" * 127}"'], ids=["empty", "long", "quoted"])
def test_a_wrong_key_is_refused_and_nothing_is_done(api: Api, key: str) -> None:
    answer = sent(api, "POST", "/models", [("Idempotency-Key", key)], {"name": "m"})
    text = "request_id (REST: Idempotency-Key) must be 1 to 128 characters"
    assert (answer.status_code, answer.json()) == (400, {"error": text})
    assert api.read("/models")["total"] == 0


@pytest.mark.parametrize("key", ["k" * 128, "ключ".encode(), b"\xff", "'; --"], ids=repr)
def test_an_unusual_key_is_kept(api: Api, key: str | bytes) -> None:
    sent(api, "POST", "/models", [("Idempotency-Key", "another")], {"name": "other"})
    headers = [("Idempotency-Key", key)]
    first, again = (sent(api, "POST", "/models", headers, {"name": "m"}) for _ in range(2))
    assert (first.status_code, again.status_code, again.content) == (201, 201, first.content)


def test_several_keys_are_one_key(api: Api) -> None:
    """A proxy has added its own. The request is repeated with both, or it is another one."""
    keys = [("Idempotency-Key", "a"), ("Idempotency-Key", "b")]
    first, again = (sent(api, "POST", "/models", keys, {"name": "m"}) for _ in range(2))
    assert (first.status_code, again.content) == (201, first.content)
    assert sent(api, "POST", "/models", keys[:1], {"name": "other"}).status_code == 201


def test_a_key_is_of_one_route_one_object_one_condition_and_one_api(api: Api, rpc: Rpc) -> None:
    key, model, other = [("Idempotency-Key", str(uuid.uuid4()))], a_model(api), a_model(api)
    path = f"/models/{model['id']}"
    tag = api.get(path).headers["etag"]
    first = sent(api, "PATCH", path, [*key, ("If-Match", tag)], {"description": "mine"})
    assert first.status_code == 200
    for method, another, headers, body in (
        ("PATCH", f"/models/{other['id']}", key, {"description": "mine"}),
        ("PATCH", path, key, {"description": "mine"}),
        ("PATCH", path, [*key, ("If-Match", first.headers["etag"])], {"description": "mine"}),
        ("POST", "/models", key, {"name": "m"}),
        ("POST", "/serving_environments", key, {"name": "m"}),
        ("DELETE", path, key, None),
    ):
        assert sent(api, method, another, headers, body).status_code == 422, (method, another)
    assert sent(api, "PATCH", path, [*key, ("If-Match", tag)], {"description": "mine"}).content == first.content
    elsewhere = api.of_another_project()
    assert sent(elsewhere, "PATCH", path, [*key, ("If-Match", tag)], {"description": "mine"}).status_code == 404
    native = pb.CreateRegisteredModelRequest(registered_model={"name": "m"}, request_id=key[0][1])
    rpc = Rpc(rpc.channel, api.project_id)
    assert set(rpc.refused(rpc.models.CreateRegisteredModel, native).violations) == {"request_id"}


def test_of_concurrent_requests_with_one_key_and_one_tag_one_is_done(api: Api) -> None:
    path = f"/models/{a_model(api)['id']}"
    headers = [("Idempotency-Key", str(uuid.uuid4())), ("If-Match", api.get(path).headers["etag"])]
    with ThreadPoolExecutor(8) as clients:
        answers = list(clients.map(lambda _: sent(api, "PATCH", path, headers, {"labels": {"a": "1"}}), range(24)))
    assert {(a.status_code, a.content, a.headers.get("etag")) for a in answers} == {
        (200, answers[0].content, api.get(path).headers["etag"])
    }


def test_of_concurrent_different_requests_with_one_key_one_is_done(api: Api) -> None:
    key = [("Idempotency-Key", str(uuid.uuid4()))]
    with ThreadPoolExecutor(8) as clients:
        answers = list(clients.map(lambda n: sent(api, "POST", "/models", key, {"name": f"m{n}"}), range(16)))
    assert sorted(a.status_code for a in answers) == [201] + [422] * 15
    assert api.read("/models")["total"] == 1
