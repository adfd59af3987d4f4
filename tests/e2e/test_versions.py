"""Model versions (contract, routes 7-14; Q3, Q6, Q26, Q28, Q33, Q34, Q35, Q38, Q48, Q50, Q54)."""

from __future__ import annotations

import time
from typing import Any

import pytest
from tests.e2e import shapes
from tests.e2e.api import JSON, Api
from tests.e2e.builders import a_model, a_version, an_artifact, an_id, fresh, version_body
from tests.e2e.checks import SECONDS, assert_error, assert_page, assert_refused, json_of, same

NOT_FOUND = "model version not found"
TAKEN = "version with this name already exists for this model"
FULL: JSON = {
    "description": "all of it",
    "is_default": True,
    "artifact_type": "doc-artifact",
    "model_framework": "no such framework",
    "model_framework_version": "1.2.3",
    "container_image": "registry/image:1",
    "model_catalog_name": "catalog",
    "uri": "any text, é",
    "labels": {"a": "", "k": "v"},
    "prebuilt_container_id": "abcdef01-2345-6789-abcd-ef0123456789",
    "created_by_email": "a@b.c",
    "updated_by_email": "d@e.f",
}
LIMITS = {
    "artifact_type": 50,
    "model_framework": 100,
    "model_framework_version": 50,
    "container_image": 500,
    "uri": 500,
}
ROUTES = ["/models/{model}/versions/{version}", "/model_versions/{version}"]


@pytest.fixture
def model(api: Api) -> JSON:
    return a_model(api)


@pytest.fixture(params=ROUTES)
def route(request: pytest.FixtureRequest) -> str:
    """Both routes that read and change one version."""
    template: str = request.param
    return template


def at(route: str, version: JSON) -> str:
    return route.format(model=version["registered_model_id"], version=version["id"])


# --- creating ----------------------------------------------------------------------------------------------------


def test_the_least_version(api: Api, model: JSON) -> None:
    version = json_of(api.post(f"/models/{model['id']}/versions", version_body("v1")), 201)
    assert same(version, shapes.version(model["id"], "v1"))


def test_a_version_with_everything(api: Api, model: JSON) -> None:
    body = {"name": "v1", "access_key": "AKIA-secret", "secret_key": "very-secret", **FULL}
    response = api.post(f"/models/{model['id']}/versions", body)
    version = json_of(response, 201)
    assert same(version, shapes.version(model["id"], "v1", **FULL))
    for path in (*(at(route, version) for route in ROUTES), f"/models/{model['id']}", "/model_versions"):
        text = api.get(path).text
        assert "secret" not in text
        assert "access_key" not in text
    assert same(api.read(at(ROUTES[0], version)), version)


def test_fields_that_creation_ignores(api: Api, model: JSON) -> None:
    ignored: JSON = {
        "state": "X",
        "status": "READY",
        "id": an_id(),
        "created_by_id": an_id(),
        "registered_model_id": an_id(),
    }
    empty: JSON = {"artifact_type": "", "labels": None, "is_default": None, "prebuilt_container_id": None}
    for body in (ignored, empty):
        name = fresh("v")
        answer = api.post(f"/models/{model['id']}/versions", version_body(name, **body))
        assert same(json_of(answer, 201), shapes.version(model["id"], name))


def test_a_version_name_is_unique_in_its_model(api: Api, model: JSON) -> None:
    a_version(api, model["id"], "v1")
    an_artifact(api, model["id"], "a1")
    for name in ("v1", "a1"):
        assert_error(api.post(f"/models/{model['id']}/versions", version_body(name)), 409, TAKEN)
    a_version(api, model["id"], "V1")
    a_version(api, a_model(api)["id"], "v1")


def test_an_unknown_or_foreign_model_has_no_versions_and_cannot_get_one(api: Api) -> None:
    for model_id in (an_id(), a_model(api.of_another_project())["id"]):
        response = api.post(f"/models/{model_id}/versions", version_body())
        assert_error(response, 404, "registered model not found")
        assert assert_page(api.get(f"/models/{model_id}/versions"), total=0) == []


