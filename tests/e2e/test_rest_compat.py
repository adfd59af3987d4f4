"""What a REST client of the Go service may notice: one test for each line of docs/rest-compat.md."""

from __future__ import annotations

import json

import pytest
from tests.e2e.api import JSON, PREFIX, Api
from tests.e2e.bodies import BODY_ROUTES, BodyRoute
from tests.e2e.builders import World, a_model, fresh
from tests.e2e.checks import assert_refused, json_of
from tests.e2e.routes import LISTS, Route


@pytest.mark.parametrize("route", LISTS, ids=str)
@pytest.mark.parametrize("parameter", ["limit", "offset"])
@pytest.mark.parametrize(
    "text", ["", "abc", "1.5", "%202", "2%20", "0x10", "1e2", "99999999999999999999", "null", "%00"]
)
def test_an_unparsable_limit_or_offset_is_400(world: World, route: Route, parameter: str, text: str) -> None:
    response = world.api.get(f"{world.path(route.path)}?{parameter}={text}")
    assert_refused(response, parameter)


@pytest.mark.parametrize("route", [route for route in BODY_ROUTES if route.method == "PATCH"], ids=str)
def test_an_empty_patch_is_accepted_or_refused(world: World, route: BodyRoute) -> None:
    response = world.api.request("PATCH", world.path(route.path), content=b"")
    assert response.status_code in {200, 400}
    assert ("error" in response.json()) == (response.status_code == 400)


@pytest.mark.parametrize(("literal", "value"), [('"5"', 5), ("5.0", 5), ("1e3", 1000), ('"-7"', -7)])
def test_an_integer_may_be_written_as_text_or_as_a_whole_float(api: Api, literal: str, value: int) -> None:
    model = a_model(api)
    response = api.request("PATCH", f"/models/{model['id']}", content=f'{{"model_size":{literal}}}')
    assert json_of(response)["model_size"] == value


@pytest.mark.parametrize(
    "query", ["limit=1&limit=2", "sort_by=name&sort_by=id", "state=LIVE&state=X", "offset=0&offset=1"]
)
def test_of_a_repeated_parameter_the_first_counts_or_it_is_400(world: World, query: str) -> None:
    response = world.api.get(f"/models?{query}")
    if response.status_code == 400:
        assert list(response.json()) == ["error"]
    else:
        assert json_of(response) == world.api.read(f"/models?{query.split('&', maxsplit=1)[0]}")


@pytest.mark.parametrize(
    ("snake", "camel"), [("sort_by=name", "sortBy=name"), ("model_type=PRETRAIN", "modelType=PRETRAIN")]
)
def test_parameters_may_be_spelled_both_ways(api: Api, snake: str, camel: str) -> None:
    for name in ("b", "a", "c"):
        a_model(api, name, model_type="PRETRAIN" if name == "a" else "llm")
    assert api.read(f"/models?{camel}") == api.read(f"/models?{snake}")


def test_external_id_may_be_spelled_both_ways(world: World) -> None:
    for name in ("externalId", "external_id"):
        assert json_of(world.api.get("/model", **{name: world.model["id"]}))["id"] == world.model["id"]
    for name in ("parentResourceId", "parent_resource_id", "registered_model_id", "registeredModelId"):
        assert json_of(world.api.get("/model_version", **{name: world.model["id"]})) == world.version


def test_body_fields_may_be_spelled_both_ways(api: Api) -> None:
    body = {"name": fresh("model"), "ownerEmail": "a@b.c", "modelType": "llm"}
    model = json_of(api.post("/models", body), 201)
    assert (model["owner_email"], model["model_type"]) == ("a@b.c", "llm")


def test_a_parameter_named_like_an_id_of_the_path_is_never_honoured(world: World) -> None:
    other = a_model(world.api)
    for method, body in (("GET", None), ("PATCH", b'{"description":"x"}')):
        path = f"/models/{world.model['id']}?id={other['id']}"
        response = world.api.request(method, path, content=body)
        assert response.status_code in {200, 400}
        if response.status_code == 200:
            assert response.json()["id"] == world.model["id"]
    assert world.api.read(f"/models/{other['id']}") == other


@pytest.mark.parametrize("method", ["POST", "PATCH"])
def test_nulls_in_a_tags_list_are_dropped(world: World, method: str) -> None:
    path = "/models" if method == "POST" else f"/models/{world.model['id']}"
    content = json.dumps({"name": fresh("model"), "tags": {"tasks": ["a", None, "b"]}}).encode()
    answer = world.api.request(method, path, content=content).json()
    assert answer["tags"]["tasks"] == ["a", "b"]


@pytest.mark.parametrize("path", ["/models/", "/models/{model}/", "/models/{model}/versions/", "/serve_models/"])
def test_a_trailing_slash_is_accepted_redirected_or_unknown(world: World, path: str) -> None:
    response = world.api.get(world.path(path))
    assert response.status_code in {200, 301, 308, 404}
    if response.status_code == 200:
        assert response.json() == world.api.read(world.path(path).rstrip("/"))


