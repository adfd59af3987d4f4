"""Filters, search and sorting (contract 0.10; Q5, Q24, Q25, Q26, Q36)."""

from __future__ import annotations

import time

import httpx
import pytest
from tests.e2e.api import JSON, Api
from tests.e2e.builders import World, a_model, a_serve_model, a_service, a_version, an_environment, an_id
from tests.e2e.checks import assert_error, assert_page
from tests.e2e.routes import LISTS, Route

# A matrix of hundreds of requests.
pytestmark = pytest.mark.slow

MODEL_COLUMNS = [
    "id",
    "created_at",
    "updated_at",
    "project_id",
    "owner_id",
    "owner_email",
    "name",
    "slug",
    "description",
    "model_type",
    "model_size",
    "state",
    "deployment_status",
    "parent_model_id",
]
VERSION_COLUMNS = [
    "id",
    "created_at",
    "updated_at",
    "registered_model_id",
    "name",
    "description",
    "is_default",
    "state",
    "status",
    "created_by_email",
    "updated_by_email",
    "artifact_type",
    "model_framework",
    "model_framework_version",
    "container_image",
    "model_catalog_name",
    "uri",
]
COLUMNS = {
    "/models": MODEL_COLUMNS,
    "/models/{model}/versions": VERSION_COLUMNS,
    "/model_versions": VERSION_COLUMNS,
    "/model_artifacts": VERSION_COLUMNS,
    "/serving_environments": ["id", "created_at", "updated_at", "name", "description", "external_id"],
    "/inference_services": [
        "id",
        "created_at",
        "updated_at",
        "name",
        "external_id",
        "serving_environment_id",
        "registered_model_id",
        "desired_state",
        "current_state",
        "runtime",
        "url",
    ],
    "/serve_models": ["id", "created_at", "updated_at", "inference_service_id", "model_version_id", "last_known_state"],
}
SORTABLE = [(path, column) for path, columns in COLUMNS.items() for column in columns]
NOT_SORTABLE = [
    "nonsense",
    "access_key",
    "secret_key",
    "labels",
    "tags",
    "version_count",
    "serving_environment_name",
    "created_at desc",
    "name,id",
    "1",
    "name; DROP TABLE registered_model",
    "(SELECT pg_sleep(5))",
    "name'",
    '"name"',
    "registered_model.name",
]


@pytest.fixture(scope="module")
def world(http: httpx.Client) -> World:
    """One for the whole module: nothing here changes it."""
    return World(Api(http))


def names(api: Api, path: str, **params: str) -> list[str]:
    return [item["name"] for item in api.read(path, **params)["items"]]


@pytest.mark.parametrize(("path", "column"), SORTABLE)
def test_every_column_of_the_whitelist_sorts(world: World, path: str, column: str) -> None:
    for order in ("asc", "desc"):
        assert len(world.api.read(world.path(path), sort_by=column, order=order)["items"]) == 1


@pytest.mark.parametrize("column", NOT_SORTABLE)
@pytest.mark.parametrize("route", LISTS, ids=str)
def test_nothing_else_sorts(world: World, route: Route, column: str) -> None:
    assert_error(world.api.get(world.path(route.path), sort_by=column), 400, "invalid sort_by")


def test_the_newest_comes_first(api: Api) -> None:
    for name in ("b", "c", "a"):
        a_model(api, name)
    assert names(api, "/models") == ["a", "c", "b"]


