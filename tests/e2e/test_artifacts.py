"""Model artifacts: versions seen through twelve keys (contract, routes 15-19; Q6, Q30, Q38)."""

from __future__ import annotations

from typing import Any

import pytest
from tests.e2e import shapes
from tests.e2e.api import JSON, Api
from tests.e2e.builders import a_model, a_version, an_artifact, an_id, version_body
from tests.e2e.checks import SECONDS, assert_error, assert_page, assert_refused, json_of, same

NOT_FOUND = "model version not found"
FULL: JSON = {
    "artifact_type": "dataset-artifact",
    "model_framework": "sklearn",
    "model_framework_version": "1.5",
    "container_image": "image",
    "uri": "s3://bucket/key",
    "labels": {"k": "v"},
    "prebuilt_container_id": "abcdef01-2345-6789-abcd-ef0123456789",
}
CHANGEABLE = {
    "artifact_type": 50,
    "model_framework": 100,
    "model_framework_version": 50,
    "container_image": 500,
    "uri": 500,
}


@pytest.fixture
def model(api: Api) -> JSON:
    return a_model(api)


def test_the_least_artifact(api: Api, model: JSON) -> None:
    body = version_body("a1", registered_model_id=model["id"])
    artifact = json_of(api.post("/model_artifacts", body), 201)
    assert same(artifact, shapes.artifact(model["id"], "a1"))
    assert same(json_of(api.get(f"/model_artifacts/{artifact['id']}")), artifact)


def test_an_artifact_with_everything_and_the_version_behind_it(api: Api, model: JSON) -> None:
    unseen = {"description": "stored", "access_key": "secret", "secret_key": "secret"}
    ignored = {"is_default": True, "model_catalog_name": "x", "created_by_email": "x", "state": "X", "status": "READY"}
    body = {"name": "a1", "registered_model_id": model["id"], **FULL, **unseen, **ignored}
    response = api.post("/model_artifacts", body)
    artifact = json_of(response, 201)
    assert "secret" not in response.text
    assert same(artifact, shapes.artifact(model["id"], "a1", **FULL))
    version = json_of(api.get(f"/model_versions/{artifact['id']}"))
    assert same(version, shapes.version(model["id"], "a1", description="stored", **FULL))


def test_required_fields(api: Api, model: JSON) -> None:
    required = ["registered_model_id", "name", "model_framework", "model_framework_version", "uri"]
    text = assert_refused(api.post("/model_artifacts", {}), *required)
    places = [text.index(field) for field in ("registered_model_id", "model_framework", "uri")]
    assert places == sorted(places)
    body = version_body(registered_model_id=model["id"])
    for field in required:
        for nothing in (None, ""):
            assert_refused(api.post("/model_artifacts", body | {field: nothing}), field)


def test_an_unknown_or_foreign_model_is_404(api: Api) -> None:
    for model_id in (an_id(), a_model(api.of_another_project())["id"]):
        response = api.post("/model_artifacts", version_body(registered_model_id=model_id))
        assert_error(response, 404, "registered model not found")


def test_names_are_shared_with_versions(api: Api, model: JSON) -> None:
    a_version(api, model["id"], "v1")
    an_artifact(api, model["id"], "a1")
    for name in ("v1", "a1"):
        response = api.post("/model_artifacts", version_body(name, registered_model_id=model["id"]))
        assert_error(response, 409, "version with this name already exists for this model")


def test_lists_show_every_version_of_any_type(api: Api, model: JSON) -> None:
    version = a_version(api, model["id"], "v1", artifact_type="doc-artifact", description="unseen")
    artifact = an_artifact(api, model["id"], "a1")
    items = assert_page(api.get("/model_artifacts", artifact_type="model-artifact"), total=2)
    assert same(items[0], artifact)
    assert same(items[1], {key: version[key] for key in shapes.ARTIFACT_KEYS})


def test_a_version_is_readable_and_changeable_as_an_artifact(api: Api, model: JSON) -> None:
    version = a_version(api, model["id"], is_default=True, status="READY", created_by_email="a@b.c")
    path = f"/model_artifacts/{version['id']}"
    assert same(json_of(api.get(path)), {key: version[key] for key in shapes.ARTIFACT_KEYS})
    json_of(api.patch(path, {"uri": "other"}))
    after = json_of(api.get(f"/model_versions/{version['id']}"))
    assert same(after, {**version, "uri": "other", "updated_at": SECONDS})


def test_unknown_and_foreign_artifacts_are_404(api: Api) -> None:
    theirs = api.of_another_project()
    foreign = an_artifact(theirs, a_model(theirs)["id"])
    for artifact_id in (an_id(), foreign["id"]):
        assert_error(api.get(f"/model_artifacts/{artifact_id}"), 404, NOT_FOUND)
        assert_error(api.patch(f"/model_artifacts/{artifact_id}", {"uri": "x"}), 404, NOT_FOUND)
    assert same(theirs.read(f"/model_artifacts/{foreign['id']}"), foreign)


def patched(api: Api, artifact: JSON, body: object) -> JSON:
    answer: JSON = json_of(api.patch(f"/model_artifacts/{artifact['id']}", body))
    assert same(json_of(api.get(f"/model_artifacts/{artifact['id']}")), answer)
    return answer


@pytest.mark.parametrize(
    ("field", "value"),
    [*[(field, value) for field in CHANGEABLE for value in ("other", "")], ("labels", {}), ("labels", {"x": "y"})],
)
def test_one_field_changes_and_no_other(api: Api, model: JSON, field: str, value: Any) -> None:
    artifact = an_artifact(api, model["id"], **FULL)
    expected = {**artifact, field: value, "updated_at": SECONDS}
    assert same(patched(api, artifact, {field: value}), expected)


@pytest.mark.parametrize("body", [{}, None, {"labels": None, "uri": None}])
def test_nothing_to_change_is_fine(api: Api, model: JSON, body: object) -> None:
    artifact = an_artifact(api, model["id"], **FULL)
    assert same(patched(api, artifact, body), {**artifact, "updated_at": SECONDS})


def test_everything_else_is_ignored(api: Api, model: JSON) -> None:
    artifact = an_artifact(api, model["id"], **FULL)
    other = an_artifact(api, model["id"])
    version = api.read(f"/model_versions/{artifact['id']}")
    body = {
        "name": other["name"],
        "description": "x",
        "state": "ARCHIVED",
        "status": "READY",
        "is_default": True,
        "prebuilt_container_id": an_id(),
        "registered_model_id": an_id(),
        "model_catalog_name": "x",
    }
    patched(api, artifact, body)
    after = api.read(f"/model_versions/{artifact['id']}")
    assert same(after, {**version, "updated_at": SECONDS})


@pytest.mark.parametrize(("field", "most"), CHANGEABLE.items())
def test_lengths(api: Api, model: JSON, field: str, most: int) -> None:
    artifact = an_artifact(api, model["id"], **{field: "é" * most})
    assert artifact[field] == "é" * most
    assert_refused(api.patch(f"/model_artifacts/{artifact['id']}", {field: "é" * (most + 1)}), field)
    body = version_body(registered_model_id=model["id"]) | {field: "é" * (most + 1)}
    assert_refused(api.post("/model_artifacts", body), field)
