"""The tenant header (contract 0.2, 0.4; Q1, Q2, Q39)."""

from __future__ import annotations

import httpx
import pytest
from tests.e2e.api import PREFIX, Api
from tests.e2e.builders import World, a_model
from tests.e2e.checks import NO_PROJECT, assert_error, json_of
from tests.e2e.routes import ALL, BY_ID, CREATES, PATCHES, Route

ZERO = "00000000-0000-0000-0000-000000000000"
NO_UUIDS = [
    "",
    "nonsense",
    "1",
    "null",
    "18290927-9d84-4313-8694-f7658f7b863",
    "18290927-9d84-4313-8694-f7658f7b86322",
    "18290927-9d84-4313-8694-f7658f7b863g",
    "18290927 9d84 4313 8694 f7658f7b8632",
    "182909279d8443138694f7658f7b863",
    "' OR '1'='1",
    ZERO,
    ZERO.replace("-", ""),
]


@pytest.fixture(scope="module")
def world(http: httpx.Client) -> World:
    """One for the whole module: nothing here changes it."""
    return World(Api(http))


def without_a_project(api: Api, method: str, path: str, **headers: str) -> None:
    response = api.http.request(method, PREFIX + path, headers=headers)
    assert_error(response, 400, NO_PROJECT)


@pytest.mark.parametrize("route", ALL, ids=str)
def test_every_route_needs_a_project(world: World, route: Route) -> None:
    without_a_project(world.api, route.method, world.path(route.path))


@pytest.mark.parametrize("route", ALL, ids=str)
def test_no_route_takes_the_all_zero_project(world: World, route: Route) -> None:
    without_a_project(world.api, route.method, world.path(route.path), **{"Project-ID": ZERO})


@pytest.mark.parametrize("project", NO_UUIDS)
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_an_invalid_project_id_is_like_a_missing_one(api: Api, method: str, project: str) -> None:
    without_a_project(api, method, "/models", **{"Project-ID": project})


def test_the_old_header_is_not_read(api: Api) -> None:
    without_a_project(api, "GET", "/models", **{"X-Project-ID": api.project_id})


@pytest.mark.parametrize("route", BY_ID, ids=str)
def test_a_missing_project_wins_over_a_bad_id(api: Api, route: Route) -> None:
    path = route.path.replace("{", "").replace("}", "")
    without_a_project(api, route.method, path)


@pytest.mark.parametrize("route", [*CREATES, *PATCHES], ids=str)
@pytest.mark.parametrize("content", ["", "no JSON", "[]", '{"name":5}', '{"name":""}'])
def test_a_missing_project_wins_over_a_bad_body(world: World, route: Route, content: str) -> None:
    response = world.api.http.request(route.method, PREFIX + world.path(route.path), content=content)
    assert_error(response, 400, NO_PROJECT)


@pytest.mark.parametrize("name", ["Project-ID", "project-id", "PROJECT-ID", "pRoJeCt-Id"])
def test_the_header_may_be_in_any_case(api: Api, name: str) -> None:
    json_of(api.http.get(f"{PREFIX}/models", headers={name: api.project_id}))


def test_all_spellings_of_a_project_are_one_project(api: Api) -> None:
    model = a_model(api)
    for spelling in (api.project_id.upper(), api.project_id.replace("-", ""), api.project_id.replace("-", "").upper()):
        response = api.request("GET", f"/models/{model['id']}", headers={"Project-ID": spelling})
        assert json_of(response)["project_id"] == api.project_id


def test_two_project_ids_are_like_a_missing_one(api: Api) -> None:
    theirs = a_model(api.of_another_project())
    for first, second in ((api.project_id, theirs["project_id"]), (theirs["project_id"], api.project_id)):
        headers = [("Project-ID", first), ("Project-ID", second)]
        assert_error(api.http.get(f"{PREFIX}/models/{theirs['id']}", headers=headers), 400, NO_PROJECT)
    headers = [("Project-ID", api.project_id)] * 2
    assert json_of(api.http.get(f"{PREFIX}/models", headers=headers))["total"] == 0


def test_the_project_is_no_query_parameter_and_no_field(api: Api) -> None:
    theirs = api.of_another_project()
    without_a_project(api, "GET", f"/models?project_id={api.project_id}&project-id={api.project_id}")
    model = a_model(api, project_id=theirs.project_id)
    assert model["project_id"] == api.project_id
