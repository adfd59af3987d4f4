"""gRPC's answer to each RPC: its result as a response message.

The keys are the names of the RPCs; the answers of REST routes stand in `adapters.rest.replies`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from google.protobuf.message import Message

from registry_grpc.adapters.grpc.call import Call
from registry_grpc.adapters.grpc.mapping import deployment as deployments
from registry_grpc.adapters.grpc.mapping.model_version import artifact_message, version_message
from registry_grpc.adapters.grpc.mapping.registered_model import model_message
from registry_grpc.adapters.grpc.mapping.serving import environment_message, serve_model_message, service_message
from registry_grpc.adapters.grpc.page_tokens import page_token
from registry_grpc.domain.paging import Page
from registry_grpc.gen.modelregistry.v1 import (
    deployment_pb2,
    inference_service_pb2,
    model_artifact_pb2,
    model_version_pb2,
    registered_model_pb2,
    serve_model_pb2,
    serving_environment_pb2,
)

Reply = Callable[[Any, Any, Call], Message]
"""Takes the result, the request and the call."""


def _one(response: Callable[..., Message], field: str, message: Callable[[Any], Message]) -> Reply:
    return lambda result, _request, _call: response(**{field: message(result)})


def _page(response: Callable[..., Message], field: str, message: Callable[[Any], Message]) -> Reply:
    def reply(page: Page[Any], request: Any, call: Call) -> Message:
        paging: dict[str, Any] = {"next_page_token": page_token(page.next, request, call)}
        if page.total is not None:
            paging = {"total_size": page.total, "next_offset": max(request.offset, 0) + len(page.items)}
        return response(**{field: [message(item) for item in page.items]}, **paging)

    return reply


def _nothing(response: Callable[[], Message]) -> Reply:
    return lambda _result, _request, _call: response()


_models, _versions, _artifacts = registered_model_pb2, model_version_pb2, model_artifact_pb2
_environments, _services, _served = serving_environment_pb2, inference_service_pb2, serve_model_pb2

REPLIES: Mapping[str, Reply] = {
    "ListRegisteredModels": _page(_models.ListRegisteredModelsResponse, "registered_models", model_message),
    "GetRegisteredModel": _one(_models.GetRegisteredModelResponse, "registered_model", model_message),
    "FindRegisteredModel": _one(_models.FindRegisteredModelResponse, "registered_model", model_message),
    "CreateRegisteredModel": _one(_models.CreateRegisteredModelResponse, "registered_model", model_message),
    "UpdateRegisteredModel": _one(_models.UpdateRegisteredModelResponse, "registered_model", model_message),
    "DeleteRegisteredModel": _nothing(_models.DeleteRegisteredModelResponse),
    "ListModelVersions": _page(_versions.ListModelVersionsResponse, "model_versions", version_message),
    "ListProjectModelVersions": _page(_versions.ListProjectModelVersionsResponse, "model_versions", version_message),
    "GetModelVersion": _one(_versions.GetModelVersionResponse, "model_version", version_message),
    "FindModelVersion": _one(_versions.FindModelVersionResponse, "model_version", version_message),
    "CreateModelVersion": _one(_versions.CreateModelVersionResponse, "model_version", version_message),
    "UpdateModelVersion": _one(_versions.UpdateModelVersionResponse, "model_version", version_message),
    "ListModelArtifacts": _page(_artifacts.ListModelArtifactsResponse, "model_artifacts", artifact_message),
    "GetModelArtifact": _one(_artifacts.GetModelArtifactResponse, "model_artifact", artifact_message),
    "FindModelArtifact": _one(_artifacts.FindModelArtifactResponse, "model_artifact", artifact_message),
    "CreateModelArtifact": _one(_artifacts.CreateModelArtifactResponse, "model_artifact", artifact_message),
    "UpdateModelArtifact": _one(_artifacts.UpdateModelArtifactResponse, "model_artifact", artifact_message),
    "ListServingEnvironments": _page(
        _environments.ListServingEnvironmentsResponse, "serving_environments", environment_message
    ),
    "GetServingEnvironment": _one(
        _environments.GetServingEnvironmentResponse, "serving_environment", environment_message
    ),
    "FindServingEnvironment": _one(
        _environments.FindServingEnvironmentResponse, "serving_environment", environment_message
    ),
    "CreateServingEnvironment": _one(
        _environments.CreateServingEnvironmentResponse, "serving_environment", environment_message
    ),
    "UpdateServingEnvironment": _one(
        _environments.UpdateServingEnvironmentResponse, "serving_environment", environment_message
    ),
    "DeleteServingEnvironment": _nothing(_environments.DeleteServingEnvironmentResponse),
    "ListInferenceServices": _page(_services.ListInferenceServicesResponse, "inference_services", service_message),
    "GetInferenceService": _one(_services.GetInferenceServiceResponse, "inference_service", service_message),
    "FindInferenceService": _one(_services.FindInferenceServiceResponse, "inference_service", service_message),
    "CreateInferenceService": _one(_services.CreateInferenceServiceResponse, "inference_service", service_message),
    "UpdateInferenceService": _one(_services.UpdateInferenceServiceResponse, "inference_service", service_message),
    "DeleteInferenceService": _nothing(_services.DeleteInferenceServiceResponse),
    "ListServeModels": _page(_served.ListServeModelsResponse, "serve_models", serve_model_message),
    "GetServeModel": _one(_served.GetServeModelResponse, "serve_model", serve_model_message),
    "CreateServeModel": _one(_served.CreateServeModelResponse, "serve_model", serve_model_message),
    "DeleteServeModel": _nothing(_served.DeleteServeModelResponse),
    "DeployModel": lambda result, _request, _call: deployments.deployed_message(result),
    "UndeployModel": _nothing(deployment_pb2.UndeployModelResponse),
    "SyncInferenceService": _one(deployment_pb2.SyncInferenceServiceResponse, "inference_service", service_message),
    "PlanDeploy": lambda result, _request, _call: deployments.plan_message(result),
    "UpdateDeployment": _one(deployment_pb2.UpdateDeploymentResponse, "deployment", deployments.deployment_message),
    "RollbackDeployment": _one(deployment_pb2.RollbackDeploymentResponse, "deployment", deployments.deployment_message),
    "GetDeployment": _one(deployment_pb2.GetDeploymentResponse, "deployment", deployments.deployment_message),
    "ListDeployments": _page(deployment_pb2.ListDeploymentsResponse, "deployments", deployments.deployment_message),
    "ListDeploymentRevisions": _page(
        deployment_pb2.ListDeploymentRevisionsResponse, "revisions", deployments.revision_message
    ),
    "GetServedRevision": lambda result, _request, _call: deployments.served_message(result),
    "WatchDeployment": _one(deployment_pb2.WatchDeploymentResponse, "event", deployments.event_message),
    "ListOrphans": lambda result, _request, _call: deployments.orphans_message(result),
}
