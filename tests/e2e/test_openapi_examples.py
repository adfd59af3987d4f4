"""The examples of gateway/web/openapi.json are answers of the real service.

After a change, `REGISTRY_RECORD_EXAMPLES=1 pytest tests/e2e/test_openapi_examples.py` records them anew.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable
from typing import Any

import httpx
from scripts.openapi.document import EXAMPLES
from tests.e2e.api import JSON, NO_BODY, Api

UUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z")
FIRST_ID = "8c0a4a5e-5d1b-4d6c-9a53-0000000000"

VERSION: JSON = {
    "name": "1.0.0",
    "model_framework": "sklearn",
    "model_framework_version": "1",
    "uri": "s3://models/iris/1.0.0",
    "is_default": True,
    "labels": {"team": "flowers"},
}


class Recorder:
    """Does requests, and keeps them and their answers by the names of operations."""

    def __init__(self, api: Api) -> None:
        self._api = api
        self.found: dict[str, Any] = {}

    def ask(self, name: str, method: str, path: str, body: JSON | None = None) -> Any:
        response = self._send(method, path, body)
        assert response.is_success, response.text
        answer = response.json() if response.content else None
        self.found[name] = ({} if body is None else {"request": body}) | ({} if answer is None else {"answer": answer})
        return answer

    def fail(self, name: str, method: str, path: str, body: JSON | None = None, **headers: str) -> None:
        response = self._send(method, path, body, {key.replace("_", "-"): value for key, value in headers.items()})
        assert response.is_error
        self.found.setdefault("errors", {})[name] = response.json()

    def _send(self, method: str, path: str, body: JSON | None, headers: dict[str, str] | None = None) -> httpx.Response:
        return self._api.request(method, path, NO_BODY if body is None else body, headers=headers)


def recorded(api: Api) -> Any:
    to = Recorder(api)
    new = {"name": "iris", "description": "Tells irises apart", "tags": {"frameworks": ["sklearn"]}}
    model = to.ask("createRegisteredModel", "POST", "/models", new)["id"]
    version = to.ask("createModelVersion", "POST", f"/models/{model}/versions", VERSION)["id"]
    record_versions(to, model, version)
    to.ask("updateRegisteredModel", "PATCH", f"/models/{model}", {"labels": {"team": "flowers"}})
    to.ask("getRegisteredModel", "GET", f"/models/{model}")
    to.ask("findRegisteredModel", "GET", "/model?name=iris")
    to.ask("listRegisteredModels", "GET", "/models")
    record_serving(to, model, version)
    to.fail("BadRequest", "POST", "/models", {})
    to.fail("NotFound", "GET", f"/models/{version}")
    to.fail("Conflict", "POST", "/models", new)
    to.fail("PreconditionFailed", "PATCH", f"/models/{model}", {}, If_Match='"1"')
    to.ask("updateRegisteredModel", "PATCH", f"/models/{model}", {"state": "ARCHIVED"})
    to.ask("deleteRegisteredModel", "DELETE", f"/models/{model}")
    return normalised(to.found)


def record_versions(to: Recorder, model: str, version: str) -> None:
    ready = {"status": "READY"}
    to.ask("updateModelVersion", "PATCH", f"/model_versions/{version}", ready)
    to.ask("updateModelVersionOfRegisteredModel", "PATCH", f"/models/{model}/versions/{version}", ready)
    to.ask("getModelVersion", "GET", f"/model_versions/{version}")
    to.ask("getModelVersionOfRegisteredModel", "GET", f"/models/{model}/versions/{version}")
    to.ask("findModelVersion", "GET", f"/model_version?name=1.0.0&parentResourceId={model}")
    to.ask("listModelVersions", "GET", f"/models/{model}/versions")
    to.ask("listProjectModelVersions", "GET", "/model_versions")
    to.ask("getModelArtifact", "GET", f"/model_artifacts/{version}")
    to.ask("findModelArtifact", "GET", f"/model_artifact?name=1.0.0&parentResourceId={model}")
    to.ask("listModelArtifacts", "GET", "/model_artifacts")
    artifact = {key: value for key, value in VERSION.items() if key != "is_default"} | {"name": "notebook"}
    made = to.ask("createModelArtifact", "POST", "/model_artifacts", artifact | {"registered_model_id": model})
    to.ask("updateModelArtifact", "PATCH", f"/model_artifacts/{made['id']}", {"artifact_type": "doc-artifact"})


def record_serving(to: Recorder, model: str, version: str) -> None:
    place = to.ask("createServingEnvironment", "POST", "/serving_environments", {"name": "production"})["id"]
    to.ask("updateServingEnvironment", "PATCH", f"/serving_environments/{place}", {"drift_policy": "enforce"})
    to.ask("getServingEnvironment", "GET", f"/serving_environments/{place}")
    to.ask("findServingEnvironment", "GET", "/serving_environment?name=production")
    to.ask("listServingEnvironments", "GET", "/serving_environments")
    named = {"registered_model_id": model, "serving_environment_id": place}
    service = to.ask("createInferenceService", "POST", "/inference_services", named | {"name": "iris"})["id"]
    to.ask("updateInferenceService", "PATCH", f"/inference_services/{service}", {"labels": {"tier": "gold"}})
    link = {"inference_service_id": service, "model_version_id": version}
    served = to.ask("createServeModel", "POST", "/serve_models", link)["id"]
    to.ask("getServeModel", "GET", f"/serve_models/{served}")
    to.ask("listServeModels", "GET", "/serve_models")
    to.ask("getInferenceService", "GET", f"/inference_services/{service}")
    to.ask("findInferenceService", "GET", f"/inference_service?name=iris&serving_environment_id={place}")
    to.ask("syncInferenceService", "POST", f"/inference_services/{service}/sync")
    to.ask("listInferenceServices", "GET", "/inference_services")
    to.ask("deleteInferenceService", "DELETE", f"/inference_services/{service}")
    deployed = to.ask("deployModel", "POST", "/deploy", named | {"name": "iris", "model_version_ids": [version]})
    service = deployed["inference_service"]["id"]
    to.ask("undeployModel", "DELETE", f"/inference_services/{service}/undeploy")
    to.ask("deleteInferenceService", "DELETE", f"/inference_services/{service}")
    to.ask("deleteServingEnvironment", "DELETE", f"/serving_environments/{place}")


def normalised(found: Any) -> Any:
    """The same with always the same ids and times."""
    ids: dict[str, str] = {}
    text = json.dumps(found)
    text = UUID.sub(lambda id_: ids.setdefault(id_[0], f"{FIRST_ID}{len(ids) + 1:02}"), text)
    new_time: Callable[[re.Match[str]], str] = lambda time: f"2026-02-11T08:00:38{'.34623' if time[1] else ''}Z"  # noqa: E731
    return json.loads(TIME.sub(new_time, text))


def test_the_examples_are_true(api: Api) -> None:
    found = recorded(api)
    if os.environ.get("REGISTRY_RECORD_EXAMPLES"):
        EXAMPLES.write_text(json.dumps(found, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    assert found == json.loads(EXAMPLES.read_text(encoding="utf-8"))