@pytest.mark.parametrize(
    ("params", "expected"),
    [
        ({"sort_by": "name", "order": "asc"}, "abc"),
        ({"sort_by": "name", "order": "desc"}, "cba"),
        ({"sort_by": "name"}, "cba"),
        ({"sort_by": "name", "order": ""}, "cba"),
        ({"sort_by": "name", "order": "ASC"}, "cba"),
        ({"sort_by": "name", "order": "ascending"}, "cba"),
        ({"sort_by": "name", "order": "asc; DROP TABLE registered_model"}, "cba"),
        ({"sort_by": "NAME", "order": "asc"}, "abc"),
        ({"sort_by": "created_at", "order": "asc"}, "bca"),
        ({"sort_by": "", "order": "asc"}, "acb"),
        ({"order": "asc"}, "acb"),
        ({}, "acb"),
    ],
)
@pytest.mark.parametrize(
    "path", ["/models", "/model_versions", "/model_artifacts", "/serving_environments", "/inference_services"]
)
def test_order(api: Api, path: str, params: dict[str, str], expected: str) -> None:
    parent, environment = a_model(api, "b"), an_environment(api, "b")
    a_version(api, parent["id"], "b")
    a_service(api, environment, parent, "b")
    for name in ("c", "a"):
        a_model(api, name)
        a_version(api, parent["id"], name)
        an_environment(api, name)
        a_service(api, environment, parent, name)
    assert "".join(names(api, path, **params)) == expected


def test_numbers_sort_as_numbers(api: Api) -> None:
    for size in (9, 100, -1, 20):
        model = a_model(api, f"size{size}")
        assert api.patch(f"/models/{model['id']}", {"model_size": size}).status_code == 200
    sizes = [item["model_size"] for item in api.read("/models", sort_by="model_size", order="asc")["items"]]
    assert sizes == [-1, 9, 20, 100]


@pytest.mark.parametrize("order", ["asc", "desc"])
def test_ties_have_one_order_on_all_pages(api: Api, order: str) -> None:
    models = {a_model(api)["id"] for _ in range(6)}
    pages = [api.read("/models", sort_by="state", order=order, limit="1", offset=str(page)) for page in range(6)]
    seen = [page["items"][0]["id"] for page in pages]
    assert set(seen) == models
    assert seen in (sorted(seen), sorted(seen, reverse=True))


def test_sorting_by_update(api: Api) -> None:
    first, second = a_model(api, "first"), a_model(api, "second")
    time.sleep(0.01)
    assert api.patch(f"/models/{first['id']}", {}).status_code == 200
    assert names(api, "/models", sort_by="updated_at") == ["first", second["name"]]


# --- search ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("search", "expected"),
    [
        ("alpha", {"Alpha-1", "my_alpha", "ALPHA%"}),
        ("ALPHA", {"Alpha-1", "my_alpha", "ALPHA%"}),
        ("pha-", {"Alpha-1"}),
        ("y_a", {"my_alpha"}),
        ("m_alpha", set()),
        ("m__alpha", {"my_alpha"}),
        ("a%1", {"Alpha-1"}),
        ("%", {"Alpha-1", "my_alpha", "ALPHA%", "beta"}),
        (r"\%", {"ALPHA%"}),
        (r"\_", {"my_alpha"}),
        ("", {"Alpha-1", "my_alpha", "ALPHA%", "beta"}),
        ("nothing", set()),
        ("the description", set()),
        ("' OR '1'='1", set()),
    ],
)
@pytest.mark.parametrize("path", ["/models", "/serving_environments"])
def test_search_looks_for_a_part_of_the_name(api: Api, path: str, search: str, expected: set[str]) -> None:
    for name in ("Alpha-1", "my_alpha", "ALPHA%", "beta"):
        create = a_model if path == "/models" else an_environment
        create(api, name, description="the description")
    assert set(names(api, path, search=search)) == expected


@pytest.mark.parametrize("path", ["/models", "/serving_environments"])
def test_a_search_that_ends_in_a_backslash_is_no_fault_of_the_service(api: Api, path: str) -> None:
    assert api.get(path, search="a\\").status_code in {200, 400}


@pytest.mark.parametrize(
    "path", ["/model_versions", "/model_artifacts", "/inference_services", "/models/{model}/versions"]
)
def test_other_lists_do_not_know_search(world: World, path: str) -> None:
    assert_page(world.api.get(world.path(path), search="nothing"), total=1)


