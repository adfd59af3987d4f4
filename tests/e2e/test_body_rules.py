"""Each rule of decoding a body, tested once (contract 0.5, 0.6; decisions 3-5).

`test_bodies.py` tests the rules on all routes and fields.
"""

from __future__ import annotations

import json

import pytest
from tests.e2e.api import JSON, Api
from tests.e2e.builders import World, a_model, fresh
from tests.e2e.checks import assert_error, assert_refused, json_of


def posted(api: Api, content: str) -> JSON:
    answer: JSON = json_of(api.request("POST", "/models", content=content), 201)
    return answer


@pytest.mark.parametrize("content", ["", "  \n"])
def test_an_empty_body_is_eof(world: World, content: str) -> None:
    for method, path in (
        ("POST", "/models"),
        ("PATCH", "/models/{model}"),
        ("PATCH", "/serving_environments/{environment}"),
    ):
        assert_error(world.api.request(method, world.path(path), content=content), 400, "EOF")


@pytest.mark.parametrize("content", ["[]", '"x"', "5", "true"])
def test_a_body_that_is_not_an_object_is_refused(api: Api, content: str) -> None:
    assert_error(api.request("POST", "/models", content=content), 400, "request body must be an object")


@pytest.mark.parametrize(
    "content",
    [
        '{"name":"a",}',
        '{name:"a"}',
        "{'name':'a'}",
        '{"name":"\\a"}',
        '{"name":"a\tb"}',
        '{"name":"a","x":NaN}',
        "\ufeff{}",
    ],
)
def test_almost_json_is_refused(api: Api, content: str) -> None:
    assert assert_refused(api.request("POST", "/models", content=content)).startswith("invalid JSON: ")
    assert api.read("/models")["total"] == 0


def test_bytes_after_the_value_are_ignored(api: Api) -> None:
    assert posted(api, '{"name":"a"} junk')["name"] == "a"
    assert posted(api, '{"name":"b"}{"name":"c"}')["name"] == "b"


def test_unknown_keys_are_ignored(api: Api) -> None:
    model = posted(api, '{"name":"a","":1,"modelType":"x","ownerEmail":"x","unknown":[{"a":null},1e400]}')
    assert (model["name"], model["model_type"]) == ("a", a_model(api)["model_type"])
    assert "owner_email" not in model


def test_keys_match_in_any_letter_case(api: Api) -> None:
    model = posted(api, '{"NAME":"a","Tags":{"TASKS":["x"]},"LABELS":{"Kept":"v"}}')
    assert (model["name"], model["tags"]["tasks"], model["labels"]) == ("a", ["x"], {"Kept": "v"})


def test_of_equal_keys_the_last_one_counts(api: Api) -> None:
    model = posted(api, '{"name":5,"name":"a","tags":{"tasks":["x"],"tasks":["y"]},"labels":{"k":"1","k":"2"}}')
    assert (model["name"], model["tags"]["tasks"], model["labels"]) == ("a", ["y"], {"k": "2"})


@pytest.mark.parametrize("method", ["POST", "PATCH"])
def test_null_in_a_list_or_a_map_is_the_empty_text(world: World, method: str) -> None:
    path = "/models" if method == "POST" else f"/models/{world.model['id']}"
    body = {"name": fresh("model"), "tags": {"tasks": ["a", None, "b"]}, "labels": {"a": None}}
    answer = world.api.request(method, path, body).json()
    assert (answer["tags"]["tasks"], answer["labels"]) == (["a", "", "b"], {"a": ""})


@pytest.mark.parametrize(
    ("field", "value", "text"),
    [
        ("name", 5, "name must be a string"),
        ("name", ["x"], "name must be a string"),
        ("tags", ["x"], "tags must be an object"),
        ("tags", {"tasks": "x"}, "tags.tasks must be a list of strings"),
        ("tags", {"tasks": [["x"]]}, "tags.tasks must be a string"),
        ("tags", {"tasks": {}}, "tags.tasks must be a list of strings"),
        ("labels", "x", "labels must be an object"),
        ("labels", {"a": 1, "b": "c", "d": []}, "labels.a must be a string"),
        ("description", "a\0", "description must not hold NUL characters"),
    ],
)
@pytest.mark.parametrize("method", ["POST", "PATCH"])
def test_nothing_is_converted(world: World, method: str, field: str, value: object, text: str) -> None:
    path = "/models" if method == "POST" else f"/models/{world.model['id']}"
    body = json.dumps({"name": fresh("model")} | {field: value})
    assert_error(world.api.request(method, path, content=body), 400, text)


@pytest.mark.parametrize("value", ["true", "yes", "1", "", 1, 0, [True]])
def test_a_bool_is_true_or_false(world: World, value: object) -> None:
    path = f"/model_versions/{world.version['id']}"
    assert_error(world.api.patch(path, {"is_default": value}), 400, "is_default must be true or false")


@pytest.mark.parametrize("value", ["x", [["x"]], [5], {}])
def test_a_list_of_ids_holds_texts(world: World, value: object) -> None:
    body = {"registered_model_id": world.model["id"], "serving_environment_id": world.environment["id"]}
    for path in ("/inference_services", "/deploy"):
        response = world.api.post(path, {"name": "s", **body, "model_version_ids": value})
        assert assert_refused(response, "model_version_ids").startswith("model_version_ids must be a ")


def test_a_lone_surrogate_is_replaced_and_invalid_utf_8_refused(api: Api) -> None:
    assert posted(api, '{"name":"a\\ud800b"}')["name"] == "a\ufffdb"
    for content in (b'{"name":"\xff"}', b'{"name":"x","unknown":"\xff"}', b'{"name":"x"}\xff'):
        assert_error(api.request("POST", "/models", content=content), 400, "request body must be UTF-8")


@pytest.mark.parametrize(
    ("text", "escaped"), [("<b>", r"\u003cb\u003e"), ("a & b", r"a \u0026 b"), ("\u2028\u2029", r"\u2028\u2029")]
)
def test_characters_with_a_meaning_in_html_are_escaped(api: Api, text: str, escaped: str) -> None:
    """As Go writes it (contract 0.12), in objects and in errors."""
    model = a_model(api, description=text)
    assert f'"description":"{escaped}"' in api.get(f"/models/{model['id']}").text
    assert model["description"] == text
    assert escaped in api.patch(f"/models/{model['id']}", {"labels": {text: 1}}).text
