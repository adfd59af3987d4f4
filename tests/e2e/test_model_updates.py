"""PATCH /models/{id} (contract, route 5; Q6, Q10, Q26, Q28, Q29, Q38, Q49)."""

from __future__ import annotations

import time
from typing import Any

import pytest
from tests.e2e import shapes
from tests.e2e.api import JSON, Api
from tests.e2e.builders import a_model, a_version, an_id, fresh
from tests.e2e.checks import SECONDS, assert_error, assert_refused, json_of, same

FULL: JSON = {
    "description": "before",
    "owner_email": "a@b.c",
    "model_type": "llm",
    "tags": {"frameworks": ["f"], "architectures": ["a"], "tasks": ["t"], "subjects": ["s"]},
    "labels": {"k": "v"},
}


def patched(api: Api, model: JSON, body: object) -> JSON:
    """The model after the PATCH. Reading it again must return the same."""
    answer: JSON = json_of(api.patch(f"/models/{model['id']}", body))
    assert same(json_of(api.get(f"/models/{model['id']}")), answer)
    return answer


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("name", "a new name, é"),
        ("name", " "),
        ("description", "after"),
        ("description", ""),
        ("model_type", "anything"),
        ("model_type", ""),
        ("model_size", 12345),
        ("model_size", 0),
        ("model_size", -1),
        ("state", "ARCHIVED"),
        ("state", "archived or not"),
        ("state", ""),
        ("deployment_status", "DEPLOYED"),
        ("deployment_status", "x" * 50),
        ("deployment_status", ""),
        ("labels", {}),
        ("labels", {"": "2", "other": "1"}),
        ("tags", {"frameworks": ["x"], "architectures": ["y"], "tasks": ["z"], "subjects": []}),
    ],
)
def test_one_field_changes_and_no_other(api: Api, field: str, value: Any) -> None:
    model = a_model(api, **FULL)
    expected = {**model, field: value, "updated_at": SECONDS}
    assert same(patched(api, model, {field: value}), expected)


def test_all_fields_at_once(api: Api) -> None:
    model = a_model(api, **FULL)
    changes = {
        "name": fresh("renamed"),
        "description": "",
        "model_type": "t",
        "model_size": 1,
        "state": "ARCHIVED",
        "deployment_status": "FAILED",
        "tags": shapes.NO_TAGS,
        "labels": {},
    }
    assert same(patched(api, model, changes), {**model, **changes, "updated_at": SECONDS})


@pytest.mark.parametrize("tags", [{}, {"tasks": ["t"]}, {"tasks": None}, {"nothing": ["x"]}])
def test_tags_are_replaced_as_a_whole_and_missing_lists_are_empty(api: Api, tags: JSON) -> None:
    model = a_model(api, **FULL)
    expected = {**shapes.NO_TAGS, "tasks": tags.get("tasks") or []}
    assert same(patched(api, model, {"tags": tags})["tags"], expected)


@pytest.mark.parametrize(
    "body", [{}, {"nothing": 1}, dict.fromkeys((*FULL, "name", "state", "model_size"), None), None]
)
def test_nothing_to_change_is_a_change_of_the_time(api: Api, body: object) -> None:
    model = a_model(api, **FULL)
    time.sleep(1.1)
    after = patched(api, model, body)
    assert same(after, {**model, "updated_at": SECONDS})
    assert after["updated_at"] > model["updated_at"]


@pytest.mark.parametrize(
    "fixed",
    [
        {"owner_email": "x@y.z"},
        {"parent_model_id": an_id()},
        {"slug": "other"},
        {"project_id": an_id()},
        {"id": an_id()},
        {"owner_id": an_id()},
        {"version_count": 9},
        {"created_at": "2020-01-01T00:00:00Z"},
        {"latest_version": None, "default_version": {"name": "x"}},
    ],
)
def test_fields_that_cannot_be_changed_are_ignored(api: Api, fixed: JSON) -> None:
    model = a_model(api, **FULL)
    assert same(patched(api, model, fixed), {**model, "updated_at": SECONDS})


def test_renaming_keeps_the_slug(api: Api) -> None:
    model = a_model(api, "Old Name")
    assert patched(api, model, {"name": "New Name"})["slug"] == "old-name"


def test_a_name_may_be_patched_to_itself(api: Api) -> None:
    model = a_model(api)
    patched(api, model, {"name": model["name"]})


def test_a_taken_name_is_refused(api: Api) -> None:
    model, other = a_model(api), a_model(api)
    text = "model with this name already exists in the project"
    assert_error(api.patch(f"/models/{model['id']}", {"name": other["name"], "state": "X"}), 409, text)
    assert same(api.read(f"/models/{model['id']}"), model)
    theirs = a_model(api.of_another_project())
    assert patched(api, model, {"name": theirs["name"]})["name"] == theirs["name"]


def test_an_empty_name_is_refused(api: Api) -> None:
    model = a_model(api)
    assert_error(api.patch(f"/models/{model['id']}", {"name": ""}), 400, "model name is required")
    assert same(api.read(f"/models/{model['id']}"), model)


@pytest.mark.parametrize(
    ("field", "most"), [("name", 100), ("model_type", 50), ("state", 50), ("deployment_status", 50)]
)
@pytest.mark.parametrize("character", ["x", "é", "😀"])
def test_lengths_are_counted_in_characters(api: Api, field: str, most: int, character: str) -> None:
    model = a_model(api)
    assert patched(api, model, {field: character * most})[field] == character * most
    assert_refused(api.patch(f"/models/{model['id']}", {field: character * (most + 1)}), field)


def test_an_unknown_model_is_404(api: Api) -> None:
    assert_error(api.patch(f"/models/{an_id()}", {"state": "X"}), 404, "registered model not found")
    assert_error(api.patch(f"/models/{an_id()}", {}), 404, "registered model not found")


def test_changing_a_model_leaves_its_versions_alone(api: Api) -> None:
    model = a_model(api)
    version = a_version(api, model["id"], is_default=True)
    after = patched(api, model, {"state": "ARCHIVED", "deployment_status": "DEPLOYED"})
    assert after["version_count"] == 1
    assert after["latest_version"]["state"] == "LIVE"
    assert api.read(f"/model_versions/{version['id']}") == version


def test_changing_a_version_leaves_its_model_alone(api: Api) -> None:
    model = a_model(api)
    version = a_version(api, model["id"])
    before = api.read(f"/models/{model['id']}")
    time.sleep(1.1)
    json_of(api.patch(f"/model_versions/{version['id']}", {"description": "x"}))
    after = api.read(f"/models/{model['id']}")
    assert after["updated_at"] == before["updated_at"]
    assert after["latest_version"]["description"] == "x"
