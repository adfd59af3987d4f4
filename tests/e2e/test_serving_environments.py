"""Serving environments (contract 2.1-2.3; Q6, Q28, Q32, Q37, Q38)."""

from __future__ import annotations

import time
from typing import Any

import pytest
from tests.e2e import shapes
from tests.e2e.api import JSON, Api
from tests.e2e.builders import a_model, a_service, an_environment, an_id, fresh
from tests.e2e.checks import MICROS, assert_error, assert_no_content, assert_page, assert_refused, json_of, same

NOT_FOUND = "serving environment not found"
TAKEN = "serving environment with this name already exists in the project"


def contract(answer: JSON) -> JSON:
    return shapes.by_contract(answer, shapes.ENVIRONMENT_KEYS)


def test_the_least_environment(api: Api) -> None:
    environment = json_of(api.post("/serving_environments", {"name": "Any name, é"}), 201)
    assert same(contract(environment), shapes.environment("Any name, é"))
    assert same(json_of(api.get(f"/serving_environments/{environment['id']}")), environment)
    assert "project_id" not in environment


def test_an_environment_with_everything(api: Api) -> None:
    fields = {"description": "all of it", "external_id": "namespace"}
    environment = json_of(api.post("/serving_environments", {"name": "env", **fields}), 201)
    assert same(contract(environment), shapes.environment("env", **fields))
    assert same(json_of(api.get("/serving_environment", name="env")), environment)
    (item,) = assert_page(api.get("/serving_environments"), total=1)
    assert same(item, environment)


@pytest.mark.parametrize(
    "ignored", [{"id": an_id(), "project_id": an_id(), "x": 1}, {"external_id": "", "description": None}]
)
def test_fields_that_creation_ignores(api: Api, ignored: JSON) -> None:
    answer = api.post("/serving_environments", {"name": "env", **ignored})
    assert same(contract(json_of(answer, 201)), shapes.environment("env"))


@pytest.mark.parametrize("body", [{}, {"name": None}, {"name": ""}, {"description": "x"}])
def test_a_name_is_required(api: Api, body: JSON) -> None:
    assert_refused(api.post("/serving_environments", body), "name")


@pytest.mark.parametrize(("field", "most"), [("name", 100), ("external_id", 255)])
def test_lengths(api: Api, field: str, most: int) -> None:
    body = {"name": fresh("env"), field: "é" * most}
    environment = json_of(api.post("/serving_environments", body), 201)
    assert environment[field] == "é" * most
    longer = {"name": fresh("env"), field: "é" * (most + 1)}
    assert_refused(api.post("/serving_environments", longer), field)
    path = f"/serving_environments/{environment['id']}"
    assert_refused(api.patch(path, {field: "é" * (most + 1)}), field)


def test_a_name_is_unique_in_its_project(api: Api) -> None:
    an_environment(api, "env")
    assert_error(api.post("/serving_environments", {"name": "env"}), 409, TAKEN)
    an_environment(api, "ENV")
    an_environment(api.of_another_project(), "env")


@pytest.mark.parametrize("query", ["", "?name=", "?externalId=x", "?id=1"])
def test_finding_needs_a_name(api: Api, query: str) -> None:
    assert_error(api.get("/serving_environment" + query), 400, "name query parameter is required")


@pytest.mark.parametrize("name", ["ENV", "en", "env ", "%", "other"])
def test_finding_is_exact(api: Api, name: str) -> None:
    an_environment(api, "env")
    assert_error(api.get("/serving_environment", name=name), 404, NOT_FOUND)


def test_unknown_and_foreign_environments_are_404(api: Api) -> None:
    theirs = api.of_another_project()
    foreign = an_environment(theirs)
    for environment_id in (an_id(), foreign["id"]):
        path = f"/serving_environments/{environment_id}"
        assert_error(api.get(path), 404, NOT_FOUND)
        assert_error(api.patch(path, {"name": "x"}), 404, NOT_FOUND)
        assert_error(api.delete(path), 404, NOT_FOUND)
    assert_error(api.get("/serving_environment", name=foreign["name"]), 404, NOT_FOUND)
    assert theirs.read(f"/serving_environments/{foreign['id']}") == foreign


# --- changing ----------------------------------------------------------------------------------------------------


def patched(api: Api, environment: JSON, body: object) -> JSON:
    answer: JSON = json_of(api.patch(f"/serving_environments/{environment['id']}", body))
    assert same(json_of(api.get(f"/serving_environments/{environment['id']}")), answer)
    return contract(answer)


@pytest.mark.parametrize(
    ("field", "value"), [("name", "renamed"), ("description", "after"), ("description", ""), ("external_id", "ns")]
)
def test_one_field_changes_and_no_other(api: Api, field: str, value: Any) -> None:
    environment = an_environment(api, description="before", external_id="before")
    expected = {**contract(environment), field: value, "updated_at": MICROS}
    assert same(patched(api, environment, {field: value}), expected)


def test_an_empty_external_id_is_omitted(api: Api) -> None:
    environment = an_environment(api, external_id="before")
    assert "external_id" not in patched(api, environment, {"external_id": ""})


@pytest.mark.parametrize("body", [{}, None, {"name": None, "description": None, "external_id": None}, {"x": 1}])
def test_nothing_to_change_is_a_change_of_the_time(api: Api, body: object) -> None:
    environment = an_environment(api, description="kept", external_id="kept")
    time.sleep(0.01)
    after = patched(api, environment, body)
    assert same(after, {**contract(environment), "updated_at": MICROS})
    assert after["updated_at"] != environment["updated_at"]


def test_names_stay_unique_and_not_empty(api: Api) -> None:
    environment, other = an_environment(api), an_environment(api)
    path = f"/serving_environments/{environment['id']}"
    assert_error(api.patch(path, {"name": other["name"]}), 409, TAKEN)
    assert_error(api.patch(path, {"name": ""}), 400, "serving environment name is required")
    assert api.read(path) == environment
    patched(api, environment, {"name": environment["name"]})


# --- deleting ----------------------------------------------------------------------------------------------------


def test_an_environment_is_deleted_once(api: Api) -> None:
    environment = an_environment(api)
    path = f"/serving_environments/{environment['id']}"
    assert_no_content(api.delete(path))
    assert_error(api.get(path), 404, NOT_FOUND)
    assert_error(api.delete(path), 404, NOT_FOUND)
    an_environment(api, environment["name"])


@pytest.mark.parametrize("desired_state", ["DEPLOYED", "UNDEPLOYED"])
def test_an_environment_with_services_is_not_deleted(api: Api, desired_state: str) -> None:
    environment = an_environment(api)
    service = a_service(api, environment, a_model(api))
    json_of(api.patch(f"/inference_services/{service['id']}", {"desired_state": desired_state}))
    path = f"/serving_environments/{environment['id']}"
    assert_error(api.delete(path), 400, "serving environment has active inference services")
    assert_no_content(api.delete(f"/inference_services/{service['id']}"))
    assert_no_content(api.delete(path))
