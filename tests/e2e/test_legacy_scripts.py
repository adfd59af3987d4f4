"""The checks of the Go service's own e2e scripts on the routes of Parts 1 and 2 (contract 5.1, 5.2)."""

from __future__ import annotations

from typing import Any

import pytest
from tests.e2e.api import JSON, Api
from tests.e2e.builders import fresh

MODEL_KEYS = {
    "id",
    "name",
    "state",
    "description",
    "slug",
    "project_id",
    "model_type",
    "model_size",
    "deployment_status",
    "tags",
    "labels",
    "version_count",
    "created_at",
    "updated_at",
}
VERSION_KEYS = {
    "id",
    "name",
    "registered_model_id",
    "state",
    "description",
    "is_default",
    "status",
    "artifact_type",
    "model_framework",
    "model_framework_version",
    "container_image",
    "uri",
    "labels",
    "created_at",
    "updated_at",
}
ARTIFACT_KEYS = {
    "id",
    "name",
    "uri",
    "artifact_type",
    "model_framework",
    "model_framework_version",
    "registered_model_id",
    "labels",
    "created_at",
    "updated_at",
}
LIST_KEYS = {"items", "total", "page_size", "next_offset"}
SERVICE_KEYS = {
    "id",
    "name",
    "serving_environment_id",
    "registered_model_id",
    "desired_state",
    "current_state",
    "created_at",
    "updated_at",
}
VERSION = {"model_framework": "pytorch", "model_framework_version": "2.0", "uri": "s3://models/e2e/v1"}


class Script:
    """Calls of the scripts: every answer has a status and at least these keys."""

    def __init__(self, api: Api) -> None:
        self._api = api

    def call(self, method: str, path: str, body: JSON | None, status: int, keys: set[str]) -> Any:
        arguments = () if body is None else (body,)
        response = self._api.request(method, path, *arguments)
        assert response.status_code == status, response.text
        if status == 204:
            return None
        answer = response.json()
        assert keys <= answer.keys()
        return answer

    def get(self, path: str, keys: set[str]) -> Any:
        return self.call("GET", path, None, 200, keys)


@pytest.fixture
def script(api: Api) -> Script:
    return Script(api)


def test_e2e_sdk(script: Script) -> None:
    name = fresh("e2e-model")
    body = {
        "name": name,
        "description": "made by a script",
        "model_type": "CUSTOMTRAIN",
        "tags": {"frameworks": ["pytorch"], "architectures": ["bert"], "tasks": ["nlp"], "subjects": ["test"]},
        "labels": {"team": "e2e"},
    }
    model = script.call("POST", "/models", body, 201, MODEL_KEYS)
    assert all(isinstance(model["tags"][key], list) for key in ("frameworks", "architectures", "tasks", "subjects"))
    assert isinstance(model["labels"], dict)
    assert (model["state"], model["name"]) == ("LIVE", name)
    path = f"/models/{model['id']}"

    assert script.get(path, MODEL_KEYS)["id"] == model["id"]
    listed = script.get("/models?limit=10&offset=0", LIST_KEYS)
    assert listed["total"] >= 1
    assert all(item.keys() >= MODEL_KEYS for item in listed["items"])
    assert script.get(f"/model?name={name}", MODEL_KEYS)["name"] == name
    changed = script.call("PATCH", path, {"description": "changed"}, 200, MODEL_KEYS)
    assert changed["description"] == "changed"

    version = script.call("POST", f"{path}/versions", {"name": "v1", **VERSION}, 201, VERSION_KEYS)
    assert version["registered_model_id"] == model["id"]
    assert (version["status"], version["artifact_type"]) == ("PENDING", "model-artifact")
    nested = f"{path}/versions/{version['id']}"
    script.get(nested, VERSION_KEYS)
    assert script.get(f"{path}/versions", LIST_KEYS)["total"] >= 1
    assert script.call("PATCH", nested, {"status": "READY"}, 200, VERSION_KEYS)["status"] == "READY"

    body = {"name": "artifact", "registered_model_id": model["id"], **VERSION}
    artifact = script.call("POST", "/model_artifacts", body, 201, ARTIFACT_KEYS)
    assert artifact["registered_model_id"] == model["id"]
    at = f"/model_artifacts/{artifact['id']}"
    script.get(at, ARTIFACT_KEYS)
    changed = script.call("PATCH", at, {"artifact_type": "doc-artifact"}, 200, ARTIFACT_KEYS)
    assert changed["artifact_type"] == "doc-artifact"

    script.call("PATCH", path, {"state": "ARCHIVED"}, 200, MODEL_KEYS)
    assert script.call("DELETE", path, None, 200, {"status"}) == {"status": "deleted"}
    script.call("GET", path, None, 404, {"error"})


def test_e2e_serving(script: Script) -> None:
    """With `model_framework_version` in the versions and DEPLOYED as the first desired state, unlike the script."""
    model = script.call("POST", "/models", {"name": fresh("serving")}, 201, MODEL_KEYS)
    versions = []
    for name in ("v1", "v2"):
        version = script.call("POST", f"/models/{model['id']}/versions", {"name": name, **VERSION}, 201, VERSION_KEYS)
        script.call("PATCH", f"/model_versions/{version['id']}", {"status": "READY"}, 200, VERSION_KEYS)
        versions.append(version["id"])

    keys = {"id", "name", "created_at", "updated_at"}
    environment = script.call("POST", "/serving_environments", {"name": fresh("env"), "description": "d"}, 201, keys)
    at = f"/serving_environments/{environment['id']}"
    assert script.get(at, keys)["id"] == environment["id"]
    assert script.get("/serving_environments", LIST_KEYS)["total"] >= 1
    assert script.call("PATCH", at, {"description": "changed"}, 200, keys)["description"] == "changed"

    body: JSON = {
        "name": fresh("isvc"),
        "serving_environment_id": environment["id"],
        "registered_model_id": model["id"],
        "model_version_id": versions[0],
        "runtime": "kserve",
        "labels": {"app": "e2e"},
    }
    service = script.call("POST", "/inference_services", body, 201, SERVICE_KEYS)
    assert service["desired_state"] == "DEPLOYED"
    service_path = f"/inference_services/{service['id']}"
    assert script.get(service_path, SERVICE_KEYS)["id"] == service["id"]
    assert script.get("/inference_services", LIST_KEYS)["total"] >= 1
    changed = script.call("PATCH", service_path, {"desired_state": "DEPLOYED"}, 200, SERVICE_KEYS)
    assert changed["desired_state"] == "DEPLOYED"

    script.call("PATCH", service_path, {"desired_state": "UNDEPLOYED"}, 200, SERVICE_KEYS)
    script.call("DELETE", service_path, None, 204, set())
    script.call("DELETE", at, None, 204, set())
    script.call("PATCH", f"/models/{model['id']}", {"state": "ARCHIVED"}, 200, MODEL_KEYS)
    script.call("DELETE", f"/models/{model['id']}", None, 200, {"status"})