def test_a_trailing_slash_never_creates_twice(api: Api) -> None:
    response = api.post("/models/", {"name": fresh("model")})
    assert response.status_code in {201, 307, 308, 404}
    assert api.read("/models")["total"] == (1 if response.status_code == 201 else 0)


def test_an_unknown_path_answers_an_error_as_json(api: Api) -> None:
    assert_refused(api.get("/nothing"), status=404)


@pytest.mark.parametrize("content", ['{"name":"a",}', '{name:"a"}', "{'name':'a'}", '{"name":"\\a"}'])
def test_almost_json_may_be_accepted(api: Api, content: str) -> None:
    response = api.request("POST", "/models", content=content)
    if response.status_code == 201:
        assert response.json()["name"] == "a"
    else:
        assert_refused(response)


def fields(*kinds: str) -> list[tuple[BodyRoute, str]]:
    return [(route, field) for route in BODY_ROUTES for kind in kinds for field in getattr(route, kind)]


@pytest.mark.parametrize(("route", "field"), fields("strings", "uuids", "bools", "integers", "objects"), ids=str)
def test_a_list_in_place_of_one_value_is_400_without_the_name(world: World, route: BodyRoute, field: str) -> None:
    body = route.good(world) | {field: ["a"]}
    response = world.api.request(route.method, world.path(route.path), body)
    assert_refused(response)


@pytest.mark.parametrize("method", ["POST", "PATCH"])
@pytest.mark.parametrize(("value", "expected"), [("x", ["x"]), ([["x"], "y"], ["x", "y"])])
def test_one_value_in_place_of_a_list_is_a_list_of_one(
    world: World, method: str, value: object, expected: list[str]
) -> None:
    path = "/models" if method == "POST" else f"/models/{world.model['id']}"
    answer = world.api.request(method, path, {"name": fresh("model"), "tags": {"tasks": value}}).json()
    assert answer["tags"]["tasks"] == expected


@pytest.mark.parametrize(
    ("text", "value"), [("true", True), ("yes", True), ("1", True), ("false", False), ("no", False)]
)
def test_a_bool_may_be_written_as_text(world: World, text: str, value: object) -> None:
    path = f"/model_versions/{world.version['id']}"
    assert json_of(world.api.patch(path, {"is_default": text}))["is_default"] is value


def test_an_empty_key_is_refused_or_ignored(api: Api) -> None:
    response = api.post("/models", {"name": fresh("model"), "": 1})
    assert response.status_code in {201, 400}


@pytest.mark.parametrize("literal", ["1e400", "-1e400", "1e99999"])
def test_a_number_beyond_a_double_is_400_without_the_name(api: Api, literal: str) -> None:
    model = a_model(api)
    assert_refused(api.request("PATCH", f"/models/{model['id']}", content=f'{{"model_size":{literal}}}'))


def test_the_integer_below_the_least_one_is_refused_or_becomes_the_least_one(api: Api) -> None:
    model = a_model(api)
    content = '{"model_size":-9223372036854775809}'
    response = api.request("PATCH", f"/models/{model['id']}", content=content)
    assert response.status_code == 400 or response.json()["model_size"] == -(2**63)


@pytest.mark.parametrize("body", [{"name": 5}, {"labels": {"a": 1}}, {"name": {}}])
def test_a_body_of_the_wrong_type_is_refused_before_a_missing_project(api: Api, body: JSON) -> None:
    assert_refused(api.http.post(f"{PREFIX}/models", json=body))


@pytest.mark.parametrize(
    "content", ["null", "[]", "hello", '{{"id":"{other}"}}', '{{"inference_service_id":"{other}"}}']
)
@pytest.mark.parametrize(("method", "path"), [("POST", "/sync"), ("DELETE", "/undeploy"), ("DELETE", ""), ("GET", "")])
def test_a_body_where_none_is_read_is_ignored_or_refused(api: Api, method: str, path: str, content: str) -> None:
    world, other = World(api), World(api)
    body = content.format(other=other.service["id"])
    response = api.request(method, f"/inference_services/{world.service['id']}{path}", content=body)
    assert response.status_code in {200, 204, 400}
    if response.status_code == 200:
        assert response.json()["id"] == world.service["id"]
    assert api.read(f"/inference_services/{other.service['id']}")["desired_state"] == "DEPLOYED"


def test_keys_in_another_case_are_unknown_keys(api: Api) -> None:
    assert_refused(api.post("/models", {"NAME": "x"}), "name")


def test_junk_after_the_body_is_refused(api: Api) -> None:
    assert_refused(api.request("POST", "/models", content='{"name":"a"} junk'))


@pytest.mark.parametrize("form", ["urn:uuid:{id}", "{{{id}}}", "URN:UUID:{id}", "x{id}x"])
def test_uuids_in_a_frame_are_refused(world: World, form: str) -> None:
    framed = form.format(id=world.model["id"])
    assert world.api.get(f"/models/{framed}").status_code == 400
    assert world.api.request("GET", "/models", headers={"Project-ID": framed}).status_code == 400
