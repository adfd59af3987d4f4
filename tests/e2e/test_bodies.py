"""Decoding of request bodies on every route that reads one (contract 0.5-0.7; Q6, Q38, Q40, Q41; decisions 3-5)."""

from __future__ import annotations

import json

import httpx
import pytest
from tests.e2e.api import JSON, Api
from tests.e2e.bodies import BODY_ROUTES, BodyRoute
from tests.e2e.builders import World, a_model, a_version, fresh
from tests.e2e.checks import assert_error, assert_refused, json_of

# A matrix of hundreds of requests.
pytestmark = pytest.mark.slow

every_route = pytest.mark.parametrize("route", BODY_ROUTES, ids=str)
NOT_JSON = [
    "hello",
    "{",
    '{"name"',
    '{"name":',
    '{"name":"a',
    '{"name":"a"',
    '{"name" "a"}',
    '{"name":"a" "b":1}',
    '{"name":tru}',
    '{"name":nul}',
    '{"model_size":01a}',
    '{"model_size":-}',
    '{"name":"\\u12"}',
    '{"labels":{"a":"b"',
    '{"labels":[}',
    "\x00",
    "}",
    "]",
    '{"name":"a",}',
    '{name:"a"}',
    "{'name':'a'}",
    '{"name":"\\a"}',
    '{"name":"a\nb"}',
    '{"name":NaN}',
    '{"unknown":-Infinity}',
    "\ufeff{}",
]


@pytest.fixture(scope="module")
def world(http: httpx.Client) -> World:
    """One for the whole module: every accepted request has its own name."""
    return World(Api(http))


def send(world: World, route: BodyRoute, body: object) -> httpx.Response:
    return world.api.request(route.method, world.path(route.path), body)


def send_raw(world: World, route: BodyRoute, content: bytes | str) -> httpx.Response:
    return world.api.request(route.method, world.path(route.path), content=content)


def fields_of(kind: str) -> list[tuple[BodyRoute, str]]:
    return [(route, field) for route in BODY_ROUTES for field in getattr(route, kind)]


def ids(value: object) -> str | None:
    return str(value) if isinstance(value, BodyRoute) else None


@every_route
def test_a_good_body_is_accepted(world: World, route: BodyRoute) -> None:
    json_of(send(world, route, route.good(world)), route.success)


@every_route
def test_a_body_that_is_not_json_is_refused(world: World, route: BodyRoute) -> None:
    accepted = [content for content in NOT_JSON if send_raw(world, route, content).status_code != 400]
    assert accepted == []
    for content in NOT_JSON:
        assert_refused(send_raw(world, route, content))


@every_route
def test_a_body_that_is_not_an_object_is_refused(world: World, route: BodyRoute) -> None:
    bodies: list[object] = [[], [{"name": "x"}], "text", 5, 1.5, True, False]
    for body in bodies:
        assert_refused(send(world, route, body))


@every_route
@pytest.mark.parametrize("content", ["null", " null ", "{}"])
def test_null_is_an_empty_object(world: World, route: BodyRoute, content: str) -> None:
    response = send_raw(world, route, content)
    if route.method == "PATCH":
        json_of(response)
    else:
        assert_refused(response, *route.required)


@every_route
@pytest.mark.parametrize("content", ["", " ", "\n\t"])
def test_an_empty_body_is_eof(world: World, route: BodyRoute, content: str) -> None:
    assert_error(send_raw(world, route, content), 400, "EOF")


@pytest.mark.parametrize(("route", "field"), fields_of("required"), ids=ids)
@pytest.mark.parametrize("nothing", ["absent", None, ""])
def test_a_required_field_is_named_when_missing(
    world: World, route: BodyRoute, field: str, nothing: str | None
) -> None:
    body = route.good(world)
    if nothing == "absent":
        del body[field]
    else:
        body[field] = nothing
    text = assert_refused(send(world, route, body), field)
    assert not [other for other in set(route.required) - {field} if other in text.replace(field, "").split()]


