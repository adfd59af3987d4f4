"""Creating, reading, finding and deleting models (contract, routes 1-4 and 6; Q7, Q8, Q9, Q26, Q29, Q31, Q32, Q37)."""

from __future__ import annotations

from typing import Any

import pytest
from tests.e2e import shapes
from tests.e2e.api import JSON, Api
from tests.e2e.builders import World, a_model, a_serve_model, a_service, a_version, an_environment, an_id, fresh
from tests.e2e.checks import assert_error, assert_page, assert_refused, json_of, same

NOT_FOUND = "registered model not found"
TAGS = {"frameworks": ["f", "g"], "architectures": ["a"], "tasks": [], "subjects": ["s", "s"]}


def test_the_least_model(api: Api) -> None:
    name = fresh("model")
    model = json_of(api.post("/models", {"name": name}), 201)
    assert same(model, shapes.model(api.project_id, name))
    assert same(api.read(f"/models/{model['id']}"), model)


def test_a_model_with_everything(api: Api) -> None:
    parent = a_model(api)
    name = fresh("model")
    fields: JSON = {
        "description": "all of it",
        "owner_email": "someone@example.com",
        "model_type": "llm",
        "tags": TAGS,
        "labels": {"a": "1", "b": "", "z": "ü"},
        "parent_model_id": parent["id"],
    }
    model = json_of(api.post("/models", {"name": name, **fields}), 201)
    assert same(model, shapes.model(api.project_id, name, **fields))
    assert same(json_of(api.get(f"/models/{model['id']}")), model)


@pytest.mark.parametrize(
    "ignored",
    [
        {"state": "ARCHIVED"},
        {"deployment_status": "DEPLOYED"},
        {"model_size": 5},
        {"slug": "other"},
        {"id": an_id()},
        {"owner_id": an_id()},
        {"project_id": an_id()},
        {"region_id": an_id(), "region_name": "north"},
        {"created_at": "2020-01-01T00:00:00Z", "updated_at": "2020-01-01T00:00:00Z"},
        {"version_count": 7, "latest_version": {"name": "x"}, "default_version": None},
        {"owner_email": "", "description": "", "model_type": "", "labels": {}, "tags": {}, "parent_model_id": None},
    ],
)
def test_fields_that_creation_ignores(api: Api, ignored: JSON) -> None:
    name = fresh("model")
    model = json_of(api.post("/models", {"name": name, **ignored}), 201)
    assert same(model, shapes.model(api.project_id, name))


@pytest.mark.parametrize(
    ("tags", "expected"),
    [
        ({"tasks": ["t"]}, {**shapes.NO_TAGS, "tasks": ["t"]}),
        ({"tasks": None, "nothing": ["x"]}, shapes.NO_TAGS),
        (TAGS, TAGS),
    ],
)
def test_missing_tag_lists_are_empty(api: Api, tags: JSON, expected: JSON) -> None:
    assert same(a_model(api, tags=tags)["tags"], expected)


def test_labels_come_out_sorted(api: Api) -> None:
    labels = {"z": "1", "a": "2", "m": "3", "B": "4", "é": "5"}
    model = a_model(api, labels=labels)
    assert list(model["labels"].items()) == sorted(labels.items())
    assert list(api.read(f"/models/{model['id']}")["labels"]) == sorted(labels)


@pytest.mark.parametrize(
    ("name", "slug"),
    [
        ("My Model_1 v2.0-é!", "my-model-1-v20-"),
        ("日本", ""),
        ("___", "---"),
        (" a ", "-a-"),
        ("A--B", "a--b"),
        ("ÀÉ x", "-x"),
        ("x" * 100, "x" * 60),
        ("é" * 40 + "Y" * 60, "y" * 60),
        ("tab\tnew\nline", "tabnewline"),
        ("<a>&'\"", "a"),
    ],
)
def test_slugs(api: Api, name: str, slug: str) -> None:
    model = a_model(api, name)
    assert (model["name"], model["slug"]) == (name, slug)


def test_a_name_is_unique_in_its_project(api: Api) -> None:
    name = fresh("model")
    a_model(api, name)
    assert_error(api.post("/models", {"name": name}), 409, "model with this name already exists in the project")
    a_model(api, name.upper())
    a_model(api, name + " ")
    a_model(api.of_another_project(), name)


def test_a_blank_name_is_a_name(api: Api) -> None:
    assert a_model(api, " ")["name"] == " "


def test_an_unknown_parent_is_404(api: Api) -> None:
    for parent in (an_id(), a_model(api.of_another_project())["id"]):
        assert_error(api.post("/models", {"name": fresh("model"), "parent_model_id": parent}), 404, NOT_FOUND)
    assert_page(api.get("/models"), total=0)


# --- reading -----------------------------------------------------------------------------------------------------


def test_lists_have_the_count_but_no_versions(api: Api) -> None:
    model = a_model(api, "m")
    a_version(api, model["id"], is_default=True)
    a_version(api, model["id"])
    (item,) = assert_page(api.get("/models"), total=1)
    assert same(item, shapes.model(api.project_id, "m", version_count=2))


