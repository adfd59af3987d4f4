"""Inference services as records (contract 2.1-2.3, 2.5; Q6, Q12, Q27, Q28, Q33, Q36, Q38, Q45; decision 6)."""

from __future__ import annotations

import time
from typing import Any

import pytest
from tests.e2e import shapes
from tests.e2e.api import JSON, Api
from tests.e2e.builders import World, a_serve_model, a_service, a_version, an_environment, an_id
from tests.e2e.checks import MICROS, assert_error, assert_no_content, assert_page, assert_refused, json_of, same
from tests.e2e.places import Place

NOT_FOUND = "inference service not found"
TAKEN = "inference service with this name already exists"
INCOMPLETE = "either externalId or (name + serving_environment_id) is required"


@pytest.fixture
def place(api: Api) -> Place:
    return Place(api)


def contract(answer: JSON) -> JSON:
    return shapes.by_contract(answer, shapes.SERVICE_KEYS)


def test_the_least_service(api: Api, place: Place) -> None:
    service = json_of(api.post("/inference_services", place.body(name="Any name, é")), 201)
    assert same(contract(service), place.expected("Any name, é"))
    assert "model_version_id" not in service
    assert same(json_of(api.get(f"/inference_services/{service['id']}")), service)
    (item,) = assert_page(api.get("/inference_services"), total=1)
    assert same(contract(item), contract(service))


def test_a_service_with_everything(api: Api, place: Place) -> None:
    fields = {"runtime": "other", "labels": {"b": "1", "a": "2"}}
    service = json_of(api.post("/inference_services", place.body(name="svc", **fields)), 201)
    assert same(contract(service), place.expected("svc", runtime="other", labels={"a": "2", "b": "1"}))


def test_fields_that_creation_ignores(api: Api, place: Place) -> None:
    ignored: JSON = {
        "desired_state": "UNDEPLOYED",
        "current_state": "DEPLOYED",
        "external_id": "x",
        "url": "x",
        "last_error": "x",
    }
    empty: JSON = {"runtime": "", "labels": None, "model_version_ids": None, "model_version_id": None}
    no_versions: JSON = {"model_version_ids": []}
    for fields in (ignored, empty, no_versions):
        body = place.body(**fields)
        assert same(contract(json_of(api.post("/inference_services", body), 201)), place.expected(body["name"]))


def test_required_fields(api: Api, place: Place) -> None:
    required = ["name", "serving_environment_id", "registered_model_id"]
    assert_refused(api.post("/inference_services", {}), *required)
    for field in required:
        for nothing in (None, ""):
            assert_refused(api.post("/inference_services", place.body(**{field: nothing})), field)


@pytest.mark.parametrize(("field", "most"), [("name", 100), ("runtime", 50)])
def test_lengths_at_creation(api: Api, place: Place, field: str, most: int) -> None:
    json_of(api.post("/inference_services", place.body(**{field: "é" * most})), 201)
    assert_refused(api.post("/inference_services", place.body(**{field: "é" * (most + 1)})), field)


def test_environment_and_model_must_be_of_the_project(api: Api, place: Place) -> None:
    theirs = Place(api.of_another_project())
    no_environment = "serving environment not found"
    for environment in (an_id(), theirs.environment["id"]):
        body = place.body(serving_environment_id=environment, registered_model_id=an_id())
        assert_error(api.post("/inference_services", body), 404, no_environment)
    for model in (an_id(), theirs.model["id"]):
        body = place.body(registered_model_id=model)
        assert_error(api.post("/inference_services", body), 404, "registered model not found")
    assert_page(api.get("/inference_services"), total=0)


def test_a_name_is_unique_in_its_environment(api: Api, place: Place) -> None:
    place.service(name="svc")
    assert_error(api.post("/inference_services", place.body(name="svc")), 409, TAKEN)
    place.service(name="SVC")
    a_service(api, an_environment(api), place.model, "svc")


# --- changing ----------------------------------------------------------------------------------------------------


def patched(api: Api, service: JSON, body: object) -> JSON:
    answer: JSON = json_of(api.patch(f"/inference_services/{service['id']}", body))
    assert same(json_of(api.get(f"/inference_services/{service['id']}")), answer)
    return contract(answer)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("name", "renamed"),
        ("desired_state", "UNDEPLOYED"),
        ("desired_state", "DEPLOYED"),
        ("current_state", "DEPLOYED"),
        ("external_id", "uid"),
        ("url", "http://somewhere"),
        ("last_error", "broken"),
        ("labels", {"x": "y"}),
        ("labels", {}),
    ],
)
def test_one_field_changes_and_no_other(api: Api, place: Place, field: str, value: Any) -> None:
    service = place.service(name="svc", labels={"k": "v"})
    fields: JSON = {"labels": {"k": "v"}, field: value}
    expected = place.expected(str(fields.pop("name", "svc")), **fields)
    assert same(patched(api, service, {field: value}), expected)


