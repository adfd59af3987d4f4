"""ModelArtifactService: another view of the rows of model versions."""

from __future__ import annotations

from uuid import UUID

from modelregistry.v1 import model_artifact_pb2 as pb
from registry_grpc.adapters.grpc.call import Call
from registry_grpc.adapters.grpc.mapping.common import message, slice_of, sort_of
from registry_grpc.adapters.grpc.request_fields import Reader, body_id, patch_of, path_id, require
from registry_grpc.adapters.grpc.rpc import Resource, one, page, rpc
from registry_grpc.adapters.grpc.servicers.model_versions import version_key
from registry_grpc.adapters.rest import encoders
from registry_grpc.adapters.rest.etags import etags_in
from registry_grpc.domain.access import Role
from registry_grpc.domain.filter.fields import parse_filter
from registry_grpc.domain.model_version import (
    FILTER_FIELDS,
    SORT_FIELDS,
    ModelVersion,
    ModelVersionFilter,
    ModelVersionPatch,
    NewModelVersion,
)
from registry_grpc.domain.paging import Page
from registry_grpc.services.model_versions import ModelVersions

ARTIFACT: Resource[ModelVersion, pb.ModelArtifact, encoders.ModelArtifactJson] = Resource(
    message(pb.ModelArtifact), encoders.artifact
)
_FILTER_FIELDS = {
    name: field for name, field in FILTER_FIELDS.items() if name in pb.ModelArtifact.DESCRIPTOR.fields_by_name
}


def _id(text: str) -> UUID:
    return path_id(text, "id", "invalid artifact id")


class ModelArtifactServicer:
    """The RPCs on model artifacts."""

    SERVICE = pb.DESCRIPTOR.services_by_name["ModelArtifactService"]

    def __init__(self, versions: ModelVersions) -> None:
        self._versions = versions

    @rpc(
        page(ARTIFACT, lambda items, paging: pb.ListModelArtifactsResponse(model_artifacts=items, **paging)),
        Role.VIEWER,
    )
    async def ListModelArtifacts(self, request: pb.ListModelArtifactsRequest, call: Call) -> Page[ModelVersion]:
        where = parse_filter(request.filter, _FILTER_FIELDS)
        return await self._versions.list(
            call.project_id,
            ModelVersionFilter(state=request.state, status=request.status, where=where),
            sort_of(request, SORT_FIELDS),
            slice_of(request, call),
        )

    @rpc(one(ARTIFACT, lambda it: pb.GetModelArtifactResponse(model_artifact=it)), Role.VIEWER)
    async def GetModelArtifact(self, request: pb.GetModelArtifactRequest, call: Call) -> ModelVersion:
        return await self._versions.get(call.project_id, _id(request.id))

    @rpc(one(ARTIFACT, lambda it: pb.FindModelArtifactResponse(model_artifact=it)), Role.VIEWER)
    async def FindModelArtifact(self, request: pb.FindModelArtifactRequest, call: Call) -> ModelVersion:
        return await self._versions.find(call.project_id, version_key(request, call))

    @rpc(one(ARTIFACT, lambda it: pb.CreateModelArtifactResponse(model_artifact=it), status=201), Role.EDITOR)
    async def CreateModelArtifact(self, request: pb.CreateModelArtifactRequest, call: Call) -> ModelVersion:
        message = request.model_artifact
        require(message, "registered_model_id", "name", "model_framework", "model_framework_version", "uri")
        model_id = body_id(message.registered_model_id, "registered_model_id")
        return await self._versions.create(
            call.project_id,
            model_id,
            Reader(message, but=("registered_model_id",)).make(NewModelVersion, by_contract=call.is_rest),
        )

    @rpc(one(ARTIFACT, lambda it: pb.UpdateModelArtifactResponse(model_artifact=it)), Role.EDITOR)
    async def UpdateModelArtifact(self, request: pb.UpdateModelArtifactRequest, call: Call) -> ModelVersion:
        id_, patch = (
            _id(request.id),
            patch_of(ModelVersionPatch, request.model_artifact, request, by_contract=call.is_rest),
        )
        return await self._versions.update(
            call.project_id, id_, patch, etags=etags_in(request.etag), edits_deployed=call.is_rest
        )
