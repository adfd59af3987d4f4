"""Model versions and model artifacts between protos and domain."""

from __future__ import annotations

from uuid import UUID

from registry_grpc.adapters.grpc.mapping.common import timestamp
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
    reader = Reader(message)
    return reader.make(
        NewModelVersion,
        name=message.name,
        description=message.description,
        is_default=message.is_default,
        artifact_type=message.artifact_type,
        model_framework=message.model_framework,
        model_framework_version=message.model_framework_version,
        container_image=message.container_image,
        model_catalog_name=message.model_catalog_name,
        uri=message.uri,
        access_key=message.access_key,
        secret_key=message.secret_key,
        labels=dict(message.labels),
        prebuilt_container_id=reader.optional_id("prebuilt_container_id"),
        created_by_email=message.created_by_email,
        updated_by_email=message.updated_by_email,
    )


def new_artifact(message: model_artifact_pb2.NewModelArtifact) -> NewModelVersion:
    reader = Reader(message)
    return reader.make(
        NewModelVersion,
        name=message.name,
        description=message.description,
        artifact_type=message.artifact_type,
        model_framework=message.model_framework,
        model_framework_version=message.model_framework_version,
        container_image=message.container_image,
        uri=message.uri,
        access_key=message.access_key,
        secret_key=message.secret_key,
        labels=dict(message.labels),
        prebuilt_container_id=reader.optional_id("prebuilt_container_id"),
    )


def version_patch(message: model_version_pb2.ModelVersionPatch) -> ModelVersionPatch:
    reader = Reader(message)
    values = reader.present(
        "name", "description", "is_default", "state", "status", "artifact_type", "model_framework",
        "model_framework_version", "container_image", "uri", "labels",
    )  # fmt: skip
    return reader.make(ModelVersionPatch, **values)


def artifact_patch(message: model_artifact_pb2.ModelArtifactPatch) -> ModelVersionPatch:
    reader = Reader(message)
    values = reader.present(
        "artifact_type", "model_framework", "model_framework_version", "container_image", "uri", "labels"
    )
    return reader.make(ModelVersionPatch, **values)


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


def version_message(version: ModelVersion, *, with_emails: bool = True) -> model_version_pb2.ModelVersion:
    """Without mails inside of a model (quirk Q51)."""
    return model_version_pb2.ModelVersion(
        id=str(version.id),
        created_at=timestamp(version.created_at),
        updated_at=timestamp(version.updated_at),
        registered_model_id=str(version.registered_model_id),
        name=version.name,
        description=version.description,
        is_default=version.is_default,
        state=version.state,
        status=version.status,
        created_by_email=version.created_by_email if with_emails else "",
        updated_by_email=version.updated_by_email if with_emails else "",
        artifact_type=version.artifact_type,
        model_framework=version.model_framework,
        model_framework_version=version.model_framework_version,
        container_image=version.container_image,
        model_catalog_name=version.model_catalog_name,
        uri=version.uri,
        labels=version.labels,
        prebuilt_container_id=str(version.prebuilt_container_id) if version.prebuilt_container_id else None,
    )


def artifact_message(version: ModelVersion) -> model_artifact_pb2.ModelArtifact:
    return model_artifact_pb2.ModelArtifact(
        id=str(version.id),
        created_at=timestamp(version.created_at),
        updated_at=timestamp(version.updated_at),
        registered_model_id=str(version.registered_model_id),
        name=version.name,
        artifact_type=version.artifact_type,
        model_framework=version.model_framework,
        model_framework_version=version.model_framework_version,
        container_image=version.container_image,
        uri=version.uri,
        labels=version.labels,
        prebuilt_container_id=str(version.prebuilt_container_id) if version.prebuilt_container_id else None,
    )
