"""Errors name every invalid field as the client knows it, and are small even for large requests."""

from __future__ import annotations

import base64
import re
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import grpc
import httpx
import orjson
import pytest
from google.protobuf.struct_pb2 import Struct
from google.protobuf.timestamp_pb2 import Timestamp
from grpc import StatusCode
from tests.e2e.api import Api
from tests.e2e.builders import World, a_model, an_id, fresh
from tests.e2e.checks import assert_error
from tests.e2e.deployments import Place
from tests.e2e.processes import wait_until
from tests.e2e.rpc import Refusal, Rpc
from tests.e2e.stack import Addresses

from modelregistry.v1 import deployment_pb2 as d
from modelregistry.v1 import inference_service_pb2 as s
from modelregistry.v1 import model_artifact_pb2 as a
from modelregistry.v1 import model_version_pb2 as v
from modelregistry.v1 import registered_model_pb2 as m
from modelregistry.v1 import serve_model_pb2 as link
from modelregistry.v1 import serving_environment_pb2 as e

ID = "00000000-0000-4000-8000-000000000001"
UNKNOWN_MODE = d.DeploymentOptions(deployment_mode=99)  # type: ignore[arg-type]  # a number of a newer release


def struct(**values: Any) -> Struct:
    made = Struct()
    made.update(values)
    return made


def refused_bytes(rpc: Rpc, method: str, request: bytes) -> Refusal:
    """The error for bytes that no stub would send."""
    call: Any = rpc.channel.unary_unary(f"/modelregistry.v1.{method}")
    return rpc.refused(call, request)


# --- length ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "keys",
    [
        ["k" * 300_000],
        [f"{i}{'k' * 50}" for i in range(2000)],
        ["é" * 100_000],
        ["日本" * 20 + str(i) for i in range(500)],
    ],
    ids=["long", "many", "not-ascii", "many-not-ascii"],
)
def test_a_refusal_fits_into_the_trailers_of_any_client(rpc: Rpc, keys: list[str]) -> None:
    labels = struct(**dict.fromkeys(keys, 1))
    patch = m.RegisteredModelPatch(labels=labels)
    refusal = rpc.refused(
        rpc.models.UpdateRegisteredModel, m.UpdateRegisteredModelRequest(id=ID, registered_model=patch)
    )
    assert (refusal.code, refusal.reason) == (StatusCode.INVALID_ARGUMENT, "INVALID_REQUEST")
    assert next(iter(refusal.violations)).startswith("registered_model.labels.")
    assert len(refusal.text) < 1100
    assert len(keys) == 1 or refusal.text.endswith(f"… ({len(keys)} violations)")


def test_a_rest_client_reads_the_whole_refusal(api: Api) -> None:
    key = "ké" * 150_000
    assert_error(api.patch(f"/models/{ID}", {"labels": {key: 1}}), 400, f"labels.{key} must be a string")


# --- all of them -------------------------------------------------------------------------------------------------


def test_all_violations_are_named(rpc: Rpc) -> None:
    for method, request, fields in [
        (
            rpc.environments.UpdateServingEnvironment,
            e.UpdateServingEnvironmentRequest(
                id=ID, serving_environment=e.ServingEnvironmentPatch(name="", external_id="x" * 256, drift_policy="x")
            ),
            {"serving_environment.external_id", "serving_environment.name", "serving_environment.drift_policy"},
        ),
        (
            rpc.services.UpdateInferenceService,
            s.UpdateInferenceServiceRequest(
                id=ID,
                inference_service=s.InferenceServicePatch(
                    desired_state="x", current_state="y", url="u" * 501, model_version_id="z", labels=struct(a=1)
                ),
            ),
            {
                f"inference_service.{name}"
                for name in ("desired_state", "current_state", "url", "model_version_id", "labels.a")
            },
        ),
        (
            rpc.services.CreateInferenceService,
            s.CreateInferenceServiceRequest(
                inference_service=s.NewInferenceService(
                    registered_model_id="x", model_version_id="y", model_version_ids=["z"], runtime="r" * 51
                )
            ),
            {
                f"inference_service.{name}"
                for name in (
                    "name", "serving_environment_id", "registered_model_id", "model_version_id", "model_version_ids",
                    "runtime",
                )
            },
        ),
        (
            rpc.serve_models.CreateServeModel,
            link.CreateServeModelRequest(serve_model={"inference_service_id": "x", "model_version_id": "y"}),
            {"serve_model.inference_service_id", "serve_model.model_version_id"},
        ),
        (
            rpc.models.UpdateRegisteredModel,
            m.UpdateRegisteredModelRequest(
                id=ID, registered_model=m.RegisteredModelPatch(name="n" * 251, labels=struct(a=1, b=2, c="x"))
            ),
            {"registered_model.name", "registered_model.labels.a", "registered_model.labels.b"},
        ),
        (
            rpc.models.CreateRegisteredModel,
            m.CreateRegisteredModelRequest(registered_model=m.NewRegisteredModel(parent_model_id="x")),
            {"registered_model.name", "registered_model.parent_model_id"},
        ),
        (
            rpc.deployments.DeployModel,
            d.DeployModelRequest(
                deployment=d.NewDeployment(
                    registered_model_id="x", name="n" * 101, options=UNKNOWN_MODE
                )
            ),
            {
                f"deployment.{name}"
                for name in ("registered_model_id", "serving_environment_id", "name", "options.deployment_mode")
            },
        ),
    ]:  # fmt: skip
        refusal = rpc.refused(method, request)
        assert set(refusal.violations) == fields, refusal.text
        assert all(refusal.violations.values())


