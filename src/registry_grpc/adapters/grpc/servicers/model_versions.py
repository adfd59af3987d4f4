"""ModelVersionService and ModelArtifactService: two views of the same rows."""

from __future__ import annotations

from uuid import UUID

from registry_grpc.adapters.grpc.call import Call
from registry_grpc.adapters.grpc.mapping.common import slice_of, sort_of
from registry_grpc.adapters.grpc.mapping.model_version import (
    artifact_message,
    artifact_patch,
    new_artifact,
    new_version,
    version_filter,
    version_key,
    version_message,
    version_patch,
)
from registry_grpc.adapters.grpc.rpc import Resource, one, page, rpc
from registry_grpc.adapters.grpc.values import body_id, path_id, require
from registry_grpc.adapters.rest import encoders
from registry_grpc.domain.model_version import SORT_FIELDS, ModelVersion
from registry_grpc.domain.paging import Page
from registry_grpc.gen.modelregistry.v1 import model_artifact_pb2, model_version_pb2
from registry_grpc.services.model_versions import ModelVersions

VERSION: Resource[ModelVersion, model_version_pb2.ModelVersion, encoders.VersionJson] = Resource(
    version_message, encoders.version
)
ARTIFACT: Resource[ModelVersion, model_artifact_pb2.ModelArtifact, encoders.ArtifactJson] = Resource(
    artifact_message, encoders.artifact
)


def _model_id(text: str) -> UUID:
    return path_id(text, "registered_model_id", "invalid model id")


def _version_id(text: str) -> UUID:
    return path_id(text, "id", "invalid version id")


def _artifact_id(text: str) -> UUID:
    return path_id(text, "id", "invalid artifact id")


class ModelVersionServicer:
    """The RPCs on model versions."""

    SERVICE = model_version_pb2.DESCRIPTOR.services_by_name["ModelVersionService"]

    def __init__(self, versions: ModelVersions) -> None:
        self._versions = versions

    @rpc(
        page(
            VERSION,
            lambda versions, paging: model_version_pb2.ListModelVersionsResponse(model_versions=versions, **paging),
        )
    )
    async def ListModelVersions(
        self, request: model_version_pb2.ListModelVersionsRequest, call: Call
    ) -> Page[ModelVersion]:
        filter_ = version_filter(request, _model_id(request.registered_model_id))
        return await self._versions.list(
            call.project_id, filter_, sort_of(request, SORT_FIELDS), slice_of(request, call)
        )

    @rpc(
        page(
            VERSION,
            lambda versions, paging: model_version_pb2.ListProjectModelVersionsResponse(
                model_versions=versions, **paging
            ),
        )
    )
    async def ListProjectModelVersions(
        self, request: model_version_pb2.ListProjectModelVersionsRequest, call: Call
    ) -> Page[ModelVersion]:
        return await self._versions.list(
            call.project_id, version_filter(request), sort_of(request, SORT_FIELDS), slice_of(request, call)
        )

    @rpc(one(VERSION, lambda version: model_version_pb2.GetModelVersionResponse(model_version=version)))
    async def GetModelVersion(self, request: model_version_pb2.GetModelVersionRequest, call: Call) -> ModelVersion:
        model_id = _model_id(request.registered_model_id) if request.registered_model_id else None
        return await self._versions.get(call.project_id, _version_id(request.id), model_id)

    @rpc(one(VERSION, lambda version: model_version_pb2.FindModelVersionResponse(model_version=version)))
    async def FindModelVersion(self, request: model_version_pb2.FindModelVersionRequest, call: Call) -> ModelVersion:
        return await self._versions.find(call.project_id, version_key(request))

    @rpc(one(VERSION, lambda version: model_version_pb2.CreateModelVersionResponse(model_version=version), status=201))
    async def CreateModelVersion(
        self, request: model_version_pb2.CreateModelVersionRequest, call: Call
    ) -> ModelVersion:
        model_id = _model_id(request.registered_model_id)
        return await self._versions.create(call.project_id, model_id, new_version(request.model_version))

    @rpc(one(VERSION, lambda version: model_version_pb2.UpdateModelVersionResponse(model_version=version)))
    async def UpdateModelVersion(
        self, request: model_version_pb2.UpdateModelVersionRequest, call: Call
    ) -> ModelVersion:
        model_id = _model_id(request.registered_model_id) if request.registered_model_id else None
        id_ = _version_id(request.id)
        return await self._versions.update(call.project_id, id_, version_patch(request.model_version), model_id)


class ModelArtifactServicer:
    """The RPCs on model artifacts."""

    SERVICE = model_artifact_pb2.DESCRIPTOR.services_by_name["ModelArtifactService"]

    def __init__(self, versions: ModelVersions) -> None:
        self._versions = versions

    @rpc(
        page(
            ARTIFACT,
            lambda artifacts, paging: model_artifact_pb2.ListModelArtifactsResponse(
                model_artifacts=artifacts, **paging
            ),
        )
    )
    async def ListModelArtifacts(
        self, request: model_artifact_pb2.ListModelArtifactsRequest, call: Call
    ) -> Page[ModelVersion]:
        return await self._versions.list(
            call.project_id, version_filter(request), sort_of(request, SORT_FIELDS), slice_of(request, call)
        )

    @rpc(one(ARTIFACT, lambda artifact: model_artifact_pb2.GetModelArtifactResponse(model_artifact=artifact)))
    async def GetModelArtifact(self, request: model_artifact_pb2.GetModelArtifactRequest, call: Call) -> ModelVersion:
        return await self._versions.get(call.project_id, _artifact_id(request.id))

    @rpc(one(ARTIFACT, lambda artifact: model_artifact_pb2.FindModelArtifactResponse(model_artifact=artifact)))
    async def FindModelArtifact(self, request: model_artifact_pb2.FindModelArtifactRequest, call: Call) -> ModelVersion:
        return await self._versions.find(call.project_id, version_key(request))

    @rpc(
        one(
            ARTIFACT,
            lambda artifact: model_artifact_pb2.CreateModelArtifactResponse(model_artifact=artifact),
            status=201,
        )
    )
    async def CreateModelArtifact(
        self, request: model_artifact_pb2.CreateModelArtifactRequest, call: Call
    ) -> ModelVersion:
        message = request.model_artifact
        require(message, "registered_model_id", "name", "model_framework", "model_framework_version", "uri")
        model_id = body_id(message.registered_model_id, "registered_model_id")
        return await self._versions.create(call.project_id, model_id, new_artifact(message))

    @rpc(one(ARTIFACT, lambda artifact: model_artifact_pb2.UpdateModelArtifactResponse(model_artifact=artifact)))
    async def UpdateModelArtifact(
        self, request: model_artifact_pb2.UpdateModelArtifactRequest, call: Call
    ) -> ModelVersion:
        id_ = _artifact_id(request.id)
        return await self._versions.update(call.project_id, id_, artifact_patch(request.model_artifact))
