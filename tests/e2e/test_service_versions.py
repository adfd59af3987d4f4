"""The versions of an inference service (contract 2.5; Q12, Q14, Q45)."""

from __future__ import annotations

import pytest
from tests.e2e import shapes
from tests.e2e.api import Api
from tests.e2e.builders import World, a_model, a_version, an_id
from tests.e2e.checks import assert_error, assert_page, json_of, same
from tests.e2e.places import Place


@pytest.fixture
def place(api: Api) -> Place:
    return Place(api)


def test_versions_given_at_creation_become_serve_models(api: Api, place: Place) -> None:
    first, second, third = (a_version(api, place.model["id"]) for _ in range(3))
    versions = [second["id"], first["id"], third["id"], second["id"]]
    body = place.body(model_version_id=first["id"], model_version_ids=versions)
    service = json_of(api.post("/inference_services", body), 201)
    assert service["model_version_id"] == first["id"]
    served = service["served_models"]
    assert {one["model_version_id"] for one in served} == {first["id"], second["id"], third["id"]}
    assert len(served) == 3
    for one in served:
        version = next(version for version in (first, second, third) if version["id"] == one["model_version_id"])
        assert same(shapes.by_contract(one, shapes.SERVE_MODEL_KEYS), shapes.serve_model(service, version))
    assert json_of(api.get(f"/inference_services/{service['id']}")) == service
    assert_page(api.get("/serve_models", inference_service_id=service["id"]), total=3)


def test_an_unknown_or_foreign_version_leaves_no_service_behind(api: Api, place: Place) -> None:
    good = a_version(api, place.model["id"])["id"]
    theirs = api.of_another_project()
    foreign = a_version(theirs, a_model(theirs)["id"])["id"]
    of_another_model = a_version(api, a_model(api)["id"])["id"]
    for bad in (an_id(), foreign, of_another_model):
        for fields in ({"model_version_ids": [good, bad]}, {"model_version_id": bad}):
            response = api.post("/inference_services", place.body(**fields))
            assert_error(response, 404, "model version not found")
    assert_page(api.get("/inference_services"), total=0)
    assert_page(api.get("/serve_models"), total=0)


def test_single_answers_carry_serve_models_and_lists_do_not_lose_keys(world: World) -> None:
    path = f"/inference_services/{world.service['id']}"
    service = json_of(world.api.get(path))
    assert same(service["served_models"], [world.serve_model])
    params = {"name": service["name"], "serving_environment_id": service["serving_environment_id"]}
    assert same(json_of(world.api.get("/inference_service", **params)), service)
    assert same(json_of(world.api.patch(path, {}))["served_models"], [world.serve_model])


def test_the_version_can_be_changed_within_the_model(world: World) -> None:
    path = f"/inference_services/{world.service['id']}"
    version = a_version(world.api, world.model["id"])
    assert json_of(world.api.patch(path, {"model_version_id": version["id"]}))["model_version_id"] == version["id"]
    of_another_model = a_version(world.api, a_model(world.api)["id"])["id"]
    for bad in (an_id(), of_another_model):
        assert_error(world.api.patch(path, {"model_version_id": bad}), 404, "model version not found")
    assert world.api.read(path)["model_version_id"] == version["id"]
