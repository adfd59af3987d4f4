"""The forms of UUIDs in paths, queries and bodies (contract 0.3; decision 4)."""

from __future__ import annotations

import uuid
from collections.abc import Callable

import httpx
import pytest
from tests.e2e.api import NO_BODY, Api
from tests.e2e.builders import World, a_model, a_version, an_id, version_body
from tests.e2e.checks import assert_error, assert_refused, json_of
from tests.e2e.routes import BY_ID, GETS, Route

MALFORMED = [
    "abc",
    "18290927-9d84-4313-8694-f7658f7b863",
    "18290927-9d84-4313-8694-f7658f7b86322",
    "18290927-9d84-4313-8694-f7658f7b863g",
    "18290927x9d84-4313-8694-f7658f7b8632",
    "1829-0927-9d84-4313-8694-f7658f7b8632",
    "182909279d8443138694f7658f7b86",
    "%2018290927-9d84-4313-8694-f7658f7b8632",
    "0x8290927-9d84-4313-8694-f7658f7b8632",
    "18290927-9d84-4313-8694-f7658f7b863%D9%A2",
    "18290927-9d84-4313-8694-f7658f7b863%zz",
    "18290927-9d84-4313-8694-f7658f7b8632%00",
    "%25",
]
SPELLINGS = [str.upper, str.title, lambda text: text.replace("-", ""), lambda text: text.replace("-", "").upper()]


@pytest.fixture(scope="module")
def world(http: httpx.Client) -> World:
    """One for the whole module: nothing here changes it."""
    return World(Api(http))


def with_other_ids(world: World, route: Route, model: str, other: str) -> str:
    """The path of a route with this model id, and `other` for every other id."""
    return route.path.format(model=model, version=other, environment=other, service=other, serve_model=other)


@pytest.mark.parametrize("route", BY_ID, ids=str)
def test_a_malformed_id_is_refused_with_the_routes_own_text(world: World, route: Route) -> None:
    nested = "{version}" in route.path and "{model}" in route.path
    path = with_other_ids(world, route, world.model["id"] if nested else "abc", "abc")
    body = {} if route.method in {"PATCH", "POST"} else NO_BODY
    response = world.api.request(route.method, path, body)
    assert_error(response, 400, route.bad_id)


@pytest.mark.parametrize("text", MALFORMED)
def test_malformed_ids(api: Api, text: str) -> None:
    assert_error(api.get(f"/models/{text}"), 400, "invalid model id")
    assert_error(api.get(f"/models/{text}/versions"), 400, "invalid model id")
    assert_error(api.get(f"/serve_models/{text}"), 400, "invalid id")


@pytest.mark.parametrize("method", ["GET", "PATCH"])
def test_path_ids_are_checked_from_left_to_right(api: Api, method: str) -> None:
    body = {} if method == "PATCH" else NO_BODY
    assert_error(api.request(method, "/models/abc/versions/def", body), 400, "invalid model id")
    assert_error(api.request(method, f"/models/{an_id()}/versions/def", body), 400, "invalid version id")


@pytest.mark.parametrize("content", ["", "no JSON", "[]", '{"name":5}', '{"labels":{"a":1}}', "\x00"])
def test_a_bad_path_id_wins_over_a_bad_body(api: Api, content: str) -> None:
    for method, path in (("POST", "/models/abc/versions"), ("PATCH", "/models/abc"), ("PATCH", "/models/%ff")):
        assert_error(api.request(method, path, content=content), 400, "invalid model id")
    assert_error(api.request("PATCH", f"/models/{an_id()}/versions/abc", content=content), 400, "invalid version id")


def test_a_bad_body_wins_over_an_unknown_id(api: Api) -> None:
    assert_error(api.request("PATCH", f"/models/{an_id()}", content=""), 400, "EOF")
    assert_refused(api.post(f"/models/{an_id()}/versions", {}), "name", "model_framework", "uri")
    assert_refused(api.patch(f"/models/{an_id()}", {"model_size": "many"}), "model_size")


@pytest.mark.parametrize("spell", SPELLINGS)
@pytest.mark.parametrize("route", GETS, ids=str)
def test_other_spellings_of_a_path_id(world: World, route: Route, spell: Callable[[str], str]) -> None:
    plain = world.path(route.path)
    parts = [spell(part) if len(part) == 36 else part for part in plain.split("/")]
    assert json_of(world.api.get("/".join(parts))) == world.api.read(plain)


@pytest.mark.parametrize("spell", SPELLINGS)
def test_other_spellings_in_queries_and_bodies_come_out_canonical(api: Api, spell: Callable[[str], str]) -> None:
    model = a_model(api)
    version = a_version(api, model["id"], prebuilt_container_id=spell("abcdef01-2345-6789-abcd-ef0123456789"))
    assert version["prebuilt_container_id"] == "abcdef01-2345-6789-abcd-ef0123456789"
    assert api.read("/model_version", parentResourceId=spell(model["id"])) == version
    body = version_body(registered_model_id=spell(model["id"]))
    assert json_of(api.post("/model_artifacts", body), 201)["registered_model_id"] == model["id"]


def test_the_all_zero_id_is_an_id_that_nothing_has(api: Api) -> None:
    zero = str(uuid.UUID(int=0))
    assert_error(api.get(f"/models/{zero}"), 404, "registered model not found")
    assert json_of(api.get(f"/models/{zero}/versions"))["items"] == []
    assert_refused(api.post("/model_artifacts", version_body(registered_model_id=zero)), "registered_model_id")
    body = {"inference_service_id": zero, "model_version_id": zero}
    assert_refused(api.post("/serve_models", body), "inference_service_id", "model_version_id")


@pytest.mark.parametrize(
    ("path", "field"),
    [
        ("/models", "parent_model_id"),
        ("/model_artifacts", "registered_model_id"),
        ("/model_artifacts", "prebuilt_container_id"),
        ("/inference_services", "serving_environment_id"),
        ("/inference_services", "registered_model_id"),
        ("/inference_services", "model_version_ids"),
        ("/inference_services", "model_version_id"),
        ("/serve_models", "inference_service_id"),
        ("/serve_models", "model_version_id"),
        ("/deploy", "registered_model_id"),
        ("/deploy", "serving_environment_id"),
        ("/deploy", "model_version_ids"),
        ("/deploy", "model_version_id"),
    ],
)
@pytest.mark.parametrize("text", ["abc", "", "18290927-9d84-4313-8694-f7658f7b863g"])
def test_a_malformed_id_in_a_body_is_refused_by_name(world: World, path: str, field: str, text: str) -> None:
    body = version_body() | {
        "registered_model_id": world.model["id"],
        "serving_environment_id": world.environment["id"],
        "inference_service_id": world.service["id"],
        "model_version_id": world.version["id"],
        "model_version_ids": [world.version["id"]],
        field: [text] if field == "model_version_ids" else text,
    }
    assert_refused(world.api.post(path, body), field)