@pytest.mark.parametrize("route", [route for route in BODY_ROUTES if route.required], ids=str)
def test_several_missing_fields_are_named_in_order(world: World, route: BodyRoute) -> None:
    text = assert_refused(send(world, route, {}), *route.required)
    lines = text.replace(",", " ").replace(":", " ").split()
    places = [lines.index(field) for field in route.required if field in lines]
    assert places == sorted(places)


@pytest.mark.parametrize(
    ("route", "field"), fields_of("strings") + fields_of("uuids") + fields_of("uuid_lists"), ids=ids
)
@pytest.mark.parametrize("wrong", [5, 1.5, True, {"a": "b"}, [5], [["a"]]])
def test_a_field_of_the_wrong_type_is_named(world: World, route: BodyRoute, field: str, wrong: object) -> None:
    assert_refused(send(world, route, route.good(world) | {field: wrong}), field)


@pytest.mark.parametrize(("route", "field"), fields_of("bools"), ids=ids)
@pytest.mark.parametrize("wrong", ["maybe", "true", "yes", "1", 5, 0, {"a": True}, [True]])
def test_a_wrong_bool_is_named(world: World, route: BodyRoute, field: str, wrong: object) -> None:
    assert_refused(send(world, route, route.good(world) | {field: wrong}), field)


@pytest.mark.parametrize(("route", "field"), fields_of("objects"), ids=ids)
@pytest.mark.parametrize("wrong", [5, "text", True, ["a"], []])
def test_a_wrong_object_is_named(world: World, route: BodyRoute, field: str, wrong: object) -> None:
    assert_refused(send(world, route, route.good(world) | {field: wrong}), field)


WITH_LABELS = [route for route in BODY_ROUTES if "labels" in route.objects]


@pytest.mark.parametrize("route", WITH_LABELS, ids=str)
@pytest.mark.parametrize("wrong", [5, 1.5, True, ["x"], {"b": "c"}])
def test_a_label_that_is_no_text_is_refused(world: World, route: BodyRoute, wrong: object) -> None:
    assert_refused(send(world, route, route.good(world) | {"labels": {"a": wrong}}), "labels")


@pytest.mark.parametrize("route", WITH_LABELS, ids=str)
def test_a_null_label_is_empty(world: World, route: BodyRoute) -> None:
    answer = json_of(send(world, route, route.good(world) | {"labels": {"a": None, "b": "c"}}), route.success)
    assert answer.get("inference_service", answer)["labels"] == {"a": "", "b": "c"}


@pytest.mark.parametrize("wrong", ["x", 5, True, {"a": "b"}, [5], [True], [["x"]], [{"a": "b"}]])
@pytest.mark.parametrize("method", ["POST", "PATCH"])
def test_a_wrong_tags_list_is_named(world: World, method: str, wrong: object) -> None:
    path = "/models" if method == "POST" else f"/models/{world.model['id']}"
    body = {"name": fresh("model"), "tags": {"frameworks": wrong}}
    assert_refused(world.api.request(method, path, body), "frameworks")


@every_route
def test_unknown_keys_are_ignored(world: World, route: BodyRoute) -> None:
    unknown: JSON = {"nothing": {"deep": [1, None, {"x": "y"}]}, "registered_model": {"name": "z"}, "é": None}
    json_of(send(world, route, route.good(world) | unknown), route.success)


@every_route
def test_null_is_the_same_as_absent(world: World, route: BodyRoute) -> None:
    optional = {*route.strings, *route.uuids, *route.uuid_lists, *route.bools, *route.integers, *route.objects}
    nulls = dict.fromkeys(optional - set(route.required))
    good = route.good(world)
    json_of(send(world, route, nulls | {key: good[key] for key in good}), route.success)


