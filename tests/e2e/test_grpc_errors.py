"""Errors as a gRPC client gets them: code, reason and fields; and services besides those of the registry."""

from __future__ import annotations

import base64
import re
import struct
from typing import Any

import grpc
import httpx
import pytest
from grpc import StatusCode
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import ProtoReflectionDescriptorDatabase
from tests.e2e.api import Api
from tests.e2e.builders import World, a_version, an_id
from tests.e2e.rpc import DEADLINE, Refusal, Rpc

from modelregistry.v1 import deployment_pb2 as d
from modelregistry.v1 import inference_service_pb2 as s
from modelregistry.v1 import model_version_pb2 as v
from modelregistry.v1 import registered_model_pb2 as m
from modelregistry.v1 import serve_model_pb2 as link
from modelregistry.v1 import serving_environment_pb2 as e

SERVICES = [
    "RegisteredModelService",
    "ModelVersionService",
    "ModelArtifactService",
    "ModelAliasService",
    "ServingEnvironmentService",
    "ServingService",
    "ServeModelService",
    "DeploymentService",
]


@pytest.mark.parametrize(
    ("project", "fault"),
    [
        (None, "is missing or empty"),
        ("", "is missing or empty"),
        ("nonsense", "is malformed, it must be one UUID"),
        ("00000000-0000-0000-0000-000000000000", "must not be the all-zero UUID"),
    ],
)
def test_a_project_is_required(channel: grpc.Channel, project: str | None, fault: str) -> None:
    rpc = Rpc(channel)
    metadata = [] if project is None else [("project-id", project)]
    for method, request in [
        (rpc.models.ListRegisteredModels, m.ListRegisteredModelsRequest()),
        (rpc.models.CreateRegisteredModel, m.CreateRegisteredModelRequest()),
        (rpc.deployments.ListDeployments, d.ListDeploymentsRequest()),
    ]:
        with pytest.raises(grpc.RpcError) as raised:
            method(request, metadata=metadata, timeout=DEADLINE)
        refusal = Refusal(raised.value)
        assert (refusal.code, refusal.reason) == (StatusCode.INVALID_ARGUMENT, "PROJECT_ID_REQUIRED")
        assert refusal.text.endswith(f": the metadata key `project-id` {fault}")


def test_unknown_ids(rpc: Rpc) -> None:
    nothing = an_id()
    for method, request, reason in [
        (rpc.models.GetRegisteredModel, m.GetRegisteredModelRequest(id=nothing), "REGISTERED_MODEL_NOT_FOUND"),
        (rpc.versions.GetModelVersion, v.GetModelVersionRequest(id=nothing), "MODEL_VERSION_NOT_FOUND"),
        (
            rpc.environments.GetServingEnvironment,
            e.GetServingEnvironmentRequest(id=nothing),
            "SERVING_ENVIRONMENT_NOT_FOUND",
        ),
        (rpc.services.GetInferenceService, s.GetInferenceServiceRequest(id=nothing), "INFERENCE_SERVICE_NOT_FOUND"),
        (rpc.serve_models.GetServeModel, link.GetServeModelRequest(id=nothing), "SERVE_MODEL_NOT_FOUND"),
        (rpc.deployments.GetDeployment, d.GetDeploymentRequest(id=nothing), "DEPLOYMENT_NOT_FOUND"),
    ]:
        refusal = rpc.refused(method, request)
        assert (refusal.code, refusal.reason) == (StatusCode.NOT_FOUND, reason)
        assert refusal.metadata == {"id": nothing}


