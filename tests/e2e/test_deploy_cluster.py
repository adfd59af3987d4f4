"""The objects of deployments in the cluster, and changes to them by others (contract 2.4; Q13, Q17, Q18)."""

from __future__ import annotations

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest
from tests.e2e.api import JSON, Api
from tests.e2e.builders import a_service, an_environment, fresh
from tests.e2e.checks import assert_no_content, json_of
from tests.e2e.cluster import Cluster
from tests.e2e.deployments import PATIENCE, Place, is_deployed, is_undeployed
from tests.e2e.stack import Addresses

SYSTEM_LABELS = {
    "inference-service-id": lambda place, service: service["id"],
    "registered-model-id": lambda place, service: place.model["id"],
    "model-version-id": lambda place, service: place.version["id"],
}


@pytest.fixture(scope="module")
def cluster(simulated_stack: Addresses) -> Iterator[Cluster]:
    if not simulated_stack.folder:
        pytest.skip("nobody says where the running service keeps its kubeconfig")
    cluster = Cluster(simulated_stack)
    with cluster.http:
        yield cluster


@pytest.fixture
def place(simulated_http: httpx.Client) -> Place:
    return Place(Api(simulated_http))


def wait_until_gone(cluster: Cluster, namespace: str, service: JSON) -> None:
    deadline = time.monotonic() + PATIENCE
    while cluster.find(namespace, service["name"]) is not None:
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_the_object_has_the_requested_values(cluster: Cluster, place: Place) -> None:
    version = place.another_version(container_image="kserve-sklearnserver", uri="s3://bucket/other")
    service = place.deployed(model_version_id=version["id"], labels={"team": "a"})
    live = cluster.get(place.environment["name"], service["name"])
    assert live["metadata"]["uid"] == service["external_id"]
    assert live["metadata"]["labels"]["team"] == "a"
    model = live["spec"]["predictor"]["model"]
    assert model["modelFormat"] == {"name": "sklearn", "version": "1"}
    assert (model["storageUri"], model["runtime"]) == ("s3://bucket/other", "kserve-sklearnserver")
    prefix = "modelregistry.ai-platform/"
    assert live["metadata"]["labels"][f"{prefix}model-version-id"] == version["id"]


@pytest.mark.parametrize("key", SYSTEM_LABELS)
def test_system_labels_win(cluster: Cluster, place: Place, key: str) -> None:
    label = f"modelregistry.ai-platform/{key}"
    answer = place.deploy(labels={label: "mine", "other": "kept"})
    service = answer["inference_service"]
    assert service["labels"] == {label: "mine", "other": "kept"}
    place.wait(service, is_deployed)
    labels = cluster.get(place.environment["name"], service["name"])["metadata"]["labels"]
    assert labels[label] == SYSTEM_LABELS[key](place, service)
    assert labels["other"] == "kept"


@pytest.mark.parametrize("with_external_id", [True, False])
def test_the_namespace_is_the_external_id_or_the_name(
    cluster: Cluster, place: Place, *, with_external_id: bool
) -> None:
    namespace = fresh("ns")
    name = "Production" if with_external_id else namespace
    place.environment = an_environment(place.api, name, external_id=namespace if with_external_id else "")
    service = place.deployed()
    path = f"/inference_services/{service['id']}"
    cluster.get(namespace, service["name"])
    json_of(place.api.patch(path, {"current_state": "UNDEPLOYED"}))
    if with_external_id:
        assert_no_content(place.api.delete(f"{path}/undeploy"))
    assert_no_content(place.api.delete(path))
    wait_until_gone(cluster, namespace, service)


def test_undeploying_removes_the_object_and_redeploying_makes_it_again(cluster: Cluster, place: Place) -> None:
    service = place.deployed()
    namespace, path = place.environment["name"], f"/inference_services/{service['id']}"
    first = cluster.get(namespace, service["name"])["metadata"]["uid"]
    assert_no_content(place.api.delete(f"{path}/undeploy"))
    wait_until_gone(cluster, namespace, service)
    json_of(place.api.patch(path, {"desired_state": "DEPLOYED"}))
    again = place.wait(service, is_deployed)
    assert again["external_id"] == cluster.get(namespace, service["name"])["metadata"]["uid"] != first


def test_an_object_deleted_by_others_is_noticed_and_brought_back(cluster: Cluster, place: Place) -> None:
    service = place.deployed()
    namespace = place.environment["name"]
    cluster.delete(namespace, service["name"])
    wait_for_another(cluster, namespace, service)
    again = place.wait(service, lambda now: is_deployed(now) and now["external_id"] != service["external_id"])
    assert again["url"] == service["url"]


def wait_for_another(cluster: Cluster, namespace: str, service: JSON) -> None:
    """Wait until there is a new object."""
    deadline = time.monotonic() + PATIENCE
    while True:
        live = cluster.find(namespace, service["name"])
        if live is not None and live["metadata"]["uid"] != service["external_id"]:
            return
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_sync_right_after_the_object_is_gone_tells_so(cluster: Cluster, place: Place) -> None:
    """The reconciler may already have created it again, but sync never fails."""
    service = place.deployed()
    cluster.delete(place.environment["name"], service["name"])
    synced = place.sync(service)
    if is_undeployed(synced):
        assert "url" not in synced
        assert synced["last_error"]
    place.wait(service, is_deployed)


def test_clients_that_sync_a_record_at_once_all_get_it(place: Place) -> None:
    service = a_service(place.api, place.environment, place.model)
    with ThreadPoolExecutor(4) as clients:
        synced = list(clients.map(lambda _: place.sync(service), range(4)))
    assert {one["id"] for one in synced} == {service["id"]}


def test_renaming_environment_and_service_does_not_lose_the_object(cluster: Cluster, place: Place) -> None:
    service = place.deployed()
    namespace = place.environment["name"]
    json_of(place.api.patch(f"/serving_environments/{place.environment['id']}", {"name": fresh("renamed")}))
    json_of(place.api.patch(f"/inference_services/{service['id']}", {"name": fresh("renamed")}))
    assert is_deployed(place.sync(service))
    assert_no_content(place.api.delete(f"/inference_services/{service['id']}/undeploy"))
    wait_until_gone(cluster, namespace, service)


def test_secrets_do_not_show_in_the_object(cluster: Cluster, place: Place) -> None:
    version = place.another_version(access_key="AKIA-visible", secret_key="very-visible", is_default=True)
    service = place.deployed()
    assert service["model_version_id"] == version["id"]
    assert "visible" not in str(cluster.get(place.environment["name"], service["name"]))
