"""Deploy, undeploy and sync with the cluster switched off: only rows (contract 2.4; Q14-Q16, Q43, Q46, Q47, Q49)."""

from __future__ import annotations

import os
from typing import Any

import pytest
from tests.e2e import shapes
from tests.e2e.api import JSON, Api
from tests.e2e.builders import a_model, a_service, a_version, an_environment, an_id, fresh
from tests.e2e.checks import assert_error, assert_no_content, assert_page, assert_refused, json_of, same

pytestmark = pytest.mark.skipif(
    "REGISTRY_TEST_BASE_URL" in os.environ, reason="nobody says whether the running service has a cluster"
)


class Place:
    """A model with a READY version, and an environment to which it is deployed."""

    def __init__(self, api: Api) -> None:
        self.api = api
        self.model = a_model(api, fresh("Model"))
        self.version = a_version(api, self.model["id"], status="READY")
        self.environment = an_environment(api)

    def body(self, **fields: Any) -> JSON:
        ids = {"registered_model_id": self.model["id"], "serving_environment_id": self.environment["id"]}
        return ids | fields

    def deploy(self, **fields: Any) -> JSON:
        """The answer of a deployment that was accepted. Checks the parts that are always the same."""
        answer: JSON = json_of(self.api.post("/deploy", self.body(**fields)), 202)
        assert list(answer)[:3] == ["inference_service", "status", "message"]
        assert (answer["status"], answer["message"]) == ("PENDING", "Deployment initiated")
        service: JSON = answer["inference_service"]
        return service

    def assert_nothing_was_stored(self) -> None:
        assert_page(self.api.get("/inference_services"), total=0)
        assert_page(self.api.get("/serve_models"), total=0)


@pytest.fixture
def place(api: Api) -> Place:
    return Place(api)


def versions_of(service: JSON) -> list[str]:
    return [served["model_version_id"] for served in service["served_models"]]


def test_the_answer_is_the_stored_rows(api: Api, place: Place) -> None:
    service = place.deploy(name="svc", labels={"team": "a"})
    served = [shapes.by_contract(one, shapes.SERVE_MODEL_KEYS) for one in service["served_models"]]
    assert same(served, [shapes.serve_model(service, place.version)])
    expected = shapes.service(
        "svc", place.environment, place.model, labels={"team": "a"}, served_models=service["served_models"]
    )
    assert same(shapes.by_contract(service, shapes.SERVICE_KEYS), expected)
    assert same(json_of(api.get(f"/inference_services/{service['id']}")), service)
    assert same(assert_page(api.get("/serve_models"), total=1), service["served_models"])


def test_the_name_is_made_of_slug_and_version(place: Place) -> None:
    service = place.deploy()
    assert service["name"] == f"{place.model['slug']}-{place.version['id'][:8]}"


def test_an_empty_name_is_no_name(place: Place) -> None:
    assert place.deploy(name="")["name"] == f"{place.model['slug']}-{place.version['id'][:8]}"


def test_the_default_version_comes_before_the_latest(api: Api, place: Place) -> None:
    default = a_version(api, place.model["id"], status="READY", is_default=True)
    latest = a_version(api, place.model["id"], status="READY")
    assert versions_of(place.deploy(name="one")) == [default["id"]]
    json_of(api.patch(f"/model_versions/{default['id']}", {"is_default": False}))
    assert versions_of(place.deploy(name="two", model_version_ids=[])) == [latest["id"]]
    assert versions_of(place.deploy(name="three", model_version_ids=None)) == [latest["id"]]


def test_versions_by_id(api: Api, place: Place) -> None:
    other = a_version(api, place.model["id"], status="READY")
    one, two = place.version["id"], other["id"]
    for number, (fields, expected) in enumerate(
        [
            ({"model_version_id": one}, [one]),
            ({"model_version_ids": [two, one]}, [two, one]),
            ({"model_version_ids": [one, two, one, two]}, [one, two]),
            ({"model_version_id": two, "model_version_ids": [one]}, [two, one]),
            ({"model_version_id": one, "model_version_ids": [one, one]}, [one]),
        ]
    ):
        service = place.deploy(name=f"svc{number}", **fields)
        assert versions_of(service) == expected
        assert service["model_version_id"] == expected[0]


def test_required_fields(api: Api, place: Place) -> None:
    assert_refused(api.post("/deploy", {}), "registered_model_id", "serving_environment_id")
    for field in ("registered_model_id", "serving_environment_id"):
        for nothing in (None, "", "00000000-0000-0000-0000-000000000000"):
            assert_refused(api.post("/deploy", place.body(**{field: nothing})), field)
    assert_refused(api.post("/deploy", place.body(name="x" * 101)), "name")
    place.assert_nothing_was_stored()


