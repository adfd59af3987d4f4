"""Keys, parameters and headers that the Go service does not have: the last tables of docs/rest-compat.md."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import grpc
import httpx
import pytest
from google.protobuf.json_format import MessageToDict
from tests.e2e.api import Api
from tests.e2e.builders import World, a_model, a_version, an_id, fresh
from tests.e2e.checks import assert_error, assert_page, json_of
from tests.e2e.stack import Addresses
from tests.e2e.test_grpc_deploy import Deployer


def test_an_environment_has_a_drift_policy(api: Api) -> None:
    by_default = json_of(api.post("/serving_environments", {"name": fresh("env")}), 201)
    assert by_default["drift_policy"] == "report"
    enforced = json_of(api.post("/serving_environments", {"name": fresh("env"), "drift_policy": "enforce"}), 201)
    path = f"/serving_environments/{enforced['id']}"
    assert [item["drift_policy"] for item in assert_page(api.get("/serving_environments"), total=2)] == [
        "enforce",
        "report",
    ]
    assert json_of(api.patch(path, {"description": "d"}))["drift_policy"] == "enforce"
    assert json_of(api.patch(path, {"drift_policy": "report"}))["drift_policy"] == "report"
    for policy in ("", "Report", "delete"):
        response = api.patch(path, {"drift_policy": policy})
        assert response.status_code == 400
        assert "drift_policy" in response.json()["error"]
    assert json_of(api.get(path))["drift_policy"] == "report"


@pytest.mark.parametrize("path", ["/model_version", "/model_artifact"])
def test_a_find_takes_the_model_under_either_name(api: Api, path: str) -> None:
    model, other = a_model(api), a_model(api)
    versions = {each["id"]: a_version(api, each["id"]) for each in (model, other)}
    for params in (
        {"registered_model_id": other["id"]},
        {"registered_model_id": model["id"], "parentResourceId": other["id"]},
    ):
        assert json_of(api.get(path, **params))["id"] == versions[other["id"]]["id"]
    assert_error(api.get(path, registered_model_id=an_id()), 404, "model version not found")
    assert_error(api.get(path, registered_model_id="nonsense"), 400, "invalid registered_model_id")


def test_the_current_state_wins_over_its_other_name(world: World) -> None:
    both = {"state": "DEPLOYED", "current_state": "UNDEPLOYED"}
    assert_page(world.api.get("/inference_services", **both), total=1)


@pytest.fixture
def deployer(simulated_http: httpx.Client, simulated_stack: Addresses) -> Iterator[Deployer]:
    with grpc.insecure_channel(simulated_stack.target) as channel:
        yield Deployer(Api(simulated_http), channel)


def test_a_deploy_takes_options_and_the_user(deployer: Deployer) -> None:
    body = {
        "registered_model_id": deployer.model["id"],
        "serving_environment_id": deployer.environment["id"],
        "options": {"min_replicas": 1, "max_replicas": 3, "resources": {"requests": {"cpu": "250m"}}},
    }
    answer = json_of(deployer.api.request("POST", "/deploy", body, headers={"X-User": "Ada"}), 202)
    assert list(answer) == ["inference_service", "status", "message"]
    (revision,) = deployer.revisions(answer["inference_service"]["id"])
    assert revision.created_by == "Ada"
    assert (revision.options.min_replicas, revision.options.max_replicas) == (1, 3)
    assert dict(revision.options.resources.requests) == {"cpu": "250m"}

    large: dict[str, Any] = {
        "args": ["--enable-lora"],
        "shared_memory": "1Gi",
        "node_selector": {"gpu": "L40S"},
        "tolerations": [{"key": "gpu", "effect": "NoExecute", "toleration_seconds": 60}],
        "storage_uris": [{"uri": "hf://org/sql", "mount_path": "/mnt/adapters/sql"}],
        "storage": {"anonymous": True, "verify_ssl": False},
        "probes": {"startup_seconds": 600},
        "protocol_version": "v2",
    }
    answer = json_of(deployer.api.post("/deploy", body | {"name": "large", "options": large}), 202)
    (revision,) = deployer.revisions(answer["inference_service"]["id"])
    told = MessageToDict(revision.options, preserving_proto_field_name=True)
    # As protobuf's JSON has enums and durations.
    large["tolerations"] = [{"key": "gpu", "effect": "TAINT_EFFECT_NO_EXECUTE", "toleration_period": "60s"}]
    large["probes"] = {"startup": "600s"}
    large["protocol_version"] = "SERVING_PROTOCOL_V2"
    assert {key: told[key] for key in large} == large

    wrong = deployer.api.post("/deploy", body | {"options": {"min_replicas": 4, "max_replicas": 3}})
    assert wrong.status_code == 400
    assert "max_replicas" in wrong.json()["error"]
