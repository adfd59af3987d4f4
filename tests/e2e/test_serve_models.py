"""Serve models (contract 2.1-2.3; Q11, Q14, Q36, Q37)."""

from __future__ import annotations

import pytest
from tests.e2e import shapes
from tests.e2e.api import JSON, Api
from tests.e2e.builders import World, a_model, a_serve_model, a_service, a_version, an_environment, an_id
from tests.e2e.checks import assert_error, assert_no_content, assert_page, assert_refused, json_of, same

NOT_FOUND = "serve model not found"


def body(service: str, version: str) -> JSON:
    return {"inference_service_id": service, "model_version_id": version}


@pytest.mark.parametrize("status", ["PENDING", "READY", "FAILED"])
def test_a_version_in_any_status_can_be_linked(api: Api, status: str) -> None:
    model = a_model(api)
    service = a_service(api, an_environment(api), model)
    version = a_version(api, model["id"], status=status)
    answer = json_of(api.post("/serve_models", body(service["id"], version["id"])), 201)
    assert same(shapes.by_contract(answer, shapes.SERVE_MODEL_KEYS), shapes.serve_model(service, version))
    assert same(json_of(api.get(f"/serve_models/{answer['id']}")), answer)
    (item,) = assert_page(api.get("/serve_models"), total=1)
    assert same(item, answer)


def test_required_fields(world: World) -> None:
    assert_refused(world.api.post("/serve_models", {}), "inference_service_id", "model_version_id")
    for field in ("inference_service_id", "model_version_id"):
        for nothing in (None, ""):
            sent = body(world.service["id"], world.version["id"]) | {field: nothing}
            assert_refused(world.api.post("/serve_models", sent), field)


def test_fields_that_creation_ignores(world: World) -> None:
    version = a_version(world.api, world.model["id"])
    ignored = {"last_known_state": "RUNNING", "id": an_id(), "project_id": an_id()}
    answer = json_of(world.api.post("/serve_models", body(world.service["id"], version["id"]) | ignored), 201)
    assert answer["last_known_state"] == "PENDING"
    assert answer["id"] != ignored["id"]


def test_service_and_version_must_be_of_the_project(world: World, other_world: World) -> None:
    post = world.api.post
    for service in (an_id(), other_world.service["id"]):
        assert_error(post("/serve_models", body(service, an_id())), 404, "inference service not found")
    for version in (an_id(), other_world.version["id"]):
        assert_error(post("/serve_models", body(world.service["id"], version)), 404, "model version not found")


def test_the_version_must_be_of_the_services_model(world: World) -> None:
    version = a_version(world.api, a_model(world.api)["id"])
    response = world.api.post("/serve_models", body(world.service["id"], version["id"]))
    assert_error(response, 404, "model version not found")


def test_a_pair_exists_once(world: World) -> None:
    response = world.api.post("/serve_models", body(world.service["id"], world.version["id"]))
    assert_error(response, 409, "serve model already exists for this inference service and version")
    other = a_service(world.api, world.environment, world.model)
    a_serve_model(world.api, other, world.version)


def test_names_follow_a_renaming(world: World) -> None:
    json_of(world.api.patch(f"/inference_services/{world.service['id']}", {"name": "svc"}))
    json_of(world.api.patch(f"/model_versions/{world.version['id']}", {"name": "ver"}))
    read = world.api.read(f"/serve_models/{world.serve_model['id']}")
    assert (read["inference_service_name"], read["model_version_name"]) == ("svc", "ver")


def test_deleting(world: World) -> None:
    path = f"/serve_models/{world.serve_model['id']}"
    assert_no_content(world.api.delete(path))
    assert_error(world.api.get(path), 404, NOT_FOUND)
    assert_error(world.api.delete(path), 404, NOT_FOUND)
    assert "served_models" not in world.api.read(f"/inference_services/{world.service['id']}")
    a_serve_model(world.api, world.service, world.version)


def test_unknown_and_foreign_serve_models_are_404(world: World, other_world: World) -> None:
    for serve_model in (an_id(), other_world.serve_model["id"]):
        assert_error(world.api.get(f"/serve_models/{serve_model}"), 404, NOT_FOUND)
        assert_error(world.api.delete(f"/serve_models/{serve_model}"), 404, NOT_FOUND)
    assert other_world.api.read(f"/serve_models/{other_world.serve_model['id']}") == other_world.serve_model