def test_an_archived_model_takes_versions(api: Api, model: JSON) -> None:
    json_of(api.patch(f"/models/{model['id']}", {"state": "ARCHIVED"}))
    a_version(api, model["id"])


@pytest.mark.parametrize(
    ("field", "most"),
    [("name", 100), ("model_catalog_name", 200), ("access_key", 500), ("secret_key", 500),
     ("created_by_email", 255), ("updated_by_email", 255), *LIMITS.items()],
)  # fmt: skip
def test_lengths_at_creation(api: Api, model: JSON, field: str, most: int) -> None:
    path = f"/models/{model['id']}/versions"
    json_of(api.post(path, version_body() | {field: "é" * most}), 201)
    assert_refused(api.post(path, version_body() | {field: "é" * (most + 1)}), field)


# --- reading -----------------------------------------------------------------------------------------------------


def test_a_list_of_a_model_has_only_its_versions(api: Api, model: JSON) -> None:
    other = a_version(api, a_model(api)["id"])
    first = a_version(api, model["id"], **FULL)
    second = an_artifact(api, model["id"])
    items = assert_page(api.get(f"/models/{model['id']}/versions"), total=2)
    assert [item["id"] for item in items] == [second["id"], first["id"]]
    assert same(items[1], first)
    everything = assert_page(api.get("/model_versions"), total=3)
    assert [item["id"] for item in everything] == [second["id"], first["id"], other["id"]]
    assert same(everything[1], first)


def test_an_artifact_is_a_version(api: Api, model: JSON, route: str) -> None:
    artifact = an_artifact(api, model["id"], "a1", description="stored")
    expected = shapes.version(model["id"], "a1", description="stored")
    assert same(json_of(api.get(at(route, artifact))), expected)


def test_unknown_and_foreign_versions_are_404(api: Api, model: JSON) -> None:
    version = a_version(api, model["id"])
    theirs = api.of_another_project()
    foreign = a_version(theirs, a_model(theirs)["id"])
    for path in (
        f"/model_versions/{an_id()}",
        f"/model_versions/{foreign['id']}",
        f"/models/{model['id']}/versions/{an_id()}",
        f"/models/{model['id']}/versions/{foreign['id']}",
        f"/models/{an_id()}/versions/{version['id']}",
        f"/models/{a_model(api)['id']}/versions/{version['id']}",
        f"/models/{foreign['registered_model_id']}/versions/{foreign['id']}",
    ):
        assert_error(api.get(path), 404, NOT_FOUND)
        assert_error(api.patch(path, {"description": "hijacked"}), 404, NOT_FOUND)
    assert same(api.read(f"/model_versions/{version['id']}"), version)
    assert same(theirs.read(f"/model_versions/{foreign['id']}"), foreign)


@pytest.mark.parametrize("path", ["/model_version", "/model_artifact"])
def test_finding(api: Api, model: JSON, path: str) -> None:
    other_model = a_model(api)
    oldest = a_version(api, model["id"], "same")
    second = a_version(api, model["id"], "second")
    elsewhere = a_version(api, other_model["id"], "same")
    for params, expected in [
        ({"name": "second"}, second),
        ({"name": "same"}, oldest),
        ({"parentResourceId": model["id"]}, oldest),
        ({"parentResourceId": other_model["id"]}, elsewhere),
        ({"registered_model_id": other_model["id"]}, elsewhere),
        ({"name": "same", "registered_model_id": other_model["id"]}, elsewhere),
        ({"name": "same", "parentResourceId": other_model["id"].upper()}, elsewhere),
        ({"externalId": second["id"]}, second),
        ({"externalId": second["id"], "name": "", "parentResourceId": ""}, second),
        ({"externalId": second["id"], "name": "second", "parentResourceId": model["id"]}, second),
    ]:
        found = json_of(api.get(path, **params))
        kept = list(expected) if path == "/model_version" else shapes.ARTIFACT_KEYS
        assert same(found, {key: expected[key] for key in kept})


