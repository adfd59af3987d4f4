"""ModelVersionService."""

from __future__ import annotations

from uuid import UUID

from registry_grpc.adapters.grpc.call import Call
from registry_grpc.adapters.grpc.mapping import model_version as mapping
from registry_grpc.adapters.grpc.mapping.common import slice_of, sort_of
from registry_grpc.adapters.grpc.rpc import Resource, one, page, rpc
from registry_grpc.adapters.grpc.values import path_id
from registry_grpc.adapters.rest import encoders
from registry_grpc.domain.model_version import SORT_FIELDS, ModelVersion
from registry_grpc.domain.paging import Page
from registry_grpc.gen.modelregistry.v1 import model_version_pb2 as pb
from registry_grpc.services.model_versions import ModelVersions

VERSION: Resource[ModelVersion, pb.ModelVersion, encoders.VersionJson] = Resource(
    mapping.version_message, encoders.version
)


def _model_id(text: str) -> UUID:
    return path_id(text, "registered_model_id", "invalid model id")


def _id(text: str) -> UUID:
    return path_id(text, "id", "invalid version id")


class ModelVersionServicer:
    """The RPCs on model versions."""

    SERVICE = pb.DESCRIPTOR.services_by_name["ModelVersionService"]

    def __init__(self, versions: ModelVersions) -> None:
        self._versions = versions

    @rpc(
        page(
            VERSION,
            lambda versions, paging: pb.ListModelVersionsResponse(model_versions=versions, **paging),
        )
    )
    async def ListModelVersions(self, request: pb.ListModelVersionsRequest, call: Call) -> Page[ModelVersion]:
        filter_ = mapping.version_filter(request, _model_id(request.registered_model_id))
        return await self._versions.list(
            call.project_id, filter_, sort_of(request, SORT_FIELDS), slice_of(request, call)
        )

    @rpc(
        page(
            VERSION,
            lambda versions, paging: pb.ListProjectModelVersionsResponse(model_versions=versions, **paging),
        )
    )
    async def ListProjectModelVersions(
        self, request: pb.ListProjectModelVersionsRequest, call: Call
    ) -> Page[ModelVersion]:
        return await self._versions.list(
            call.project_id, mapping.version_filter(request), sort_of(request, SORT_FIELDS), slice_of(request, call)
        )

    @rpc(one(VERSION, lambda version: pb.GetModelVersionResponse(model_version=version)))
    async def GetModelVersion(self, request: pb.GetModelVersionRequest, call: Call) -> ModelVersion:
        model_id = _model_id(request.registered_model_id) if request.registered_model_id else None
        return await self._versions.get(call.project_id, _id(request.id), model_id)

    @rpc(one(VERSION, lambda version: pb.FindModelVersionResponse(model_version=version)))
    async def FindModelVersion(self, request: pb.FindModelVersionRequest, call: Call) -> ModelVersion:
        return await self._versions.find(call.project_id, mapping.version_key(request))

    @rpc(one(VERSION, lambda version: pb.CreateModelVersionResponse(model_version=version), status=201))
    async def CreateModelVersion(self, request: pb.CreateModelVersionRequest, call: Call) -> ModelVersion:
        model_id = _model_id(request.registered_model_id)
        return await self._versions.create(call.project_id, model_id, mapping.new_version(request.model_version))

    @rpc(one(VERSION, lambda version: pb.UpdateModelVersionResponse(model_version=version)))
    async def UpdateModelVersion(self, request: pb.UpdateModelVersionRequest, call: Call) -> ModelVersion:
        model_id = _model_id(request.registered_model_id) if request.registered_model_id else None
        id_, patch = _id(request.id), mapping.version_patch(request.model_version)
        return await self._versions.update(call.project_id, id_, patch, model_id, edits_deployed=call.is_rest)
