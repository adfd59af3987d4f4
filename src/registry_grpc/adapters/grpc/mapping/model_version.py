"""Model versions and model artifacts between protos and domain."""

from __future__ import annotations

from uuid import UUID

from registry_grpc.adapters.grpc.mapping.common import message_of
from registry_grpc.adapters.grpc.values import Reader, path_id
from registry_grpc.domain.errors import NotFound, Reason
from registry_grpc.domain.ids import parse_own_id
from registry_grpc.domain.model_version import (
    ModelVersion,
    ModelVersionFilter,
    ModelVersionKey,
    ModelVersionPatch,
    NewModelVersion,
)
from registry_grpc.gen.modelregistry.v1 import model_artifact_pb2, model_version_pb2


def new_version(message: model_version_pb2.NewModelVersion) -> NewModelVersion:
    return Reader(message).make(NewModelVersion)


def new_artifact(message: model_artifact_pb2.NewModelArtifact) -> NewModelVersion:
    return Reader(message, but=("registered_model_id",)).make(NewModelVersion)


def version_patch(message: model_version_pb2.ModelVersionPatch) -> ModelVersionPatch:
    return Reader(message).make(ModelVersionPatch)


def artifact_patch(message: model_artifact_pb2.ModelArtifactPatch) -> ModelVersionPatch:
    return Reader(message).make(ModelVersionPatch)


def version_key(
    request: model_version_pb2.FindModelVersionRequest | model_artifact_pb2.FindModelArtifactRequest,
) -> ModelVersionKey:
    """Raises NotFound for an external id that no version can have (contract, route 11)."""
    external_id = parse_own_id(request.external_id)
    model_id = None
    if request.parent_resource_id:
        model_id = path_id(request.parent_resource_id, "parent_resource_id", "invalid parentResourceId")
    elif request.registered_model_id:
        model_id = path_id(request.registered_model_id, "registered_model_id", "invalid registered_model_id")
    if request.external_id and external_id is None:
        raise NotFound.of(Reason.MODEL_VERSION_NOT_FOUND)
    return ModelVersionKey(name=request.name, id=external_id, registered_model_id=model_id)


def version_filter(
    request: model_version_pb2.ListModelVersionsRequest
    | model_version_pb2.ListProjectModelVersionsRequest
    | model_artifact_pb2.ListModelArtifactsRequest,
    registered_model_id: UUID | None = None,
) -> ModelVersionFilter:
    return ModelVersionFilter(registered_model_id=registered_model_id, state=request.state, status=request.status)


def version_message(version: ModelVersion) -> model_version_pb2.ModelVersion:
    return message_of(model_version_pb2.ModelVersion, version)


def version_of_model(version: ModelVersion) -> model_version_pb2.ModelVersion:
    """Without emails (quirk Q51)."""
    return message_of(model_version_pb2.ModelVersion, version, created_by_email="", updated_by_email="")


def artifact_message(version: ModelVersion) -> model_artifact_pb2.ModelArtifact:
    return message_of(model_artifact_pb2.ModelArtifact, version)