def test_taken_names(rpc: Rpc, world: World) -> None:
    model, environment, service = world.model, world.environment, world.service
    version = v.NewModelVersion(name=world.version["name"], model_framework="x", model_framework_version="x", uri="x")
    ids = {"serving_environment_id": environment["id"], "registered_model_id": model["id"]}
    pair = {"inference_service_id": service["id"], "model_version_id": world.version["id"]}
    there = [model, world.version, environment, service, world.serve_model]
    held = {thing["id"] for thing in there}
    for method, request, reason in [
        (
            rpc.models.CreateRegisteredModel,
            m.CreateRegisteredModelRequest(registered_model=m.NewRegisteredModel(name=model["name"])),
            "REGISTERED_MODEL_NAME_TAKEN",
        ),
        (
            rpc.versions.CreateModelVersion,
            v.CreateModelVersionRequest(registered_model_id=model["id"], model_version=version),
            "MODEL_VERSION_NAME_TAKEN",
        ),
        (
            rpc.environments.CreateServingEnvironment,
            e.CreateServingEnvironmentRequest(serving_environment=e.NewServingEnvironment(name=environment["name"])),
            "SERVING_ENVIRONMENT_NAME_TAKEN",
        ),
        (
            rpc.services.CreateInferenceService,
            s.CreateInferenceServiceRequest(inference_service=s.NewInferenceService(name=service["name"], **ids)),
            "INFERENCE_SERVICE_NAME_TAKEN",
        ),
        (
            rpc.serve_models.CreateServeModel,
            link.CreateServeModelRequest(serve_model=link.NewServeModel(**pair)),
            "SERVE_MODEL_EXISTS",
        ),
    ]:
        refusal = rpc.refused(method, request)
        assert (refusal.code, refusal.reason) == (StatusCode.ALREADY_EXISTS, reason)
        assert refusal.metadata["id"] in held


def test_preconditions(rpc: Rpc, world: World) -> None:
    world.api.patch(f"/inference_services/{world.service['id']}", {"current_state": "DEPLOYED"})
    not_ready = a_version(world.api, world.model["id"])["id"]
    deploy = d.NewDeployment(
        registered_model_id=world.model["id"],
        serving_environment_id=world.environment["id"],
        model_version_id=not_ready,
    )
    cases: list[tuple[Any, Any, str]] = [
        (
            rpc.models.DeleteRegisteredModel,
            m.DeleteRegisteredModelRequest(id=world.model["id"]),
            "MODEL_NOT_ARCHIVED",
        ),
        (
            rpc.environments.DeleteServingEnvironment,
            e.DeleteServingEnvironmentRequest(id=world.environment["id"]),
            "ENVIRONMENT_HAS_INFERENCE_SERVICES",
        ),
        (
            rpc.services.DeleteInferenceService,
            s.DeleteInferenceServiceRequest(id=world.service["id"]),
            "INFERENCE_SERVICE_DEPLOYED",
        ),
        (rpc.deployments.DeployModel, d.DeployModelRequest(deployment=deploy), "MODEL_VERSION_NOT_READY"),
    ]
    for method, request, reason in cases:
        refusal = rpc.refused(method, request)
        assert (refusal.code, refusal.reason) == (StatusCode.FAILED_PRECONDITION, reason)
    world.api.patch(f"/models/{world.model['id']}", {"state": "ARCHIVED"})
    refusal = rpc.refused(*cases[0][:2])
    assert (refusal.code, refusal.reason) == (StatusCode.FAILED_PRECONDITION, "MODEL_HAS_ACTIVE_DEPLOYMENTS")


def test_invalid_fields_are_named_by_their_path(rpc: Rpc) -> None:
    version = v.NewModelVersion(name="x" * 251, uri="s3://bucket/model")
    for method, request, fields in [
        (rpc.models.CreateRegisteredModel, m.CreateRegisteredModelRequest(), {"registered_model.name"}),
        (
            rpc.versions.CreateModelVersion,
            v.CreateModelVersionRequest(registered_model_id=an_id(), model_version=version),
            {f"model_version.{name}" for name in ("name", "model_framework", "model_framework_version")},
        ),
        (rpc.models.GetRegisteredModel, m.GetRegisteredModelRequest(id="nonsense"), {"id"}),
        (rpc.models.ListRegisteredModels, m.ListRegisteredModelsRequest(sort_by="nonsense"), {"sort_by"}),
    ]:
        refusal = rpc.refused(method, request)
        assert (refusal.code, refusal.reason) == (StatusCode.INVALID_ARGUMENT, "INVALID_REQUEST")
        assert set(refusal.violations) == fields
        assert all(refusal.violations.values())


# --- around the registry -----------------------------------------------------------------------------------------


def test_reflection_lists_and_describes_the_services(channel: grpc.Channel) -> None:
    database = ProtoReflectionDescriptorDatabase(channel)
    services = set(database.get_services())
    assert {f"modelregistry.v1.{name}" for name in SERVICES} <= services
    file = database.FindFileContainingSymbol("modelregistry.v1.RegisteredModelService")
    assert file.package == "modelregistry.v1"
    assert database.FindFileContainingSymbol("modelregistry.v1.ErrorReason").package == "modelregistry.v1"


