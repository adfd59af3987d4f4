"""Routing, headers and the form of answers (contract 0.1, 0.2; Q39, Q52, Q53; decisions 4 and 5)."""

from __future__ import annotations

import uuid

import pytest
from tests.e2e.api import NO_BODY, PREFIX, Api
from tests.e2e.builders import World, a_model, an_environment, an_id, fresh
from tests.e2e.checks import ANY_UUID, assert_error, assert_no_content, json_of

UNKNOWN_PATHS = [
    "!/api",
    f"!{PREFIX}",
    "!/api/v1/model_registry/models",
    "!/api/v2/model-registry/models",
    "/nothing",
    "/Models",
    "/models/{model}/nothing",
    "/models/{model}/versions/{version}/nothing",
    "/model_versions/{version}/versions",
    "//models",
    "/inference_services/{service}/deploy",
    "!/modelregistry.v1.RegisteredModelService/ListRegisteredModels",
]
UNREGISTERED = [
    ("PUT", "/models"),
    ("DELETE", "/models"),
    ("PATCH", "/models"),
    ("OPTIONS", "/models"),
    ("HEAD", "/models"),
    ("POST", "/models/{model}"),
    ("PUT", "/models/{model}"),
    ("HEAD", "/models/{model}"),
    ("DELETE", "/models/{model}/versions/{version}"),
    ("POST", "/model"),
    ("POST", "/model_versions"),
    ("DELETE", "/model_versions/{version}"),
    ("PUT", "/model_artifacts/{version}"),
    ("DELETE", "/model_artifacts/{version}"),
    ("PUT", "/serving_environments/{environment}"),
    ("POST", "/serving_environment"),
    ("PUT", "/inference_services/{service}"),
    ("PATCH", "/serve_models/{serve_model}"),
    ("GET", "/deploy"),
    ("PUT", "/deploy"),
    ("POST", "/inference_services/{service}/undeploy"),
    ("GET", "/inference_services/{service}/sync"),
    ("TRACE", "/models"),
]


@pytest.mark.parametrize("path", UNKNOWN_PATHS)
def test_an_unknown_path_is_404_with_an_error(world: World, path: str) -> None:
    response = world.api.get(world.path(path))
    assert response.status_code == 404
    assert list(response.json()) == ["error"]
    assert response.headers["content-type"].startswith("application/json")


@pytest.mark.parametrize(("method", "path"), UNREGISTERED)
def test_a_method_without_a_route_is_404(world: World, method: str, path: str) -> None:
    response = world.api.request(method, world.path(path))
    assert response.status_code == 404
    assert "allow" not in response.headers
    assert "access-control-allow-origin" not in response.headers
    if method != "HEAD":
        assert list(response.json()) == ["error"]


def test_a_method_without_a_route_changes_nothing(world: World) -> None:
    before = world.api.read(f"/models/{world.model['id']}")
    for method in ("PUT", "POST"):
        world.api.request(method, f"/models/{world.model['id']}", {"name": "changed"})
    assert world.api.read(f"/models/{world.model['id']}") == before


@pytest.mark.parametrize(
    "content_type", ["", "text/plain", "application/xml", "application/x-www-form-urlencoded", "image/png", "nonsense"]
)
def test_the_content_type_of_a_request_is_ignored(api: Api, content_type: str) -> None:
    name = fresh("typed")
    headers = {"Content-Type": content_type} if content_type else {}
    response = api.request("POST", "/models", content=f'{{"name":"{name}"}}', headers=headers)
    assert json_of(response, 201)["name"] == name


@pytest.mark.parametrize("accept", ["text/html", "application/xml", "*/*;q=0"])
def test_the_accept_header_is_ignored(api: Api, accept: str) -> None:
    json_of(api.request("GET", "/models", headers={"Accept": accept}))


def test_answers_are_compact_json_with_the_contracts_content_type(world: World) -> None:
    json_of(world.api.get("/models"))
    json_of(world.api.get(f"/models/{world.model['id']}"))
    json_of(world.api.post("/models", {"name": fresh("model")}), 201)
    json_of(world.api.get(f"/models/{an_id()}"), 404)
    json_of(world.api.get("/models/nonsense"), 400)


def test_204_has_no_body_and_no_content_type(api: Api) -> None:
    environment = an_environment(api)
    assert_no_content(api.delete(f"/serving_environments/{environment['id']}"))


@pytest.mark.parametrize("path", ["/models", "/models/{model}", "/models/nonsense", "/nothing"])
def test_the_inside_of_the_gateway_does_not_show(world: World, path: str) -> None:
    headers = world.api.get(world.path(path)).headers
    assert not [name for name in headers if name.startswith(("grpc-", "x-envoy-", "trailer"))]


def test_a_client_cannot_choose_the_status(api: Api) -> None:
    chosen = {"content-type": "application/json; charset=utf-8; status=418"}
    response = api.request("GET", "/models", headers=chosen)
    assert response.status_code == 200


# --- request ids -------------------------------------------------------------------------------------------------


