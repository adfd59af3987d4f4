"""Projects that operators create: their namespaces, the places of their model files, and their quotas."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import grpc
import httpx
import pytest
from tests.e2e.api import Api
from tests.e2e.builders import a_model, a_version, an_environment, fresh, version_body
from tests.e2e.processes import wait_until
from tests.e2e.rpc import Rpc
from tests.e2e.stack import Stack

from modelregistry.v1 import deployment_pb2, project_pb2
from modelregistry.v1.project_pb2_grpc import ProjectServiceStub

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

_STUB: Any = ProjectServiceStub


class Registry:
    def __init__(self, http: httpx.Client, channel: grpc.Channel) -> None:
        self.http, self.channel, self.projects = http, channel, _STUB(channel)

    def project(self, **fields: Any) -> Api:
        """The API of a new project."""
        request = project_pb2.CreateProjectRequest(project={"name": fresh("team"), **fields})
        project = self.projects.CreateProject(request, timeout=20).project
        api = Api(self.http, project.id)
        assert wait_until(lambda: api.post("/models", {"name": fresh("probe")}).status_code != 403, 30)
        return api

    def update(self, api: Api, **fields: Any) -> None:
        patch = {name: {"values": value} if isinstance(value, list) else value for name, value in fields.items()}
        request = project_pb2.UpdateProjectRequest(id=api.project_id, project=patch)
        self.projects.UpdateProject(request, timeout=20)

    def usage(self, api: Api) -> Any:
        return self.projects.GetProject(project_pb2.GetProjectRequest(id=api.project_id), timeout=20).usage


@pytest.fixture(scope="module")
def registry() -> Iterator[Registry]:
    stack = Stack(REGISTRY_TENANCY="enforced", REGISTRY_KUBERNETES_REQUESTS_PER_SECOND="1000")
    try:
        addresses = stack.start()
        with (
            httpx.Client(base_url=addresses.base_url, timeout=30) as http,
            grpc.insecure_channel(addresses.target) as channel,
        ):
            yield Registry(http, channel)
    finally:
        stack.stop()
        stack.remove()


def refusal(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["error"]


def a_ready_version(api: Api, model: Any, **fields: Any) -> Any:
    return a_version(api, model["id"], status="READY", model_framework="sklearn", **fields)


def test_a_project_that_nobody_has_created_is_empty(registry: Registry) -> None:
    api = Api(registry.http, str(uuid.uuid4()))
    assert api.get("/models").json()["total"] == 0
    status, text = refusal(api.post("/models", {"name": "m"}))
    assert (status, "no operator has created the project" in text) == (403, True), text
    assert api.get(f"/models/{uuid.uuid4()}").status_code == 404


def test_environments_only_name_namespaces_of_the_project(registry: Registry) -> None:
    api = registry.project(namespaces=["team-a", "team-a-*"])
    for name, external_id in (("kube-system", ""), ("team-a", "kube-system"), ("team-ab", ""), ("", "*")):
        status, text = refusal(api.post("/serving_environments", {"name": name or "x", "external_id": external_id}))
        assert status == 403, text
        assert "team-a, team-a-*" in text
    environment = an_environment(api, "prod", external_id="team-a-prod")
    path = f"/serving_environments/{environment['id']}"
    for patch in ({"external_id": "kube-system"}, {"external_id": ""}):
        assert api.patch(path, patch).status_code == 403, patch
    assert api.patch(path, {"name": "renamed"}).status_code == 200
    assert api.patch(path, {"external_id": "team-a"}).status_code == 200


def test_model_files_only_come_from_allowed_places(registry: Registry) -> None:
    api = registry.project(uris=["s3://team-*", "hf://google"])
    model = a_model(api)
    for uri in (
        "s3://other/x",
        "s3://TEAM.evil/x",
        "gs://team-a/x",
        "hf://googleplus/x",
        "/mnt/models",
        "pvc://team-a/x",
    ):
        answer = api.post(f"/models/{model['id']}/versions", version_body(uri=uri))
        assert answer.status_code == 403, uri
    version = a_version(api, model["id"], uri="s3://team-a/x")
    assert api.patch(f"/model_versions/{version['id']}", {"uri": "s3://other/x"}).status_code == 403
    assert api.patch(f"/model_versions/{version['id']}", {"uri": "hf://google/gemma"}).status_code == 200


def test_quotas_are_kept_and_freed(registry: Registry) -> None:
    api = registry.project(namespaces=["*"], max_models=3, max_versions=2, max_deployments=1)
    model = a_model(api)
    a_model(api)
    assert refusal(api.post("/models", {"name": fresh("m")})) == (
        403, "the project has 3 of at most 3 models: delete some, or ask its operator for more"
    )  # fmt: skip
    first, second = a_ready_version(api, model), a_ready_version(api, model)
    assert api.post(f"/models/{model['id']}/versions", version_body()).status_code == 403
    environment = an_environment(api, "models")
    body = {"registered_model_id": model["id"], "serving_environment_id": environment["id"]}
    deployed = api.post("/deploy", body | {"model_version_id": first["id"]})
    assert deployed.status_code == 202, deployed.text
    again = body | {"model_version_id": second["id"], "name": "again"}
    assert "deployments" in refusal(api.post("/deploy", again))[1]
    usage = registry.usage(api)
    assert (usage.models, usage.versions, usage.deployments) == (3, 2, 1)
    registry.update(api, max_deployments=2)
    assert wait_until(lambda: api.post("/deploy", again).status_code == 202, 30)


def test_as_many_of_many_requests_at_once_succeed_as_there_is_room_for(registry: Registry) -> None:
    api = registry.project(max_models=6)  # one is there already

    def create(_number: int) -> int:
        return api.post("/models", {"name": fresh("m")}).status_code

    with ThreadPoolExecutor(50) as threads:
        codes = list(threads.map(create, range(50)))
    assert sorted(codes) == [201] * 5 + [403] * 45
    assert registry.usage(api).models == 6


def test_a_withdrawn_namespace_is_not_touched_until_the_undeploy(registry: Registry) -> None:
    api = registry.project(namespaces=["withdrawn"])
    model = a_model(api)
    version = a_ready_version(api, model)
    environment = an_environment(api, "withdrawn")
    body = {"registered_model_id": model["id"], "serving_environment_id": environment["id"]}
    id_ = api.post("/deploy", body | {"model_version_id": version["id"]}).json()["inference_service"]["id"]
    rpc = Rpc(registry.channel, api.project_id)

    def state() -> Any:
        request = deployment_pb2.GetDeploymentRequest(id=id_)
        return rpc.call(rpc.deployments.GetDeployment, request).deployment

    deployed = deployment_pb2.DEPLOYMENT_PHASE_DEPLOYED
    assert wait_until(lambda: state().phase == deployed, 60)
    registry.update(api, namespaces=["another"])

    def is_not_allowed() -> bool:
        api.request("POST", f"/inference_services/{id_}/sync")
        return bool("NAMESPACE_NOT_ALLOWED" in str(state()))

    assert wait_until(is_not_allowed, 20)
    assert api.post("/deploy", body | {"model_version_id": version["id"], "name": "x"}).status_code == 403
    assert api.request("DELETE", f"/inference_services/{id_}/undeploy").status_code in {200, 202, 204}
    assert wait_until(lambda: state().phase == deployment_pb2.DEPLOYMENT_PHASE_UNDEPLOYED, 60)
