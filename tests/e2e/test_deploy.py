"""Deploying to the simulated cluster (contract 2.4; Q13, Q16-Q19, Q42, Q43, Q45-Q47; decision 6)."""

from __future__ import annotations

import re
import time

import httpx
import pytest
from tests.e2e import shapes
from tests.e2e.api import JSON, Api
from tests.e2e.builders import a_model, a_version, fresh
from tests.e2e.checks import assert_error, assert_no_content, assert_page, json_of, same
from tests.e2e.deployments import PATIENCE, Place, is_deployed, is_undeployed, served_states, states


@pytest.fixture
def api(simulated_http: httpx.Client) -> Api:
    """A new project of the service with the simulated cluster."""
    return Api(simulated_http)


@pytest.fixture
def place(api: Api) -> Place:
    return Place(api)


def test_a_deployment_from_pending_to_deployed(api: Api, place: Place) -> None:
    answer = place.deploy(labels={"team": "a"})
    assert (answer["status"], answer["message"]) == ("PENDING", "Deployment initiated")
    service = answer["inference_service"]
    assert states(service) == ("DEPLOYED", "UNDEPLOYED")
    assert served_states(service) == {"PENDING"}
    expected = shapes.service(
        f"{place.model['slug']}-{place.version['id'][:8]}",
        place.environment,
        place.model,
        external_id=service.get("external_id", shapes.OMITTED),
        labels={"team": "a"},
        served_models=service["served_models"],
    )
    assert same(shapes.by_contract(service, shapes.SERVICE_KEYS), expected)

    deployed = place.wait(service, is_deployed)
    assert states(deployed) == ("DEPLOYED", "DEPLOYED")
    assert deployed["url"].startswith("http")
    assert deployed["external_id"]
    assert "last_error" not in deployed
    assert served_states(deployed) == {"RUNNING"}
    assert [served["model_version_name"] for served in deployed["served_models"]] == [place.version["name"]]
    read = api.read(f"/inference_services/{service['id']}")
    assert (states(read), read["url"]) == (states(deployed), deployed["url"])
    assert json_of(api.get("/inference_service", externalId=deployed["external_id"]))["id"] == service["id"]


def test_it_becomes_deployed_without_anybody_syncing(api: Api, place: Place) -> None:
    service = place.deploy()["inference_service"]
    deadline = time.monotonic() + PATIENCE
    while not is_deployed(api.read(f"/inference_services/{service['id']}")):
        assert time.monotonic() < deadline
        time.sleep(0.1)
    (item,) = assert_page(api.get("/serve_models", state="RUNNING"), total=1)
    assert item["inference_service_id"] == service["id"]


def test_a_deployed_service_and_its_model_are_guarded(api: Api, place: Place) -> None:
    service = place.deployed()
    path = f"/inference_services/{service['id']}"
    assert_error(api.delete(path), 400, "cannot delete deployed inference service")
    json_of(api.patch(f"/models/{place.model['id']}", {"state": "ARCHIVED"}))
    assert_error(api.delete(f"/models/{place.model['id']}"), 400, "model has active deployments")
    environment = f"/serving_environments/{place.environment['id']}"
    assert_error(api.delete(environment), 400, "serving environment has active inference services")
    assert api.read(f"/models/{place.model['id']}")["deployment_status"] == "UNDEPLOYED"

    assert_no_content(api.delete(f"{path}/undeploy"))
    for finished in (path, environment):
        assert_no_content(api.delete(finished))
    json_of(api.delete(f"/models/{place.model['id']}"))


def test_undeploying_is_repeatable(api: Api, place: Place) -> None:
    service = place.deployed()
    path = f"/inference_services/{service['id']}"
    for _ in range(2):
        assert_no_content(api.delete(f"{path}/undeploy"))
        after = api.read(path)
        assert states(after) == ("UNDEPLOYED", "UNDEPLOYED")
        assert not {"url", "external_id"} & after.keys()
        assert served_states(after) == {"PENDING"}
    time.sleep(1)
    assert states(place.sync(service)) == ("UNDEPLOYED", "UNDEPLOYED")
    assert states(api.read(path)) == ("UNDEPLOYED", "UNDEPLOYED")


def test_patching_the_desired_state_undeploys_and_deploys(api: Api, place: Place) -> None:
    service = place.deployed()
    path = f"/inference_services/{service['id']}"
    assert json_of(api.patch(path, {"desired_state": "UNDEPLOYED"}))["desired_state"] == "UNDEPLOYED"
    undeployed = place.wait(service, is_undeployed)
    assert "url" not in undeployed
    assert json_of(api.patch(path, {"desired_state": "DEPLOYED"}))["desired_state"] == "DEPLOYED"
    deployed = place.wait(service, is_deployed)
    assert deployed["url"].startswith("http")