def test_texts_of_the_contract_do_not_depend_on_other_violations(api: Api) -> None:
    world = World(api)
    service, environment = f"/inference_services/{world.service['id']}", f"/serving_environments/{ID}"
    assert_error(api.patch(service, {"desired_state": "x", "current_state": "y"}), 400, "invalid state")
    assert_error(api.patch(environment, {"name": ""}), 400, "serving environment name is required")
    assert_error(api.patch(service, {"desired_state": "x", "url": "u" * 501}), 400, "invalid state")
    assert_error(
        api.patch(environment, {"name": "", "external_id": "x" * 256}), 400, "serving environment name is required"
    )


# --- as the client knows them ------------------------------------------------------------------------------------


def test_fields_are_named_by_their_path_in_the_request(rpc: Rpc) -> None:
    new = d.NewDeployment(registered_model_id="x", serving_environment_id=ID, options=UNKNOWN_MODE)
    in_deployment = {"deployment.registered_model_id", "deployment.options.deployment_mode"}
    update = d.UpdateDeploymentRequest(id=ID, options=UNKNOWN_MODE)
    for method, request, fields in [
        (rpc.deployments.PlanDeployment, d.PlanDeploymentRequest(deployment=new), in_deployment),
        (rpc.deployments.DeployModel, d.DeployModelRequest(deployment=new), in_deployment),
        (rpc.deployments.UpdateDeployment, update, {"options.deployment_mode"}),
        (rpc.versions.FindModelVersion, v.FindModelVersionRequest(parent_resource_id="x"), {"parent_resource_id"}),
        (rpc.versions.FindModelVersion, v.FindModelVersionRequest(registered_model_id="x"), {"registered_model_id"}),
        (rpc.artifacts.FindModelArtifact, a.FindModelArtifactRequest(parent_resource_id="x"), {"parent_resource_id"}),
        (rpc.artifacts.FindModelArtifact, a.FindModelArtifactRequest(registered_model_id="x"), {"registered_model_id"}),
        (rpc.models.FindRegisteredModel, m.FindRegisteredModelRequest(external_id="\0"), {"external_id"}),
        (
            rpc.models.CreateRegisteredModel,
            m.CreateRegisteredModelRequest(
                registered_model=m.NewRegisteredModel(
                    name="a\0", description="\0", tags=m.Tags(tasks=["a", "\0"]), labels={"a": "\0", "\0": ""}
                )
            ),
            {f"registered_model.{name}" for name in ("name", "description", "tags.tasks", "labels", "labels.a")},
        ),
        (
            rpc.models.UpdateRegisteredModel,
            m.UpdateRegisteredModelRequest(
                id=ID, registered_model=m.RegisteredModelPatch(labels=struct(a=["\0"], b={"c": 1}))
            ),
            {"registered_model.labels.a"},
        ),
    ]:
        refusal = rpc.refused(method, request)
        assert set(refusal.violations) == fields, refusal.text


NEW_MODEL = m.CreateRegisteredModelRequest(registered_model=m.NewRegisteredModel(name="?", labels={"a": "?"}))
PATCH = m.UpdateRegisteredModelRequest(id=ID, registered_model=m.RegisteredModelPatch(labels=struct(a="?")))


