"""An object that was read can be sent back by PATCH. Ids in a body or a query are ignored (decisions 4 and 5)."""

from __future__ import annotations

from typing import Any

import httpx
import pytest
from tests.e2e import shapes
from tests.e2e.api import JSON, NO_BODY, Api
from tests.e2e.builders import World, a_version, an_id, version_body
from tests.e2e.checks import json_of, same
from tests.e2e.routes import ACTIONS, CREATES, DELETES, GETS, PATCHES, Route

every_patch = pytest.mark.parametrize("route", PATCHES, ids=str)


@pytest.fixture(scope="module")
def world(http: httpx.Client) -> World:
    """One for the whole module. Tests only change its texts."""
    return World(Api(http))


@pytest.fixture(scope="module")
def neighbour(world: World) -> World:
    """Other objects of the same project, which no test may change."""
    return World(world.api)


@pytest.fixture(scope="module")
def other_world(http: httpx.Client) -> World:
    """Objects of another project, which no test may change."""
    return World(Api(http))


def text_field(route: Route) -> str:
    if "artifact" in route.path:
        return "uri"
    return "last_error" if "service}" in route.path else "description"


def object_path(route: Route) -> str:
    """The path at which the object of a nested route can be read by its own id."""
    return route.path.replace("/models/{model}/versions", "/model_versions")


def without_time(answer: JSON) -> JSON:
    return {key: value for key, value in answer.items() if key != "updated_at"}


@every_patch
def test_the_whole_object_can_be_patched_back(world: World, route: Route) -> None:
    path = world.path(route.path)
    before = world.api.read(path)
    assert same(without_time(json_of(world.api.patch(path, before))), without_time(before))
    changed = before | {text_field(route): "changed"}
    after = without_time(json_of(world.api.patch(path, changed)))
    assert after == without_time(changed)
    assert without_time(world.api.read(path)) == after


def test_a_full_model_can_be_patched_back(api: Api) -> None:
    """A model with all fields: both versions, tags, labels, a parent and a size of 64 bits."""
    world = World(api)
    tags = {key: ["x"] for key in shapes.NO_TAGS}
    json_of(
        world.api.patch(world.path("/models/{model}"), {"model_size": 2**63 - 1, "tags": tags, "labels": {"a": "b"}})
    )
    a_version(world.api, world.model["id"], is_default=True)
    before = world.api.read(world.path("/models/{model}"))
    assert before.keys() >= {"latest_version", "default_version"}
    after = json_of(world.api.patch(world.path("/models/{model}"), before | {"state": "ARCHIVED"}))
    assert same(without_time(after), without_time(before) | {"state": "ARCHIVED"})


@every_patch
def test_foreign_ids_in_the_body_change_nothing_else(
    world: World, neighbour: World, other_world: World, route: Route
) -> None:
    """The ids of another object of the same project, of one of another project, and of no object."""
    path, field = world.path(route.path), text_field(route)
    for victim in (neighbour, other_world):
        victim_path = victim.path(object_path(route))
        theirs = victim.api.read(victim_path)
        ids = {key: value for key, value in theirs.items() if key.endswith("id") and key != "model_version_id"}
        ids["external_id"] = ""
        body = world.api.read(path) | ids | {field: "mine"}
        answer = json_of(world.api.patch(path, body))
        assert answer["id"] == world.api.read(path)["id"] != theirs["id"]
        assert answer[field] == "mine"
        assert victim.api.read(victim_path) == theirs
    assert json_of(world.api.patch(path, {"id": an_id(), field: "still mine"}))[field] == "still mine"


@every_patch
@pytest.mark.parametrize("parameter", ["id", "registered_model_id", "registeredModelId", "Id", "ID"])
def test_an_id_in_the_query_never_redirects_a_change(
    world: World, neighbour: World, route: Route, parameter: str
) -> None:
    theirs = world.api.read(neighbour.path(object_path(route)))
    other = neighbour.model["id"] if "odel" in parameter else theirs["id"]
    field = text_field(route)
    path = world.path(route.path)
    response = world.api.patch(f"{path}?{parameter}={other}", {field: "mine"})
    assert_not_redirected(response, world.api.read(path)["id"])
    assert world.api.read(neighbour.path(object_path(route))) == theirs


@pytest.mark.parametrize("route", [*GETS, *ACTIONS], ids=str)
@pytest.mark.parametrize("parameter", ["id", "registered_model_id"])
def test_an_id_in_the_query_never_redirects_a_read(
    world: World, neighbour: World, route: Route, parameter: str
) -> None:
    body = {} if route.method == "POST" else NO_BODY
    other = neighbour.path(route.path).split("/")[2]
    response = world.api.request(route.method, f"{world.path(route.path)}?{parameter}={other}", body)
    if response.status_code != 204:
        assert_not_redirected(response, world.path(route.path).removesuffix("/sync").split("/")[-1])
    service = world.api.read(f"/inference_services/{neighbour.service['id']}")
    assert service["desired_state"] == "DEPLOYED"


@pytest.mark.parametrize("route", DELETES, ids=str)
def test_an_id_in_the_query_never_redirects_a_deletion(api: Api, route: Route) -> None:
    world, neighbour = World(api), World(api)
    json_of(world.api.patch(f"/models/{neighbour.model['id']}", {"state": "ARCHIVED"}))
    other = neighbour.path(route.path).split("/")[2]
    world.api.delete(f"{world.path(route.path)}?id={other}")
    json_of(world.api.get(neighbour.path(route.path)))


def assert_not_redirected(response: httpx.Response, own_id: str) -> None:
    """The parameter was ignored, or the request was refused."""
    if response.status_code == 200:
        assert response.json()["id"] == own_id
    else:
        assert response.status_code == 400, response.text
        assert list(response.json()) == ["error"]


# --- fields of the body as query parameters ----------------------------------------------------------------------

MESSAGES = "registered_model model_version model_artifact serving_environment inference_service serve_model deployment"


@every_patch
def test_the_query_sets_no_field_of_the_body(world: World, route: Route) -> None:
    path, field = world.path(route.path), text_field(route)
    before = world.api.read(path)
    query = "&".join(f"{message}.{field}=stolen" for message in MESSAGES.split())
    response = world.api.patch(f"{path}?{query}&{field}=stolen", {})
    assert response.status_code in {200, 400}
    assert same(without_time(world.api.read(path)), without_time(before))


@pytest.mark.parametrize("route", CREATES, ids=str)
def test_the_query_sets_no_required_field(world: World, route: Route) -> None:
    fields: dict[str, Any] = version_body() | {
        "registered_model_id": world.model["id"],
        "serving_environment_id": world.environment["id"],
        "inference_service_id": world.service["id"],
        "model_version_id": a_version(world.api, world.model["id"])["id"],
    }
    for message in (*MESSAGES.split(), ""):
        prefix = f"{message}." if message else ""
        query = "&".join(f"{prefix}{key}={value}" for key, value in fields.items())
        assert world.api.post(f"{world.path(route.path)}?{query}", {}).status_code == 400


def test_labels_are_not_set_by_the_query(world: World) -> None:
    for query in ("registered_model.labels.a=b", "labels.a=b", "labels[a]=b", "registered_model.tags.tasks=x"):
        response = world.api.patch(f"/models/{world.model['id']}?{query}", {})
        assert response.status_code in {200, 400}
    assert without_time(world.api.read(f"/models/{world.model['id']}"))["labels"] == {}