def test_patched_observations_hold_until_the_next_one(api: Api, place: Place) -> None:
    service = place.deployed()
    path = f"/inference_services/{service['id']}"
    patched = json_of(
        api.patch(path, {"current_state": "UNDEPLOYED", "url": "http://by-hand", "last_error": "by hand"})
    )
    assert (patched["current_state"], patched["url"], patched["last_error"]) == (
        "UNDEPLOYED",
        "http://by-hand",
        "by hand",
    )
    synced = place.wait(service, is_deployed)
    assert synced["url"] == service["url"]
    assert "last_error" not in synced


# --- which version -----------------------------------------------------------------------------------------------


def versions_of(service: JSON) -> list[str]:
    return [served["model_version_id"] for served in service["served_models"]]


def test_versions(place: Place) -> None:
    one = place.version["id"]
    default = place.another_version(is_default=True)["id"]
    latest = place.another_version()["id"]
    for fields, expected in [
        ({}, [default]),
        ({"model_version_id": one}, [one]),
        ({"model_version_ids": [latest, one, latest]}, [latest, one]),
        ({"model_version_id": one, "model_version_ids": [latest]}, [one, latest]),
    ]:
        answer = place.deploy(name=fresh("svc"), **fields)
        assert answer["status"] == "PENDING"
        assert versions_of(answer["inference_service"]) == expected
        assert answer["inference_service"]["model_version_id"] == expected[0]


def test_without_a_default_the_latest_version_is_deployed_or_refused(api: Api, place: Place) -> None:
    latest = place.another_version()
    assert versions_of(place.deploy(name="one")["inference_service"]) == [latest["id"]]
    not_ready = place.another_version(status="PENDING")
    body = {"registered_model_id": place.model["id"], "serving_environment_id": place.environment["id"]}
    text = f"version {not_ready['name']}: model version is not ready for deployment"
    assert_error(api.post("/deploy", body), 400, text)
    foreign = a_version(api, a_model(api)["id"], status="READY")["id"]
    text = f"get version {foreign}: model version not found"
    assert_error(api.post("/deploy", body | {"model_version_id": foreign}), 404, text)
    assert_page(api.get("/inference_services"), total=1)


# --- names -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("model_name", "pattern"),
    [
        ("My Model", r"my-model-{id}"),
        ("日本", r"model-{id}"),
        ("---", r"model-{id}"),
        ("-a-", r"a-{id}"),
        ("2024 forecast", r"[a-z][-a-z0-9]*{id}"),
        ("x" * 100, r"x+-{id}"),
        ("a_" * 40, r"(a-)+{id}"),
    ],
)
def test_made_names_are_always_valid(api: Api, model_name: str, pattern: str) -> None:
    place = Place(api, model_name)
    service = place.deployed()
    assert re.fullmatch(pattern.replace("{id}", place.version["id"][:8]), service["name"])
    assert re.fullmatch(r"[a-z]([-a-z0-9]*[a-z0-9])?", service["name"])
    assert len(service["name"]) + len(place.environment["name"]) <= 52


@pytest.mark.parametrize("name", ["Not A Name", "UPPER", "-dash", "x" * 60])
def test_a_given_name_that_the_cluster_refuses_is_202_failed(api: Api, place: Place, name: str) -> None:
    answer = place.deploy(name=name)
    service = answer["inference_service"]
    assert answer["status"] == "FAILED"
    assert answer["message"] not in {"", "Deployment initiated"}
    assert service["last_error"]
    assert states(service) == ("DEPLOYED", "UNDEPLOYED")
    assert served_states(service) == {"FAILED"}
    read = api.read(f"/inference_services/{service['id']}")
    assert (read["name"], read["last_error"]) == (name, service["last_error"])
    assert_no_content(api.delete(f"/inference_services/{service['id']}/undeploy"))
    assert_no_content(api.delete(f"/inference_services/{service['id']}"))


# --- failures ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "uri", ["s3://bucket/does-not-exist", "s3://bucket/corrupt-model", "s3://bucket/too-large-model"]
)
def test_a_model_that_does_not_load_has_a_reason(api: Api, uri: str) -> None:
    place = Place(api, uri=uri)
    answer = place.deploy()
    assert answer["status"] == "PENDING"
    failed = place.wait(answer["inference_service"], lambda service: bool(service.get("last_error")))
    assert states(failed) == ("DEPLOYED", "UNDEPLOYED")
    assert "url" not in failed
    assert_no_content(api.delete(f"/inference_services/{failed['id']}/undeploy"))
    after = api.read(f"/inference_services/{failed['id']}")
    assert after["last_error"] == failed["last_error"]


def test_a_second_deployment_of_the_same_name_is_409(place: Place) -> None:
    place.deploy()
    body = {"registered_model_id": place.model["id"], "serving_environment_id": place.environment["id"]}
    text = "create inference service: inference service with this name already exists"
    assert_error(place.api.post("/deploy", body), 409, text)