def test_missing_objects(api: Api, place: Place) -> None:
    theirs = Place(api.of_another_project())
    nothing = an_id()
    for environment in (nothing, theirs.environment["id"]):
        body = place.body(serving_environment_id=environment, registered_model_id=an_id())
        assert_error(api.post("/deploy", body), 404, "get serving environment: serving environment not found")
    for model in (nothing, theirs.model["id"]):
        body = place.body(registered_model_id=model)
        assert_error(api.post("/deploy", body), 404, "get model: registered model not found")
    of_another_model = a_version(api, a_model(api)["id"], status="READY")["id"]
    for version in (nothing, theirs.version["id"], of_another_model):
        for fields in ({"model_version_ids": [place.version["id"], version]}, {"model_version_id": version}):
            text = f"get version {version}: model version not found"
            assert_error(api.post("/deploy", place.body(**fields)), 404, text)
    place.assert_nothing_was_stored()


def test_a_model_without_versions(api: Api, place: Place) -> None:
    body = place.body(registered_model_id=a_model(api)["id"])
    assert_error(api.post("/deploy", body), 404, "model version not found")


def test_only_ready_versions(api: Api, place: Place) -> None:
    for status in ("PENDING", "FAILED", "ready", ""):
        version = a_version(api, place.model["id"], fresh("v"), status=status)
        text = f"version {version['name']}: model version is not ready for deployment"
        ids = [place.version["id"], version["id"]]
        for fields in ({}, {"model_version_ids": ids}, {"model_version_id": version["id"]}):
            assert_error(api.post("/deploy", place.body(**fields)), 400, text)
    place.assert_nothing_was_stored()


def test_the_state_of_model_and_version_is_not_looked_at(api: Api, place: Place) -> None:
    json_of(api.patch(f"/models/{place.model['id']}", {"state": "ARCHIVED"}))
    json_of(api.patch(f"/model_versions/{place.version['id']}", {"state": "ARCHIVED"}))
    place.deploy()


def test_a_taken_name(api: Api, place: Place) -> None:
    place.deploy(name="svc")
    taken = "create inference service: inference service with this name already exists"
    assert_error(api.post("/deploy", place.body(name="svc")), 409, taken)
    assert_page(api.get("/serve_models"), total=1)
    place.deploy()
    assert_error(api.post("/deploy", place.body()), 409, taken)
    place.deploy(name="svc", serving_environment_id=an_environment(api)["id"])


def test_a_deployment_does_not_touch_the_model(api: Api, place: Place) -> None:
    before = api.read(f"/models/{place.model['id']}")
    place.deploy()
    assert api.read(f"/models/{place.model['id']}") == before
    assert before["deployment_status"] == "UNDEPLOYED"


# --- sync and undeploy -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("content", [b"", b"{}", b'{"current_state":"DEPLOYED"}'])
def test_sync_answers_the_stored_service_unchanged(api: Api, place: Place, content: bytes) -> None:
    service = place.deploy()
    response = api.request("POST", f"/inference_services/{service['id']}/sync", content=content)
    assert same(json_of(response), service)
    assert same(json_of(api.get(f"/inference_services/{service['id']}")), service)


def test_undeploying_is_repeatable(api: Api, place: Place) -> None:
    service = place.deploy()
    path = f"/inference_services/{service['id']}"
    seen = {"current_state": "DEPLOYED", "url": "http://u", "last_error": "kept", "external_id": "uid"}
    json_of(api.patch(path, seen))
    for _ in range(2):
        assert_no_content(api.delete(f"{path}/undeploy"))
        after = api.read(path)
        assert (after["desired_state"], after["current_state"]) == ("UNDEPLOYED", "UNDEPLOYED")
        assert after["last_error"] == "kept"
        assert not {"url", "external_id"} & after.keys()
        assert [served["last_known_state"] for served in after["served_models"]] == ["PENDING"]
    assert_no_content(api.delete(path))


def test_a_service_made_by_hand_can_be_undeployed_and_synced(api: Api, place: Place) -> None:
    service = a_service(api, place.environment, place.model)
    path = f"/inference_services/{service['id']}"
    assert same(json_of(api.post(f"{path}/sync")), service)
    json_of(api.patch(path, {"current_state": "DEPLOYED", "url": "http://u"}))
    assert_no_content(api.delete(f"{path}/undeploy"))
    after = api.read(path)
    assert (after["desired_state"], after["current_state"], "url" in after) == ("UNDEPLOYED", "UNDEPLOYED", False)


@pytest.mark.parametrize(("method", "action"), [("DELETE", "undeploy"), ("POST", "sync")])
def test_unknown_services(api: Api, method: str, action: str) -> None:
    not_found = api.request(method, f"/inference_services/{an_id()}/{action}")
    assert_error(not_found, 404, "inference service not found")
    theirs = Place(api.of_another_project()).deploy()
    foreign = api.request(method, f"/inference_services/{theirs['id']}/{action}")
    assert_error(foreign, 404, "inference service not found")
    bad = api.request(method, f"/inference_services/nonsense/{action}")
    assert_error(bad, 400, "invalid inference service id")


def test_a_deployed_model_is_guarded(api: Api, place: Place) -> None:
    service = place.deploy()
    json_of(api.patch(f"/models/{place.model['id']}", {"state": "ARCHIVED"}))
    assert_error(api.delete(f"/models/{place.model['id']}"), 400, "model has active deployments")
    assert_no_content(api.delete(f"/inference_services/{service['id']}"))
    json_of(api.delete(f"/models/{place.model['id']}"))
