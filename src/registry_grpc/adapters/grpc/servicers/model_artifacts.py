"""ModelArtifactService: another view of the rows of model versions."""

from __future__ import annotations

from uuid import UUID

from registry_grpc.adapters.grpc.call import Call
from registry_grpc.adapters.grpc.mapping.common import message, slice_of, sort_of
from registry_grpc.adapters.grpc.request_fields import Reader, body_id, path_id, require
from registry_grpc.adapters.grpc.rpc import Resource, one, page, rpc
from registry_grpc.adapters.grpc.servicers.model_versions import version_key
from registry_grpc.adapters.rest import encoders
from registry_grpc.domain.model_version import (
    SORT_FIELDS,
    ModelVersion,
    ModelVersionFilter,
    ModelVersionPatch,
    NewModelVersion,
)
from registry_grpc.domain.paging import Page
from registry_grpc.gen.modelregistry.v1 import model_artifact_pb2 as pb
from registry_grpc.services.model_versions import ModelVersions

ARTIFACT: Resource[ModelVersion, pb.ModelArtifact, encoders.ArtifactJson] = Resource(
    message(pb.ModelArtifact), encoders.artifact
)


def _id(text: str) -> UUID:
    return path_id(text, "id", "invalid artifact id")


class ModelArtifactServicer:
    """The RPCs on model artifacts."""

    SERVICE = pb.DESCRIPTOR.services_by_name["ModelArtifactService"]

    def __init__(self, versions: ModelVersions) -> None:
        self._versions = versions

    @rpc(page(ARTIFACT, lambda items, paging: pb.ListModelArtifactsResponse(model_artifacts=items, **paging)))
    async def ListModelArtifacts(self, request: pb.ListModelArtifactsRequest, call: Call) -> Page[ModelVersion]:
        return await self._versions.list(
            call.project_id,
            ModelVersionFilter(state=request.state, status=request.status),
            sort_of(request, SORT_FIELDS),
            slice_of(request, call),
        )

    @rpc(one(ARTIFACT, lambda it: pb.GetModelArtifactResponse(model_artifact=it)))
    async def GetModelArtifact(self, request: pb.GetModelArtifactRequest, call: Call) -> ModelVersion:
        return await self._versions.get(call.project_id, _id(request.id))

    @rpc(one(ARTIFACT, lambda it: pb.FindModelArtifactResponse(model_artifact=it)))
    async def FindModelArtifact(self, request: pb.FindModelArtifactRequest, call: Call) -> ModelVersion:
        return await self._versions.find(call.project_id, version_key(request))

    @rpc(one(ARTIFACT, lambda it: pb.CreateModelArtifactResponse(model_artifact=it), status=201))
    async def CreateModelArtifact(self, request: pb.CreateModelArtifactRequest, call: Call) -> ModelVersion:
        message = request.model_artifact
        require(message, "registered_model_id", "name", "model_framework", "model_framework_version", "uri")
        model_id = body_id(message.registered_model_id, "registered_model_id")
        return await self._versions.create(
            call.project_id, model_id, Reader(message, but=("registered_model_id",)).make(NewModelVersion)
        )

    @rpc(one(ARTIFACT, lambda it: pb.UpdateModelArtifactResponse(model_artifact=it)))
    async def UpdateModelArtifact(self, request: pb.UpdateModelArtifactRequest, call: Call) -> ModelVersion:
        id_, patch = _id(request.id), Reader(request.model_artifact).make(ModelVersionPatch)
        return await self._versions.update(call.project_id, id_, patch, edits_deployed=call.is_rest)