# --- filters -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "params", "total"),
    [
        ("/models", {"state": "LIVE"}, 1),
        ("/models", {"state": "live"}, 0),
        ("/models", {"state": "bogus"}, 0),
        ("/models", {"state": ""}, 1),
        ("/models", {"model_type": "CUSTOMTRAIN"}, 1),
        ("/models", {"model_type": "PRETRAIN"}, 0),
        ("/models", {"state": "LIVE", "model_type": "PRETRAIN"}, 0),
        ("/models", {"name": "nothing"}, 1),
        ("/models", {"deployment_status": "DEPLOYED"}, 1),
        *[
            (path, params, total)
            for path in ("/models/{model}/versions", "/model_versions", "/model_artifacts")
            for params, total in [
                ({"state": "LIVE"}, 1),
                ({"state": "ARCHIVED"}, 0),
                ({"status": "READY"}, 1),
                ({"status": "ready"}, 0),
                ({"status": "READY", "state": "ARCHIVED"}, 0),
                ({"status": "", "state": ""}, 1),
                ({"artifact_type": "doc-artifact"}, 1),
                ({"name": "nothing"}, 1),
            ]
        ],
        *[
            (path, {parameter: an_id()}, 1)
            for path in ("/model_versions", "/model_artifacts")
            for parameter in ("registered_model_id", "parentResourceId")
        ],
        ("/serving_environments", {"name": "nothing"}, 1),
        ("/inference_services", {"desired_state": "DEPLOYED"}, 1),
        ("/inference_services", {"desired_state": "UNDEPLOYED"}, 0),
        ("/inference_services", {"current_state": "UNDEPLOYED"}, 1),
        ("/inference_services", {"current_state": "undeployed"}, 0),
        ("/inference_services", {"state": "UNDEPLOYED"}, 1),
        ("/inference_services", {"state": "DEPLOYED"}, 0),
        ("/inference_services", {"serving_environment_id": an_id()}, 0),
        ("/inference_services", {"serving_environment_id": "nonsense"}, 1),
        ("/inference_services", {"serving_environment_id": ""}, 1),
        ("/inference_services", {"registered_model_id": an_id()}, 0),
        ("/inference_services", {"registered_model_id": "nonsense"}, 1),
        ("/inference_services", {"model_version_id": an_id()}, 0),
        ("/inference_services", {"model_version_id": "nonsense"}, 1),
        ("/serve_models", {"state": "PENDING"}, 1),
        ("/serve_models", {"state": "RUNNING"}, 0),
        ("/serve_models", {"inference_service_id": an_id()}, 0),
        ("/serve_models", {"inference_service_id": "nonsense"}, 1),
        ("/serve_models", {"model_version_id": an_id()}, 0),
        ("/serve_models", {"model_version_id": "nonsense"}, 1),
    ],
)
def test_filters(world: World, path: str, params: dict[str, str], total: int) -> None:
    assert_page(world.api.get(world.path(path), **params), total=total)


def test_filters_by_id_find_the_objects_that_refer_to_it(api: Api) -> None:
    world = World(api)
    other = World(world.api)
    service = world.api.patch(f"/inference_services/{other.service['id']}", {"model_version_id": other.version["id"]})
    assert service.status_code == 200, service.text

    def only(path: str, **params: str) -> JSON:
        items = assert_page(world.api.get(path, **params), total=1)
        item: JSON = items[0]
        return item

    for params in (
        {"serving_environment_id": other.environment["id"]},
        {"registered_model_id": other.model["id"].upper()},
        {"model_version_id": other.version["id"]},
    ):
        assert only("/inference_services", **params)["id"] == other.service["id"]
    a_serve_model(world.api, world.service, a_version(world.api, world.model["id"]))
    for params in ({"inference_service_id": other.service["id"]}, {"model_version_id": other.version["id"]}):
        assert only("/serve_models", **params)["id"] == other.serve_model["id"]
