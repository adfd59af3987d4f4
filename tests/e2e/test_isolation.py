"""On no route does a project see or change objects of another one (contract 1.6; Q1, Q9)."""

from __future__ import annotations

from typing import Any

import httpx
import pytest
from tests.e2e.api import JSON, NO_BODY, Api
from tests.e2e.builders import World, an_id, fresh, version_body
from tests.e2e.checks import assert_error, assert_page, json_of
from tests.e2e.routes import BY_ID, FINDS, LISTS, Route

OBJECTS = [
    "/models/{model}",
    "/models/{model}/versions",
    "/model_versions/{version}",
    "/serving_environments/{environment}",
    "/inference_services/{service}",
    "/serve_models/{serve_model}",
]


@pytest.fixture(scope="module")
def world(http: httpx.Client) -> World:
    """One for the whole module: nothing here may change it."""
    return World(Api(http))


@pytest.fixture(scope="module")
def other_world(http: httpx.Client) -> World:
    """One for the whole module: nothing here may change it."""
    return World(Api(http))


def everything(world: World) -> list[Any]:
    """All objects of a project, read with its own header."""
    return [world.api.read(world.path(path)) for path in OBJECTS]


@pytest.mark.parametrize("route", BY_ID, ids=str)
@pytest.mark.parametrize("body", [{"name": "stolen", "description": "stolen", "uri": "stolen"}, {}])
def test_foreign_ids_are_unknown_ids(world: World, other_world: World, route: Route, body: JSON) -> None:
    before = everything(other_world)
    sent = body if route.method in {"PATCH", "POST"} else NO_BODY
    assert_error(world.api.request(route.method, other_world.path(route.path), sent), 404, route.not_found)
    assert everything(other_world) == before


@pytest.mark.parametrize(
    "route", [route for route in BY_ID if "{model}" in route.path and "{version}" in route.path], ids=str
)
def test_own_and_foreign_ids_do_not_mix(world: World, other_world: World, route: Route) -> None:
    before = everything(other_world)
    for model, version in [
        (world.model["id"], other_world.version["id"]),
        (other_world.model["id"], world.version["id"]),
    ]:
        body = {"description": "stolen"} if route.method == "PATCH" else NO_BODY
        response = world.api.request(route.method, route.path.format(model=model, version=version), body)
        assert_error(response, 404, route.not_found)
    assert everything(other_world) == before


@pytest.mark.parametrize("route", LISTS, ids=str)
def test_lists_show_own_rows_only(world: World, other_world: World, route: Route) -> None:
    own = assert_page(world.api.get(world.path(route.path)), total=1)
    theirs = assert_page(other_world.api.get(other_world.path(route.path)), total=1)
    assert own[0]["id"] != theirs[0]["id"]
    assert_page(world.api.of_another_project().get(world.path(route.path)), total=0)


@pytest.mark.parametrize("path", ["/models/{model}/versions", "/models/{model}/versions?sort_by=name&limit=100"])
def test_versions_of_a_foreign_model_are_an_empty_list(world: World, other_world: World, path: str) -> None:
    page = json_of(world.api.get(other_world.path(path)))
    assert (page["items"], page["total"]) == ([], 0)


@pytest.mark.parametrize(
    ("path", "parameter", "key"),
    [
        ("/inference_services", "serving_environment_id", "environment"),
        ("/inference_services", "registered_model_id", "model"),
        ("/inference_services", "model_version_id", "version"),
        ("/serve_models", "inference_service_id", "service"),
        ("/serve_models", "model_version_id", "version"),
    ],
)
def test_filters_by_foreign_ids_find_nothing(
    world: World, other_world: World, path: str, parameter: str, key: str
) -> None:
    foreign = getattr(other_world, key)["id"]
    assert_page(world.api.get(path, **{parameter: foreign}), total=0)