@pytest.mark.parametrize("route", [route for route in BODY_ROUTES if route.strings], ids=str)
def test_of_a_repeated_key_the_last_one_counts_in_any_letter_case(world: World, route: BodyRoute) -> None:
    field = next(field for field in route.strings if field != "description")
    for first, second in ((field, field), (field.upper(), field), (field, field.title())):
        good = route.good(world)
        good.pop(field, None)
        rest = json.dumps(good)[1:]
        last = fresh("last")
        content = f'{{"{first}":"first","{second}":"{last}"' + (f",{rest}" if good else rest)
        answer = json_of(send_raw(world, route, content), route.success)
        assert answer.get("inference_service", answer)[field] == last


@every_route
def test_bytes_after_the_value_are_ignored(world: World, route: BodyRoute) -> None:
    for end in (" junk", "}", "\x00", " {}"):
        json_of(send_raw(world, route, json.dumps(route.good(world)) + end), route.success)


# --- encodings ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("route", "field"), fields_of("strings"), ids=ids)
def test_nul_is_refused_in_every_text(world: World, route: BodyRoute, field: str) -> None:
    for text in ("\0", "a\0b"):
        assert_refused(send(world, route, route.good(world) | {field: text}), field)


@pytest.mark.parametrize("route", WITH_LABELS, ids=str)
def test_nul_is_refused_in_labels(world: World, route: BodyRoute) -> None:
    for labels in ({"a": "b\0"}, {"a\0": "b"}):
        assert_refused(send(world, route, route.good(world) | {"labels": labels}), "labels")


@pytest.mark.parametrize("method", ["POST", "PATCH"])
def test_nul_is_refused_in_tags(world: World, method: str) -> None:
    path = "/models" if method == "POST" else f"/models/{world.model['id']}"
    body = {"name": fresh("model"), "tags": {"tasks": ["a\0"]}}
    assert_refused(world.api.request(method, path, body), "tasks")


@every_route
@pytest.mark.parametrize("text", [b"\xff", b"\xc3\x28", b"\xed\xa0\x80", b"\xf8\x88\x80\x80\x80"])
def test_a_body_that_is_not_utf_8_is_refused(world: World, route: BodyRoute, text: bytes) -> None:
    for key in (b"name", b"unknown"):
        content = json.dumps(route.good(world)).encode()[:-1] + b',"' + key + b'":"' + text + b'"}'
        assert_error(send_raw(world, route, content), 400, "request body must be UTF-8")


@pytest.mark.parametrize("route", [route for route in BODY_ROUTES if "name" in route.strings], ids=str)
@pytest.mark.parametrize("text", ["\\ud800", "\\udc00"])
def test_a_lone_surrogate_becomes_the_replacement_character(world: World, route: BodyRoute, text: str) -> None:
    name = fresh("name")
    content = json.dumps(route.good(world))[:-1] + f',"name":"{name}{text}x"}}'
    answer = json_of(send_raw(world, route, content), route.success)
    assert answer.get("inference_service", answer)["name"] == f"{name}\ufffdx"


@pytest.mark.parametrize(
    "text",
    ["é", "e\u0301", "日本語", "😀👩‍👩‍👧", "\u2028\u2029", "<b>&amp;</b>", '"quoted" \\ /', "\t\r\n\x01\x1f\x7f",
     "\ufeff", "\uffff"],
)  # fmt: skip
def test_any_other_text_comes_back_as_it_was(api: Api, text: str) -> None:
    model = a_model(api, text, description=text, labels={text: text}, tags={"tasks": [text]})
    for answer in (model, api.read(f"/models/{model['id']}"), api.read("/model", name=text)):
        assert (answer["name"], answer["description"], answer["labels"]) == (text, text, {text: text})
        assert answer["tags"]["tasks"] == [text]
    version = a_version(api, model["id"], text, uri=text)
    assert (version["name"], version["uri"]) == (text, text)


def test_escapes_and_characters_are_the_same(api: Api) -> None:
    response = api.request("POST", "/models", content='{"n\\u0061me":"\\u00e9\\ud83d\\ude00\\/"}')
    assert json_of(response, 201)["name"] == "é😀/"