@pytest.mark.parametrize(
    ("method", "request_bytes"),
    [
        ("RegisteredModelService/CreateRegisteredModel", b"nonsense"),
        ("RegisteredModelService/FindRegisteredModel", b"\n\x01\xff"),
        ("RegisteredModelService/GetRegisteredModel", b"\n\x01\xff"),
        ("DeploymentService/GetDeployment", b"\n\x01\xff"),
        ("RegisteredModelService/CreateRegisteredModel", NEW_MODEL.SerializeToString().replace(b"?", b"\xff")),
        ("RegisteredModelService/UpdateRegisteredModel", PATCH.SerializeToString().replace(b"?", b"\xff")),
    ],
)
def test_bytes_that_are_no_such_message_are_refused(rpc: Rpc, method: str, request_bytes: bytes) -> None:
    """Protobuf does not tell which field is wrong."""
    refusal = refused_bytes(rpc, method, request_bytes)
    kind = f"{method.partition('/')[2]}Request"
    text = f"the request cannot be decoded as {kind}: its bytes are malformed or a string is not UTF-8"
    assert (refusal.code, refusal.reason, refusal.text) == (StatusCode.INVALID_ARGUMENT, "INVALID_REQUEST", text)
    assert refusal.violations == {}


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("/model?externalId=%00", "externalId must not hold NUL characters"),
        ("/model?externalId=%ff", "externalId must be UTF-8"),
        ("/model?name=%ff", "name must be UTF-8"),
        ("/models?search=a%00", "search must not hold NUL characters"),
        ("/models?limit=%00", "limit must not hold NUL characters"),
        ("/models?limit=%ff", "limit must be UTF-8"),
        ("/models?search=%ff&state=%00", "search must be UTF-8; state must not hold NUL characters"),
        ("/inference_service?externalId=%00", "externalId must not hold NUL characters"),
        ("/model_version?parentResourceId=bad", "invalid parentResourceId"),
        ("/model_version?registered_model_id=bad", "invalid registered_model_id"),
        ("/model_artifact?registered_model_id=bad", "invalid registered_model_id"),
        (f"/models/{ID}%00", "invalid model id"),
        ("/models//versions", "invalid model id"),
        (f"/models/{ID}/versions/%zz", "invalid version id"),
        ("/models/%ff", "invalid model id"),
        ("/models/%ff/versions", "invalid model id"),
        (f"/models/{ID}/versions/%00", "invalid version id"),
        (f"/models/{ID}/versions/%ff", "invalid version id"),
        ("/inference_services/%00", "invalid id"),
    ],
)
def test_a_rest_client_reads_the_names_it_sent(api: Api, path: str, text: str) -> None:
    assert_error(api.get(path), 400, text)


@pytest.mark.parametrize(
    ("method", "path", "body", "text"),
    [
        ("POST", "/models", {"name": "a\0"}, "name must not hold NUL characters"),
        ("POST", "/models", {"name": "a", "labels": {"a": {"b": "c"}}}, "labels.a must be a string"),
        ("PATCH", "/models/%00", {"name": "a\0"}, "invalid model id"),
        ("PATCH", "/models/%ff", {"name": "a"}, "invalid model id"),
        ("PATCH", f"/serving_environments/{ID}", {"external_id": "\0"}, "external_id must not hold NUL characters"),
        ("POST", "/deploy", {"options": {"env": {"A": "\0"}}}, "options.env.A must not hold NUL characters"),
        ("POST", "/deploy", {"options": {"env": {"A": {}}}}, "options.env.A must be a string"),
        ("POST", f"/models/{ID}/versions", {"name": "\0"}, "name must not hold NUL characters"),
        ("POST", "/models/%00/versions", {"name": "\0"}, "invalid model id"),
    ],
)
def test_a_rest_client_reads_the_keys_of_its_body(api: Api, method: str, path: str, body: Any, text: str) -> None:
    assert_error(api.request(method, path, body), 400, text)


# --- page tokens and times ---------------------------------------------------------------------------------------


def altered(token: str, value: Any) -> str:
    content = orjson.loads(base64.urlsafe_b64decode(token + "=" * (-len(token) % 4)))
    return base64.urlsafe_b64encode(orjson.dumps([*content[:-1], value])).decode().rstrip("=")


ALTERED: list[Any] = ["x", [], {}, None, 1.5, 2**63]