def test_reflection_answers_under_its_new_name(channel: grpc.Channel) -> None:
    """grpcio's own client only knows v1alpha, but the messages are the same."""
    call: Any = channel.stream_stream(
        "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo",
        request_serializer=reflection_pb2.ServerReflectionRequest.SerializeToString,
        response_deserializer=reflection_pb2.ServerReflectionResponse.FromString,
    )
    (answer,) = call(iter([reflection_pb2.ServerReflectionRequest(list_services="")]), timeout=DEADLINE)
    assert "modelregistry.v1.DeploymentService" in {found.name for found in answer.list_services_response.service}


@pytest.mark.parametrize("service", ["", *(f"modelregistry.v1.{name}" for name in SERVICES)])
def test_health_is_serving(channel: grpc.Channel, service: str) -> None:
    health: Any = health_pb2_grpc.HealthStub(channel)
    answer = health.Check(health_pb2.HealthCheckRequest(service=service), timeout=DEADLINE)
    assert answer.status == health_pb2.HealthCheckResponse.SERVING


@pytest.mark.parametrize("path", ["/modelregistry.v1.RegisteredModelService/Nothing", "/nothing.v1.Nothing/Get"])
def test_an_unknown_method_is_unimplemented(rpc: Rpc, path: str) -> None:
    call: Any = rpc.channel.unary_unary(path)
    with pytest.raises(grpc.RpcError) as raised:
        call(b"", metadata=[("project-id", rpc.project_id)], timeout=DEADLINE)
    error: Any = raised.value
    assert error.code() == StatusCode.UNIMPLEMENTED


def test_a_request_id_is_echoed(rpc: Rpc) -> None:
    metadata = [("project-id", rpc.project_id), ("x-request-id", "seen")]
    _, call = rpc.models.ListRegisteredModels.with_call(
        m.ListRegisteredModelsRequest(), metadata=metadata, timeout=DEADLINE
    )
    assert dict(call.initial_metadata())["x-request-id"] == "seen"


# --- gRPC-Web ----------------------------------------------------------------------------------------------------


PADDED = re.compile(rb"[^=]+=*")
"""Decodes base64. A gRPC-Web body may consist of several parts, each with its own padding."""


def frames(content: bytes) -> list[tuple[int, bytes]]:
    """The frames of a gRPC-Web body: (flags, payload)."""
    found = []
    while content:
        flags, length = struct.unpack(">BI", content[:5])
        found.append((flags, content[5 : 5 + length]))
        content = content[5 + length :]
    return found


@pytest.mark.parametrize("content_type", [f"application/grpc-web{end}" for end in ("", "+proto", "-text")])
def test_grpc_web(http: httpx.Client, api: Api, content_type: str) -> None:
    new = m.NewRegisteredModel(name="from a browser")
    message = m.CreateRegisteredModelRequest(registered_model=new).SerializeToString()
    content = struct.pack(">BI", 0, len(message)) + message
    text = content_type.endswith("text")
    response = http.post(
        "/modelregistry.v1.RegisteredModelService/CreateRegisteredModel",
        content=base64.b64encode(content) if text else content,
        headers={"Content-Type": content_type, "Accept": content_type, "Project-ID": api.project_id},
    )
    assert response.status_code == 200
    assert response.headers["content-type"].startswith("application/grpc-web")
    received = b"".join(map(base64.b64decode, PADDED.findall(response.content))) if text else response.content
    (flags, data), (end, trailers) = frames(received)
    assert (flags, end) == (0, 0x80)
    assert b"grpc-status:0" in trailers.replace(b" ", b"")
    model = m.CreateRegisteredModelResponse.FromString(data).registered_model
    assert api.read(f"/models/{model.id}")["name"] == "from a browser"


def test_grpc_web_errors(http: httpx.Client, api: Api) -> None:
    response = http.post(
        "/modelregistry.v1.RegisteredModelService/CreateRegisteredModel",
        content=struct.pack(">BI", 0, 0),
        headers={"Content-Type": "application/grpc-web+proto", "Project-ID": api.project_id},
    )
    status = response.headers.get("grpc-status")
    trailers = b"".join(payload for flags, payload in frames(response.content) if flags & 0x80)
    assert status == "3" or b"grpc-status:3" in trailers.replace(b" ", b"")
