"""A revision keeps what it serves, and keys stay at their place: over REST and gRPC, down to the cluster."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from typing import Any

import grpc
import httpx
import pytest
from grpc import StatusCode
from tests.e2e.api import JSON, Api
from tests.e2e.checks import json_of
from tests.e2e.cluster import Cluster
from tests.e2e.stack import Addresses
from tests.e2e.test_grpc_deploy import Deployer

from modelregistry.v1 import deployment_pb2 as d
from modelregistry.v1 import deployment_reason_pb2 as reasons
from modelregistry.v1 import inference_service_pb2 as s
from modelregistry.v1 import model_artifact_pb2 as a
from modelregistry.v1 import model_version_pb2 as v

SECRET_NAME = "serving.kserve.io/storageSecretName"
KEYS = {"access_key": "AKIA-one", "secret_key": "secret-one"}
EDITED = "https://elsewhere.example.com/model"


@pytest.fixture(scope="module")
def channel(simulated_stack: Addresses) -> Iterator[grpc.Channel]:
    with grpc.insecure_channel(simulated_stack.target) as channel:
        yield channel


@pytest.fixture
def deployer(simulated_http: httpx.Client, channel: grpc.Channel) -> Deployer:
    return Deployer(Api(simulated_http), channel)


@pytest.fixture(scope="module")
def cluster(simulated_stack: Addresses) -> Iterator[Cluster]:
    if not simulated_stack.folder:
        pytest.skip("nobody says where the cluster of the running service is")
    cluster = Cluster(simulated_stack)
    with cluster.http:
        yield cluster


def scaled(deployer: Deployer, id_: str) -> Any:
    """The deployment after an update of its replicas only."""
    request = d.UpdateDeploymentRequest(id=id_, options=d.DeploymentOptions(max_replicas=3))
    return deployer.rpc.call(deployer.stub.UpdateDeployment, request).deployment


def edit(deployer: Deployer, version: JSON, **fields: Any) -> None:
    json_of(deployer.api.patch(f"/model_versions/{version['id']}", fields))


def test_a_deployment_keeps_its_copy_and_reports_that_the_version_was_edited(
    deployer: Deployer, cluster: Cluster
) -> None:
    deployment = deployer.make()
    assert (deployment.snapshot.uri, deployment.snapshot.model_framework) == ("s3://bucket/model", "sklearn")
    assert list(deployment.snapshot.model_version_ids) == [deployer.version["id"]]
    edit(deployer, deployer.version, uri=EDITED, model_framework="onnx")

    assert list(deployer.get(deployment.id).edited_version_fields) == ["uri", "model_framework"]
    assert scaled(deployer, deployment.id).snapshot == deployment.snapshot
    after = deployer.until(deployment.id, deployer.serving(2))
    assert list(after.edited_version_fields) == ["uri", "model_framework"]
    model = cluster.get(after.namespace, after.name)["spec"]["predictor"]["model"]
    assert (model["storageUri"], model["modelFormat"]["name"]) == ("s3://bucket/model", "sklearn")
    assert [revision.snapshot.uri for revision in deployer.revisions(deployment.id)] == ["s3://bucket/model"] * 2

    plan = deployer.rpc.call(
        deployer.stub.PlanDeployment, d.PlanDeploymentRequest(deployment=deployer.new(name="anew"))
    )
    (finding,) = [finding for finding in plan.findings if finding.code == reasons.DEPLOYMENT_REASON_VERSION_EDITED]
    assert "uri, model_framework" in finding.message
    assert not finding.blocking
    named = d.UpdateDeploymentRequest(id=deployment.id, model_version_id=deployer.version["id"])
    updated = deployer.rpc.call(deployer.stub.UpdateDeployment, named).deployment
    assert (updated.snapshot.uri, list(updated.edited_version_fields)) == (EDITED, [])


def test_an_update_keeps_all_served_versions(deployer: Deployer) -> None:
    ids = [deployer.version["id"], deployer.another_version()["id"]]
    deployment = deployer.make(model_version_ids=ids)
    edit(deployer, {"id": ids[1]}, uri=EDITED)
    after = scaled(deployer, deployment.id)
    assert after.snapshot == deployment.snapshot
    assert list(after.snapshot.model_version_ids) == [each.model_version_id for each in after.snapshot.versions] == ids
    assert [each.uri for each in after.snapshot.versions] == ["s3://bucket/model", "s3://b/k"]
    assert list(after.edited_version_fields) == [f"{ids[1]}.uri"]
    deployer.until(deployment.id, deployer.serving(2))
    service = deployer.api.read(f"/inference_services/{deployment.id}")
    assert {served["model_version_id"] for served in service["served_models"]} == set(ids)


def test_a_service_serves_the_version_that_it_names_once_it_is_deployed_again(deployer: Deployer) -> None:
    id_ = deployer.make().id
    other = deployer.another_version(uri=EDITED)["id"]
    deployer.until(id_, deployer.serving(1))
    request = s.UpdateInferenceServiceRequest(id=id_, inference_service={"model_version_id": other})
    refusal = deployer.rpc.refused(deployer.rpc.services.UpdateInferenceService, request)
    assert (refusal.code, refusal.reason) == (StatusCode.FAILED_PRECONDITION, "DEPLOYED_VERSION_FIXED")

    for patch in ({"model_version_id": other}, {"desired_state": "UNDEPLOYED"}, {"desired_state": "DEPLOYED"}):
        json_of(deployer.api.patch(f"/inference_services/{id_}", patch))
    assert deployer.until(id_, deployer.serving(3)).snapshot.uri == EDITED
    assert deployer.api.read(f"/inference_services/{id_}")["model_version_id"] == other


def test_grpc_edits_no_version_that_was_deployed(deployer: Deployer) -> None:
    id_ = deployer.version["id"]
    patches: list[tuple[Any, Any]] = [
        (deployer.rpc.versions.UpdateModelVersion, v.UpdateModelVersionRequest(id=id_, model_version={"uri": EDITED})),
        (
            deployer.rpc.artifacts.UpdateModelArtifact,
            a.UpdateModelArtifactRequest(id=id_, model_artifact={"container_image": "another"}),
        ),
    ]
    deployer.make()
    free = deployer.another_version()["id"]
    for method, request in patches:
        refusal = deployer.rpc.refused(method, request)
        assert (refusal.code, refusal.reason) == (StatusCode.FAILED_PRECONDITION, "MODEL_VERSION_DEPLOYED")
        request.id = free
        deployer.rpc.call(method, request)
    rest = v.UpdateModelVersionRequest(id=id_, model_version={"description": "told", "secret_key": "rotated"})
    assert deployer.rpc.call(deployer.rpc.versions.UpdateModelVersion, rest).model_version.description == "told"


@pytest.mark.parametrize("what", ["models", "model_versions"])
def test_archived_models_and_versions_are_only_deployed_by_rest(deployer: Deployer, what: str) -> None:
    thing = deployer.model if what == "models" else deployer.version
    json_of(deployer.api.patch(f"/{what}/{thing['id']}", {"state": "ARCHIVED"}))
    reason = {"models": "REGISTERED_MODEL_ARCHIVED", "model_versions": "MODEL_VERSION_ARCHIVED"}[what]
    for only in (True, False):
        request = d.DeployModelRequest(deployment=deployer.new(), validate_only=only)
        refusal = deployer.rpc.refused(deployer.stub.DeployModel, request)
        assert (refusal.code, refusal.reason) == (StatusCode.FAILED_PRECONDITION, reason)
    plan = deployer.rpc.call(deployer.stub.PlanDeployment, d.PlanDeploymentRequest(deployment=deployer.new()))
    assert reasons.DeploymentReason.Value(f"DEPLOYMENT_REASON_{reason}") in [finding.code for finding in plan.findings]
    assert deployer.deploy()["status"] == "PENDING"


class Keys:
    """The keys that the pods of a deployment get."""

    def __init__(self, deployer: Deployer, cluster: Cluster) -> None:
        self._deployer = deployer
        self._cluster = cluster

    def of(self, id_: str, revision: int) -> tuple[str, str] | None:
        deployment = self._deployer.until(id_, self._deployer.serving(revision))
        live = self._cluster.get(deployment.namespace, deployment.name)
        name = live["metadata"].get("annotations", {}).get(SECRET_NAME)
        if name is None:
            return None
        response = self._cluster.http.get(f"/api/v1/namespaces/{deployment.namespace}/secrets/{name}")
        data = response.raise_for_status().json()["data"]
        texts = [base64.b64decode(data[key]).decode() for key in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")]
        return texts[0], texts[1]


@pytest.fixture
def keys(deployer: Deployer, cluster: Cluster) -> Keys:
    return Keys(deployer, cluster)


def test_keys_do_not_follow_a_uri_to_another_place(deployer: Deployer, keys: Keys) -> None:
    version = deployer.another_version(**KEYS, uri="s3://private/model")
    first = deployer.make(model_version_id=version["id"], name="first").id
    assert keys.of(first, 1) == ("AKIA-one", "secret-one")

    edit(deployer, version, uri="s3://elsewhere/model")
    plan = deployer.rpc.call(
        deployer.stub.PlanDeployment,
        d.PlanDeploymentRequest(deployment=deployer.new(model_version_id=version["id"], name="second")),
    )
    assert reasons.DEPLOYMENT_REASON_CREDENTIALS_NEEDED in [f.code for f in plan.findings if f.blocking]
    refused = deployer.deploy(model_version_id=version["id"], name="second")
    assert (refused["status"], "s3://elsewhere" in refused["message"]) == ("FAILED", True)
    second = refused["inference_service"]["id"]
    assert deployer.get(second).reason == reasons.DEPLOYMENT_REASON_CREDENTIALS_NEEDED
    scaled(deployer, first)
    assert keys.of(first, 2) == ("AKIA-one", "secret-one")

    edit(deployer, version, access_key="AKIA-two", secret_key="secret-two")
    scaled(deployer, first)
    assert keys.of(first, 3) == ("AKIA-one", "secret-one")
    deployer.rpc.call(deployer.stub.UpdateDeployment, d.UpdateDeploymentRequest(id=second))
    assert keys.of(second, 2) == ("AKIA-two", "secret-two")


def test_a_uri_that_comes_back_has_its_keys_again(deployer: Deployer, keys: Keys) -> None:
    version = deployer.another_version(**KEYS, uri="s3://private/model")
    id_ = deployer.make(model_version_id=version["id"]).id
    for uri in ("s3://elsewhere/model", "s3://private/model"):
        edit(deployer, version, uri=uri)
    for patch in ({"desired_state": "UNDEPLOYED"}, {"desired_state": "DEPLOYED"}):
        json_of(deployer.api.patch(f"/inference_services/{id_}", patch))
    assert keys.of(id_, 3) == ("AKIA-one", "secret-one")


def test_a_revision_that_had_keys_is_not_deployed_again_without(deployer: Deployer, keys: Keys) -> None:
    version = deployer.another_version(**KEYS)
    id_ = deployer.make(model_version_id=version["id"]).id
    assert keys.of(id_, 1) == ("AKIA-one", "secret-one")
    edit(deployer, version, access_key="", secret_key="")
    scaled(deployer, id_)
    assert keys.of(id_, 2) == ("AKIA-one", "secret-one")

    for patch in ({"desired_state": "UNDEPLOYED"}, {"desired_state": "DEPLOYED"}):
        json_of(deployer.api.patch(f"/inference_services/{id_}", patch))
    # The old object, which has the Secret, may still have to go.
    now = deployer.until(id_, lambda it: bool(it.phase == d.DEPLOYMENT_PHASE_FAILED))
    assert (now.reason, now.snapshot.needs_keys) == (reasons.DEPLOYMENT_REASON_CREDENTIALS_NEEDED, True)
    last_error = deployer.api.read(f"/inference_services/{id_}")["last_error"]
    assert "but has none for `s3://b`" in last_error
    named = d.UpdateDeploymentRequest(id=id_, model_version_id=version["id"])
    deployer.rpc.call(deployer.stub.UpdateDeployment, named)
    assert keys.of(id_, 5) is None


@pytest.mark.parametrize("by", ["rest", "grpc", "artifact"])
def test_keys_are_rotated(deployer: Deployer, keys: Keys, by: str) -> None:
    version = deployer.another_version(**KEYS)
    id_ = deployer.make(model_version_id=version["id"]).id
    assert keys.of(id_, 1) == ("AKIA-one", "secret-one")
    if by == "grpc":
        request = v.UpdateModelVersionRequest(id=version["id"], model_version={"secret_key": "secret-two"})
        deployer.rpc.call(deployer.rpc.versions.UpdateModelVersion, request)
    else:
        path = "model_versions" if by == "rest" else "model_artifacts"
        answer = json_of(deployer.api.patch(f"/{path}/{version['id']}", {"secret_key": "secret-two"}))
        assert "secret" not in str(answer)
    deployer.rpc.call(deployer.stub.UpdateDeployment, d.UpdateDeploymentRequest(id=id_))
    assert keys.of(id_, 2) == ("AKIA-one", "secret-two")