@pytest.mark.parametrize("value", ALTERED, ids=repr)
def test_an_altered_page_token_is_refused(rpc: Rpc, api: Api, value: Any) -> None:
    for _ in range(2):
        a_model(api)
    for sort_by in ("created_at", "model_size"):
        request = m.ListRegisteredModelsRequest(page_size=1, sort_by=sort_by)
        token = rpc.call(rpc.models.ListRegisteredModels, request).next_page_token
        request.page_token = altered(token, value)
        refusal = rpc.refused(rpc.models.ListRegisteredModels, request)
        assert (refusal.code, refusal.reason) == (StatusCode.INVALID_ARGUMENT, "INVALID_PAGE_TOKEN")
        assert set(refusal.violations) == {"page_token"}


@pytest.fixture
def deployment(simulated_http: httpx.Client, simulated_stack: Addresses) -> Iterator[tuple[Rpc, str]]:
    """A client of a project and the id of a deployment with two revisions."""
    place = Place(Api(simulated_http))
    with grpc.insecure_channel(simulated_stack.target) as channel:
        rpc = Rpc(channel, place.api.project_id)
        id_ = place.deployed()["id"]
        version = place.another_version()["id"]
        rpc.call(rpc.deployments.UpdateDeployment, d.UpdateDeploymentRequest(id=id_, model_version_id=version))
        yield rpc, id_


def test_an_altered_page_token_of_revisions_is_refused(deployment: tuple[Rpc, str]) -> None:
    rpc, id_ = deployment
    method, request = rpc.deployments.ListDeploymentRevisions, d.ListDeploymentRevisionsRequest(id=id_, page_size=1)
    token = rpc.call(method, request).next_page_token
    request.page_token = token
    assert [revision.revision for revision in rpc.call(method, request).revisions] == [1]
    for value in [*ALTERED, True]:
        request.page_token = altered(token, value)
        assert rpc.refused(method, request).reason == "INVALID_PAGE_TOKEN", value


OUT_OF_RANGE = [(2**62, 0), (-(2**62), 0), (253402300800, 0), (-62135596801, 0), (0, -1), (0, 2_000_000_000)]


@pytest.mark.parametrize(("seconds", "nanos"), OUT_OF_RANGE)
def test_a_time_out_of_range_is_refused(rpc: Rpc, seconds: int, nanos: int) -> None:
    request = d.GetServedRevisionRequest(id=ID, at=Timestamp(seconds=seconds, nanos=nanos))
    refusal = rpc.refused(rpc.deployments.GetServedRevision, request)
    assert (refusal.code, set(refusal.violations)) == (StatusCode.INVALID_ARGUMENT, {"at"})


@pytest.mark.parametrize(("seconds", "nanos"), [(-62135596800, 0), (253402300799, 999_999_999)])
def test_the_first_and_the_last_time_are_times(rpc: Rpc, seconds: int, nanos: int) -> None:
    request = d.GetServedRevisionRequest(id=an_id(), at=Timestamp(seconds=seconds, nanos=nanos))
    assert rpc.refused(rpc.deployments.GetServedRevision, request).reason == "DEPLOYMENT_NOT_FOUND"


# --- the log -----------------------------------------------------------------------------------------------------


def send(stack: Addresses, header: bytes) -> bytes:
    """Send a request with a header that HTTP clients refuse to send."""
    address = urlsplit(stack.base_url)
    with socket.create_connection((address.hostname, address.port), timeout=10) as connection:
        connection.sendall(
            b"GET /api/v1/model-registry/models HTTP/1.1\r\nhost: x\r\nconnection: close\r\n%b\r\n\r\n" % header
        )
        return b"".join(iter(lambda: connection.recv(65536), b""))


def test_the_log_consists_of_json_lines(stack: Addresses) -> None:
    if not stack.folder:
        pytest.skip("nobody says where the running service logs to")
    secret, seen = fresh("secret"), fresh("seen")
    assert b"project ID is required" in send(stack, b"Project-ID: %b\xff" % secret.encode())
    send(stack, b"X-Request-ID: %b" % (seen.encode() + b"x" * 500))
    log = Path(stack.folder) / "errors.log"
    assert wait_until(lambda: seen in log.read_text(), 10)
    lines = [orjson.loads(line) for line in log.read_text().splitlines()]
    assert any(line.get("text") == f"Invalid encoding on {len(secret) + 1} bytes" for line in lines)
    assert {len(line["request_id"]) for line in lines if seen in line.get("request_id", "")} == {128}
    assert not any(re.search(secret, str(line)) for line in lines)
