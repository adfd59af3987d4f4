"""SQL, patterns and markup in every parameter are treated as text (Q5, Q25)."""

from __future__ import annotations

import time

import httpx
import pytest
from tests.e2e.api import Api
from tests.e2e.builders import World, a_model, a_version, an_environment, created, fresh, version_body
from tests.e2e.checks import assert_error, json_of
from tests.e2e.routes import FINDS, LISTS, Route

# A matrix of hundreds of requests.
pytestmark = pytest.mark.slow

PAYLOADS = [
    "'",
    "''",
    '"',
    "' OR '1'='1",
    "' OR 1=1 --",
    "'; DROP TABLE registered_model; --",
    "'; SELECT pg_sleep(10); --",
    "1) UNION SELECT access_key, secret_key FROM model_version --",
    "$1",
    "%s",
    "{0}",
    "${jndi:ldap://x}",
    "\\",
    "\\'; DROP TABLE model_version; --",
    "/* */",
    "name\r\nX-Injected: 1",
    "../../etc/passwd",
    "<script>alert(1)</script>",
    "\u02bc OR 1=1",
]
FILTERS = {
    "/models": ["state", "model_type", "search"],
    "/models/{model}/versions": ["state", "status"],
    "/model_versions": ["state", "status"],
    "/model_artifacts": ["state", "status"],
    "/serving_environments": ["search"],
    "/inference_services": ["desired_state", "current_state", "state"],
    "/serve_models": ["state"],
}
UUID_FILTERS = {
    "/inference_services": ["serving_environment_id", "registered_model_id", "model_version_id"],
    "/serve_models": ["inference_service_id", "model_version_id"],
}


@pytest.fixture(scope="module")
def world(http: httpx.Client) -> World:
    """One for the whole module: nothing here changes it."""
    return World(Api(http))


@pytest.mark.parametrize(("path", "parameter"), [(path, name) for path, names in FILTERS.items() for name in names])
def test_filters_match_text_only(world: World, path: str, parameter: str) -> None:
    before = time.monotonic()
    for payload in PAYLOADS:
        response = world.api.get(world.path(path), **{parameter: payload})
        if parameter == "search" and payload == "\\" and response.status_code == 400:
            continue  # an unfinished escape
        assert json_of(response)["items"] == [], payload
    assert time.monotonic() - before < 9


@pytest.mark.parametrize(
    ("path", "parameter"), [(path, name) for path, names in UUID_FILTERS.items() for name in names]
)
def test_id_filters_ignore_invalid_ids(world: World, path: str, parameter: str) -> None:
    for payload in PAYLOADS:
        assert json_of(world.api.get(path, **{parameter: payload}))["total"] == 1, payload


@pytest.mark.parametrize("route", LISTS, ids=str)
def test_sorting_takes_names_only(world: World, route: Route) -> None:
    path = world.path(route.path)
    for payload in PAYLOADS:
        assert_error(world.api.get(path, sort_by=payload), 400, "invalid sort_by")
        assert json_of(world.api.get(path, sort_by="created_at", order=payload))["total"] == 1, payload
        assert json_of(world.api.get(path, order=payload))["total"] == 1, payload


@pytest.mark.parametrize("route", FINDS, ids=str)
def test_finding_matches_text_only(world: World, route: Route) -> None:
    params = {"serving_environment_id": world.environment["id"]} if route.path == "/inference_service" else {}
    for payload in PAYLOADS:
        assert_error(world.api.get(route.path, name=payload, **params), 404, route.not_found)
    if route.path != "/serving_environment":
        for payload in PAYLOADS:
            assert_error(world.api.get(route.path, externalId=payload), 404, route.not_found)


@pytest.mark.parametrize("payload", PAYLOADS)
def test_text_is_stored_as_it_is(api: Api, payload: str) -> None:
    model = a_model(api, payload, description=payload, labels={payload: payload}, tags={"tasks": [payload]})
    version = a_version(api, model["id"], payload, uri=payload, container_image=payload)
    environment = an_environment(api, payload)
    assert json_of(api.get("/model", name=payload))["id"] == model["id"]
    assert json_of(api.get("/model_version", name=payload)) == version
    assert json_of(api.get("/serving_environment", name=payload)) == environment
    body = version_body(payload + "2", registered_model_id=model["id"], labels={payload: payload})
    assert created(api, "/model_artifacts", body)["labels"] == {payload: payload}
    renamed = json_of(api.patch(f"/models/{model['id']}", {"name": payload + "3", "state": payload[:50]}))
    assert (renamed["name"], renamed["state"]) == (payload + "3", payload[:50])
    assert json_of(api.get("/models", state=payload[:50]))["total"] == 1


def test_texts_do_not_reach_the_headers(api: Api) -> None:
    response = api.post("/deploy", {"registered_model_id": "x\r\nX-Injected: 1", "serving_environment_id": "y"})
    assert "x-injected" not in response.headers
    model = a_model(api)
    environment = an_environment(api)
    a_version(api, model["id"], "v\r\nX-Injected: 1 % é 😀 %0d%0a")
    body = {"registered_model_id": model["id"], "serving_environment_id": environment["id"]}
    response = api.post("/deploy", body)
    text = "version v\r\nX-Injected: 1 % é 😀 %0d%0a: model version is not ready for deployment"
    assert_error(response, 400, text)
    assert "x-injected" not in response.headers


NUL = ["%00", "a%00b"]
INVALID_UTF8 = ["%ff", "%c3%28", "%ed%a0%80"]


@pytest.mark.parametrize("text", NUL + INVALID_UTF8)
@pytest.mark.parametrize(("path", "parameter"), [(path, name) for path, names in FILTERS.items() for name in names])
def test_unstorable_text_in_a_filter_is_400(world: World, path: str, parameter: str, text: str) -> None:
    response = world.api.get(f"{world.path(path)}?{parameter}={text}")
    assert response.status_code == 400
    assert list(response.json()) == ["error"]


@pytest.mark.parametrize("text", NUL + INVALID_UTF8)
@pytest.mark.parametrize("parameter", ["name", "externalId"])
@pytest.mark.parametrize("route", FINDS, ids=str)
def test_unstorable_text_in_a_find_is_no_fault_of_the_service(
    world: World, route: Route, parameter: str, text: str
) -> None:
    query = f"{parameter}={text}"
    if route.path == "/inference_service":
        query += f"&serving_environment_id={world.environment['id']}"
    response = world.api.get(f"{route.path}?{query}")
    assert response.status_code in {400, 404}
    assert list(response.json()) == ["error"]


def test_everything_is_still_there(api: Api) -> None:
    model = a_model(api, fresh("model"))
    a_version(api, model["id"])
    assert json_of(api.get("/models"))["total"] == 1