@pytest.mark.parametrize("path", ["/model_version", "/model_artifact"])
def test_finds_without_a_match(api: Api, model: JSON, path: str) -> None:
    version = a_version(api, model["id"], "One")
    for query in (
        "",
        "?name=&externalId=&parentResourceId=",
        "?name=one",
        f"?externalId={version['id'].replace('-', '')}",
        "?externalId=nonsense",
        f"?name=One&parentResourceId={an_id()}",
        f"?name=Two&externalId={version['id']}",
        f"?name=One&externalId={an_id()}",
    ):
        assert_error(api.get(path + query), 404, NOT_FOUND)
    assert_error(api.of_another_project().get(path, name="One"), 404, NOT_FOUND)
    for bad in ("nonsense", "1", model["id"] + "0"):
        assert_error(api.get(path, parentResourceId=bad), 400, "invalid parentResourceId")


# --- changing ----------------------------------------------------------------------------------------------------


def patched(api: Api, route: str, version: JSON, body: object) -> JSON:
    answer: JSON = json_of(api.patch(at(route, version), body))
    assert same(json_of(api.get(f"/model_versions/{version['id']}")), answer)
    return answer


@pytest.mark.parametrize(
    ("field", "value"),
    [
        *[(field, value) for field in ("description", *LIMITS, "state", "status") for value in ("other", "")],
        ("name", "other"),
        ("is_default", False),
        ("labels", {}),
        ("labels", {"x": "y"}),
    ],
)
def test_one_field_changes_and_no_other(api: Api, model: JSON, route: str, field: str, value: Any) -> None:
    version = a_version(api, model["id"], **FULL)
    expected = {**version, field: value, "updated_at": SECONDS}
    assert same(patched(api, route, version, {field: value}), expected)


def test_fields_that_cannot_be_changed_are_ignored(api: Api, model: JSON, route: str) -> None:
    version = a_version(api, model["id"], **FULL)
    fixed = {
        "model_catalog_name": "x",
        "access_key": "x",
        "secret_key": "x",
        "prebuilt_container_id": an_id(),
        "created_by_email": "x",
        "updated_by_email": "x",
        "registered_model_id": an_id(),
        "id": an_id(),
    }
    assert same(patched(api, route, version, fixed), {**version, "updated_at": SECONDS})


@pytest.mark.parametrize("body", [{}, None, {"description": None, "labels": None, "is_default": None}])
def test_nothing_to_change_is_a_change_of_the_time(api: Api, model: JSON, body: object) -> None:
    version = a_version(api, model["id"], **FULL)
    time.sleep(1.1)
    after = patched(api, ROUTES[1], version, body)
    assert same(after, {**version, "updated_at": SECONDS})
    assert after["updated_at"] > version["updated_at"]


def test_names_stay_unique_and_not_empty(api: Api, model: JSON, route: str) -> None:
    version, other = a_version(api, model["id"]), a_version(api, model["id"])
    assert_error(api.patch(at(route, version), {"name": other["name"]}), 409, TAKEN)
    assert_error(api.patch(at(route, version), {"name": ""}), 400, "version name is required")
    assert same(api.read(at(route, version)), version)
    patched(api, route, version, {"name": version["name"]})


@pytest.mark.parametrize(("field", "most"), [("name", 100), ("state", 50), ("status", 50), *LIMITS.items()])
def test_lengths(api: Api, model: JSON, route: str, field: str, most: int) -> None:
    version = a_version(api, model["id"])
    assert patched(api, route, version, {field: "é" * most})[field] == "é" * most
    assert_refused(api.patch(at(route, version), {field: "é" * (most + 1)}), field)