def test_a_model_carries_its_latest_and_default_version_without_mails(api: Api) -> None:
    model = a_model(api, "m")
    first = a_version(api, model["id"], "first", is_default=True, created_by_email="a@b.c", updated_by_email="d@e.f")
    last = a_version(api, model["id"], "last", created_by_email="a@b.c", state="ARCHIVED", status="FAILED")
    expected = shapes.model(
        api.project_id,
        "m",
        version_count=2,
        latest_version=shapes.version(model["id"], "last", id=last["id"], state="ARCHIVED", status="FAILED"),
        default_version=shapes.version(model["id"], "first", id=first["id"], is_default=True),
    )
    assert same(json_of(api.get(f"/models/{model['id']}")), expected)
    assert same(json_of(api.get("/model", name="m")), expected)
    assert same(json_of(api.patch(f"/models/{model['id']}", {})), expected)


def test_without_a_default_version_the_key_is_omitted(api: Api) -> None:
    model = a_model(api)
    version = a_version(api, model["id"])
    read = api.read(f"/models/{model['id']}")
    assert read["latest_version"]["id"] == version["id"]
    assert "default_version" not in read


def test_an_unknown_model_is_404(api: Api) -> None:
    assert_error(api.get(f"/models/{an_id()}"), 404, NOT_FOUND)


# --- finding -----------------------------------------------------------------------------------------------------


def test_finding_by_name_and_by_own_id(api: Api) -> None:
    model, other = a_model(api, "One"), a_model(api, "Two")
    for params in ({"name": "One"}, {"externalId": model["id"]}, {"name": "One", "externalId": model["id"]}):
        assert same(json_of(api.get("/model", **params)), model)
    assert same(json_of(api.get("/model", name="", externalId=other["id"])), other)


@pytest.mark.parametrize(
    "query",
    [
        "",
        "?name=&externalId=",
        "?name=one",
        "?name=On",
        "?name=One%20",
        "?name=%25",
        "?externalId=nonsense",
        "?externalId={upper}",
        "?externalId={hex}",
        "?name=Other&externalId={id}",
        "?name=One&externalId=00000000-0000-0000-0000-000000000000",
        "?externalid={id}",
    ],
)
def test_finds_without_a_match(api: Api, query: str) -> None:
    model = a_model(api, "One")
    spellings = {"id": model["id"], "upper": model["id"].upper(), "hex": model["id"].replace("-", "")}
    if spellings["upper"] == spellings["id"]:
        pytest.skip("an id without letters has no upper case")
    assert_error(api.get("/model" + query.format(**spellings)), 404, NOT_FOUND)


# --- deleting ----------------------------------------------------------------------------------------------------


def archived(api: Api, **fields: Any) -> JSON:
    model = a_model(api, **fields)
    return json_of(api.patch(f"/models/{model['id']}", {"state": "ARCHIVED"}))  # type: ignore[no-any-return]


def test_an_archived_model_is_deleted_with_its_ready_versions(api: Api) -> None:
    model = archived(api)
    version = a_version(api, model["id"], status="READY", is_default=True)
    assert same(json_of(api.delete(f"/models/{model['id']}")), {"status": "deleted"})
    for path in (f"/models/{model['id']}", "/model?name=" + model["name"]):
        assert_error(api.get(path), 404, NOT_FOUND)
    assert_error(api.delete(f"/models/{model['id']}"), 404, NOT_FOUND)
    assert_error(api.get(f"/model_versions/{version['id']}"), 404, "model version not found")
    assert_page(api.get("/model_versions"), total=0)
    a_model(api, model["name"])


@pytest.mark.parametrize("state", ["LIVE", "archived", "ARCHIVED ", "", "anything"])
def test_only_archived_models_are_deleted(api: Api, state: str) -> None:
    model = a_model(api)
    json_of(api.patch(f"/models/{model['id']}", {"state": state}))
    text = "cannot delete model: must be archived with no READY versions"
    assert_error(api.delete(f"/models/{model['id']}"), 400, text)
    assert api.read(f"/models/{model['id']}")["state"] == state


def test_a_model_in_use_is_not_deleted(api: Api) -> None:
    model = archived(api)
    service = a_service(api, an_environment(api), model)
    assert_error(api.delete(f"/models/{model['id']}"), 400, "model has active deployments")
    assert api.delete(f"/inference_services/{service['id']}").status_code == 204
    json_of(api.delete(f"/models/{model['id']}"))


def test_a_model_with_a_served_version_is_not_deleted(api: Api) -> None:
    world = World(api)
    a_serve_model(api, world.service, a_version(api, world.model["id"]))
    json_of(api.patch(f"/models/{world.model['id']}", {"state": "ARCHIVED"}))
    assert_error(api.delete(f"/models/{world.model['id']}"), 400, "model has active deployments")


def test_children_of_a_deleted_model_lose_their_parent(api: Api) -> None:
    parent = archived(api)
    child = a_model(api, parent_model_id=parent["id"])
    json_of(api.delete(f"/models/{parent['id']}"))
    assert same(api.read(f"/models/{child['id']}"), {**child, "parent_model_id": None})


def test_deleting_an_unknown_model(api: Api) -> None:
    assert_error(api.delete(f"/models/{an_id()}"), 404, NOT_FOUND)
    assert_refused(api.delete("/models/nonsense"))