def answers_of_every_kind(world: World, **headers: str) -> dict[str, str]:
    """The request id of answers with every status."""
    environment = an_environment(world.api)
    asked = [
        ("GET", "/models", NO_BODY),
        ("POST", "/models", {"name": fresh("model")}),
        ("POST", "/models", {}),
        ("DELETE", f"/serving_environments/{environment['id']}", NO_BODY),
        ("GET", f"/models/{an_id()}", NO_BODY),
        ("GET", "/nothing", NO_BODY),
        ("PUT", "/models", NO_BODY),
        ("GET", "!/healthz", NO_BODY),
        ("GET", "!/nothing", NO_BODY),
    ]
    answers = {}
    for method, path, body in asked:
        response = world.api.request(method, path, body, headers=headers)
        answers[f"{method} {path} {body}"] = response.headers.get("x-request-id", "missing")
    return answers


@pytest.mark.parametrize("sent", ["abc", str(uuid.UUID(int=7)), "with blanks and ; signs", "x" * 2000])
def test_a_request_id_is_echoed_unchanged_on_every_answer(world: World, sent: str) -> None:
    answers = answers_of_every_kind(world, **{"X-Request-ID": sent})
    assert answers == dict.fromkeys(answers, sent)


def test_without_a_request_id_each_answer_gets_a_fresh_uuid(world: World) -> None:
    answers = answers_of_every_kind(world)
    assert answers == dict.fromkeys(answers, ANY_UUID)
    assert len(set(answers.values())) == len(answers)


def test_a_request_without_a_project_has_a_request_id_too(api: Api) -> None:
    response = api.http.get(f"{PREFIX}/models", headers={"X-Request-ID": "seen"})
    assert (response.status_code, response.headers["x-request-id"]) == (400, "seen")


# --- paths and queries -------------------------------------------------------------------------------------------


def test_path_parameters_are_percent_decoded(api: Api) -> None:
    model = a_model(api)
    encoded = "".join(f"%{ord(character):02X}" for character in model["id"])
    assert json_of(api.get(f"/models/{encoded}"))["id"] == model["id"]


@pytest.mark.parametrize("text", ["%20", "abc", "%E2%82%AC", "'", "null", "-1", "{model}x", "%20{model}"])
def test_path_parameters_that_are_no_uuid_are_refused(world: World, text: str) -> None:
    assert_error(world.api.get(f"/models/{world.path(text)}"), 400, "invalid model id")


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("/models/%FF", "invalid model id"),
        ("/models/..%00", "invalid model id"),
        ("/models/%zz", "invalid model id"),
        ("/models/%", "invalid model id"),
        ("/models//versions", "invalid model id"),
        ("/models/%FF/versions", "invalid model id"),
        ("/serve_models/%c3%28", "invalid id"),
    ],
)
def test_path_parameters_that_are_no_text_are_refused(api: Api, path: str, text: str) -> None:
    assert_error(api.get(path), 400, text)


@pytest.mark.parametrize("path", ["/models/{model}%2F", "/models/a%2fb", "/models/{model}%2Fversions/{version}"])
def test_an_escaped_slash_separates_segments(world: World, path: str) -> None:
    assert_error(world.api.get(world.path(path)), 404, "not found")


def test_a_parameter_named_like_an_id_of_the_path_is_ignored(world: World) -> None:
    other = a_model(world.api)
    model = world.api.read(f"/models/{world.model['id']}")
    path = f"/models/{model['id']}?id={other['id']}&registered_model_id={other['id']}"
    assert json_of(world.api.get(path)) == model
    assert json_of(world.api.patch(path, {"description": "x"}))["id"] == model["id"]
    path = f"/models/{model['id']}/versions"
    query = f"?registered_model_id={other['id']}&id={other['id']}"
    assert json_of(world.api.get(path + query)) == world.api.read(path)
    assert world.api.read(f"/models/{other['id']}") == other


@pytest.mark.parametrize("content", ["", "null", "[]", "hello", '{{"id":"{other}","inference_service_id":"{other}"}}'])
@pytest.mark.parametrize(
    ("method", "path", "status"),
    [("POST", "/sync", 200), ("DELETE", "/undeploy", 204), ("DELETE", "", 204), ("GET", "", 200)],
)
def test_an_unexpected_body_is_ignored(api: Api, method: str, path: str, status: int, content: str) -> None:
    world, other = World(api), World(api)
    body = content.format(other=other.service["id"])
    response = api.request(method, f"/inference_services/{world.service['id']}{path}", content=body)
    assert response.status_code == status, response.text
    if status == 200:
        assert response.json()["id"] == world.service["id"]
    assert api.read(f"/inference_services/{other.service['id']}")["desired_state"] == "DEPLOYED"


def test_unknown_query_parameters_are_ignored(world: World) -> None:
    model = world.api.read(f"/models/{world.model['id']}")
    assert json_of(world.api.get(f"/models/{world.model['id']}?nothing=1&a.b=2&%00=3")) == model
    body = {"description": "new"}
    assert json_of(world.api.patch(f"/models/{world.model['id']}?nothing=1", body))["description"] == "new"


def test_a_fragmented_request_is_one_request(api: Api) -> None:
    """A body in chunks, without a content length."""
    name = fresh("chunked")
    chunks = (chunk.encode() for chunk in ('{"na', 'me":', f'"{name}"', "}"))
    response = api.http.post(f"{PREFIX}/models", content=chunks, headers={"Project-ID": api.project_id})
    assert json_of(response, 201)["name"] == name