@pytest.mark.parametrize("route", FINDS, ids=str)
def test_finding_foreign_objects(world: World, other_world: World, route: Route) -> None:
    name, key = {
        "/model": ("model", "externalId"),
        "/model_version": ("version", "externalId"),
        "/model_artifact": ("version", "externalId"),
        "/serving_environment": ("environment", "name"),
        "/inference_service": ("service", "externalId"),
    }[route.path]
    theirs = getattr(other_world, name)
    queries = [{"name": theirs["name"]}] if key == "name" else [{key: theirs["id"]}]
    if route.path in {"/model_version", "/model_artifact"}:
        queries += [{"parentResourceId": other_world.model["id"]}, {"registered_model_id": other_world.model["id"]}]
    if route.path == "/inference_service":
        queries = [{"name": theirs["name"], "serving_environment_id": other_world.environment["id"]}]
        uid = {"external_id": fresh("uid")}
        json_of(other_world.api.patch(f"/inference_services/{theirs['id']}", uid))
        queries.append({"externalId": uid["external_id"]})
    for query in queries:
        assert json_of(other_world.api.get(route.path, **query))["id"] == theirs["id"]
        assert_error(world.api.get(route.path, **query), 404, route.not_found)


def test_creating_below_foreign_objects(world: World, other_world: World) -> None:
    before = everything(other_world)
    mine, theirs = world, other_world
    no_model, no_version = "registered model not found", "model version not found"
    no_environment, no_service = "serving environment not found", "inference service not found"
    service = {"name": "x", "serving_environment_id": mine.environment["id"], "registered_model_id": mine.model["id"]}
    deploy = {"serving_environment_id": mine.environment["id"], "registered_model_id": mine.model["id"]}
    foreign_version = theirs.version["id"]
    for path, body, text in [
        ("/models", {"name": "x", "parent_model_id": theirs.model["id"]}, no_model),
        (f"/models/{theirs.model['id']}/versions", version_body(), no_model),
        ("/model_artifacts", version_body(registered_model_id=theirs.model["id"]), no_model),
        ("/inference_services", service | {"serving_environment_id": theirs.environment["id"]}, no_environment),
        ("/inference_services", service | {"registered_model_id": theirs.model["id"]}, no_model),
        ("/inference_services", service | {"model_version_ids": [foreign_version]}, no_version),
        ("/inference_services", service | {"model_version_id": foreign_version}, no_version),
        (
            "/serve_models",
            {"inference_service_id": theirs.service["id"], "model_version_id": mine.version["id"]},
            no_service,
        ),
        (
            "/serve_models",
            {"inference_service_id": mine.service["id"], "model_version_id": foreign_version},
            no_version,
        ),
        (
            "/deploy",
            deploy | {"serving_environment_id": theirs.environment["id"]},
            f"get serving environment: {no_environment}",
        ),
        ("/deploy", deploy | {"registered_model_id": theirs.model["id"]}, f"get model: {no_model}"),
        (
            "/deploy",
            deploy | {"model_version_ids": [foreign_version]},
            f"get version {foreign_version}: {no_version}",
        ),
    ]:
        assert_error(world.api.post(path, body), 404, text)
    assert everything(other_world) == before


def test_names_are_free_in_every_project(api: Api, other_world: World) -> None:
    model, environment = other_world.model["name"], other_world.environment["name"]
    json_of(api.post("/models", {"name": model}), 201)
    json_of(api.post("/serving_environments", {"name": environment}), 201)


def test_a_project_in_the_body_or_query_is_not_looked_at(api: Api, other_world: World) -> None:
    project = other_world.api.project_id
    body = {"name": fresh("model"), "project_id": project}
    assert json_of(api.post("/models", body), 201)["project_id"] == api.project_id
    page = json_of(api.get("/models", project_id=project))
    assert {item["project_id"] for item in page["items"]} == {api.project_id}
    assert_error(api.get(f"/models/{an_id()}", project_id=project), 404, "registered model not found")