@pytest.mark.parametrize("field", ["external_id", "url", "last_error"])
def test_emptied_fields_are_omitted(api: Api, place: Place, field: str) -> None:
    service = place.service()
    assert field in patched(api, service, {field: "something"})
    assert field not in patched(api, service, {field: ""})


@pytest.mark.parametrize("field", ["desired_state", "current_state"])
@pytest.mark.parametrize("state", ["", "deployed", "FAILED", "DEPLOYED ", "x" * 60])
def test_states_are_validated(api: Api, place: Place, field: str, state: str) -> None:
    service = place.service()
    assert_error(api.patch(f"/inference_services/{service['id']}", {field: state}), 400, "invalid state")
    assert json_of(api.get(f"/inference_services/{service['id']}")) == service


@pytest.mark.parametrize("body", [{}, None, {"labels": None, "url": None, "desired_state": None}])
def test_nothing_to_change_is_a_change_of_the_time(api: Api, place: Place, body: object) -> None:
    service = place.service(labels={"k": "v"})
    time.sleep(0.01)
    after = patched(api, service, body)
    assert same(after, {**contract(service), "updated_at": MICROS})
    assert after["updated_at"] != service["updated_at"]


def test_fields_that_cannot_be_changed_are_ignored(api: Api, place: Place) -> None:
    service = place.service()
    fixed = {"runtime": "x", "serving_environment_id": an_id(), "registered_model_id": an_id(), "id": an_id()}
    assert same(patched(api, service, fixed), {**contract(service), "updated_at": MICROS})


def test_names_stay_unique_and_not_empty(api: Api, place: Place) -> None:
    service, other = place.service(), place.service()
    path = f"/inference_services/{service['id']}"
    assert_error(api.patch(path, {"name": other["name"]}), 409, TAKEN)
    assert_error(api.patch(path, {"name": ""}), 400, "inference service name is required")
    patched(api, service, {"name": service["name"]})


@pytest.mark.parametrize(("field", "most"), [("name", 100), ("external_id", 255), ("url", 500)])
def test_lengths(api: Api, place: Place, field: str, most: int) -> None:
    service = place.service()
    assert patched(api, service, {field: "é" * most})[field] == "é" * most
    assert_refused(api.patch(f"/inference_services/{service['id']}", {field: "é" * (most + 1)}), field)


# --- finding and deleting ----------------------------------------------------------------------------------------


def test_finding(api: Api, place: Place) -> None:
    first, second = place.service(name="first"), place.service(name="second")
    for service in (first, second):
        patched(api, service, {"external_id": "same"})
    by_name = {"name": "second", "serving_environment_id": place.environment["id"].upper()}
    assert json_of(api.get("/inference_service", **by_name))["id"] == second["id"]
    for params in ({"externalId": "same"}, {"externalId": "same", **by_name}):
        assert json_of(api.get("/inference_service", **params))["id"] == first["id"]


def test_finds_without_a_match(api: Api, place: Place) -> None:
    service = place.service(name="svc")
    environment = place.environment["id"]
    for params in (
        {"externalId": "nothing"},
        {"externalId": service["id"]},
        {"name": "other", "serving_environment_id": environment},
        {"name": "SVC", "serving_environment_id": environment},
        {"name": "svc", "serving_environment_id": an_id()},
        {"externalId": "nothing", "name": "svc", "serving_environment_id": environment},
    ):
        assert_error(api.get("/inference_service", **params), 404, NOT_FOUND)
    for params in (
        {},
        {"name": "svc"},
        {"serving_environment_id": environment},
        {"externalId": "", "name": "", "serving_environment_id": ""},
        {"name": "svc", "serving_environment_id": ""},
    ):
        assert_error(api.get("/inference_service", **params), 400, INCOMPLETE)
    bad = {"name": "svc", "serving_environment_id": "nonsense"}
    assert_error(api.get("/inference_service", **bad), 400, "invalid serving_environment_id")


def test_a_deployed_service_is_not_deleted(api: Api, place: Place) -> None:
    service = place.service()
    path = f"/inference_services/{service['id']}"
    patched(api, service, {"current_state": "DEPLOYED", "desired_state": "UNDEPLOYED"})
    assert_error(api.delete(path), 400, "cannot delete deployed inference service")
    patched(api, service, {"current_state": "UNDEPLOYED", "desired_state": "DEPLOYED"})
    assert_no_content(api.delete(path))
    assert_error(api.get(path), 404, NOT_FOUND)
    assert_error(api.delete(path), 404, NOT_FOUND)


def test_serve_models_are_deleted_with_their_service(world: World) -> None:
    a_serve_model(world.api, world.service, a_version(world.api, world.model["id"]))
    assert_no_content(world.api.delete(f"/inference_services/{world.service['id']}"))
    assert_page(world.api.get("/serve_models"), total=0)
    assert_error(world.api.get(f"/serve_models/{world.serve_model['id']}"), 404, "serve model not found")
