"""ModelVersionService."""

from __future__ import annotations

from uuid import UUID

from registry_grpc.adapters.grpc.call import Call
from registry_grpc.adapters.grpc.mapping.common import message, slice_of, sort_of
from registry_grpc.adapters.grpc.request_fields import Reader, path_id
from registry_grpc.adapters.grpc.rpc import Resource, one, page, rpc
from registry_grpc.adapters.rest import encoders
from registry_grpc.domain.errors import NotFound, Reason
from registry_grpc.domain.ids import parse_own_id
from registry_grpc.domain.model_version import (
    SORT_FIELDS,
    ModelVersion,
    ModelVersionFilter,
    ModelVersionKey,
    ModelVersionPatch,
    NewModelVersion,
)
from registry_grpc.domain.paging import Page
from registry_grpc.gen.modelregistry.v1 import model_artifact_pb2
from registry_grpc.gen.modelregistry.v1 import model_version_pb2 as pb
from registry_grpc.services.model_versions import ModelVersions

VERSION: Resource[ModelVersion, pb.ModelVersion, encoders.VersionJson] = Resource(
    message(pb.ModelVersion), encoders.version
)


def _model_id(text: str) -> UUID:
    return path_id(text, "registered_model_id", "invalid model id")


def _id(text: str) -> UUID:
    return path_id(text, "id", "invalid version id")


def version_key(request: pb.FindModelVersionRequest | model_artifact_pb2.FindModelArtifactRequest) -> ModelVersionKey:
    """Raises NotFound if the external id cannot be the id of a version (contract, route 11)."""
    external_id = parse_own_id(request.external_id)
    model_id = None
    if request.parent_resource_id:
        model_id = path_id(request.parent_resource_id, "parent_resource_id", "invalid parentResourceId")
    elif request.registered_model_id:
        model_id = path_id(request.registered_model_id, "registered_model_id", "invalid registered_model_id")
    if request.external_id and external_id is None:
        raise NotFound.of(Reason.MODEL_VERSION_NOT_FOUND)
    return ModelVersionKey(name=request.name, id=external_id, registered_model_id=model_id)


class ModelVersionServicer:
    """The RPCs on model versions."""

    SERVICE = pb.DESCRIPTOR.services_by_name["ModelVersionService"]

    def __init__(self, versions: ModelVersions) -> None:
        self._versions = versions

    @rpc(page(VERSION, lambda items, paging: pb.ListModelVersionsResponse(model_versions=items, **paging)))
    async def ListModelVersions(self, request: pb.ListModelVersionsRequest, call: Call) -> Page[ModelVersion]:
        filter_ = ModelVersionFilter(
            registered_model_id=_model_id(request.registered_model_id), state=request.state, status=request.status
        )
        return await self._versions.list(
            call.project_id, filter_, sort_of(request, SORT_FIELDS), slice_of(request, call)
        )

    @rpc(page(VERSION, lambda items, paging: pb.ListProjectModelVersionsResponse(model_versions=items, **paging)))
    async def ListProjectModelVersions(
        self, request: pb.ListProjectModelVersionsRequest, call: Call
    ) -> Page[ModelVersion]:
        return await self._versions.list(
            call.project_id,
            ModelVersionFilter(state=request.state, status=request.status),
            sort_of(request, SORT_FIELDS),
            slice_of(request, call),
        )

    @rpc(one(VERSION, lambda it: pb.GetModelVersionResponse(model_version=it)))
    async def GetModelVersion(self, request: pb.GetModelVersionRequest, call: Call) -> ModelVersion:
        model_id = _model_id(request.registered_model_id) if request.registered_model_id else None
        return await self._versions.get(call.project_id, _id(request.id), model_id)

    @rpc(one(VERSION, lambda it: pb.FindModelVersionResponse(model_version=it)))
    async def FindModelVersion(self, request: pb.FindModelVersionRequest, call: Call) -> ModelVersion:
        return await self._versions.find(call.project_id, version_key(request))

    @rpc(one(VERSION, lambda it: pb.CreateModelVersionResponse(model_version=it), status=201))
    async def CreateModelVersion(self, request: pb.CreateModelVersionRequest, call: Call) -> ModelVersion:
        model_id = _model_id(request.registered_model_id)
        return await self._versions.create(
            call.project_id, model_id, Reader(request.model_version).make(NewModelVersion)
        )

    @rpc(one(VERSION, lambda it: pb.UpdateModelVersionResponse(model_version=it)))
    async def UpdateModelVersion(self, request: pb.UpdateModelVersionRequest, call: Call) -> ModelVersion:
        model_id = _model_id(request.registered_model_id) if request.registered_model_id else None
        id_, patch = _id(request.id), Reader(request.model_version).make(ModelVersionPatch)
        return await self._versions.update(call.project_id, id_, patch, model_id, edits_deployed=call.is_rest)
