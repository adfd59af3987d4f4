"""ModelVersionService."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from uuid import UUID

from modelregistry.v1 import model_artifact_pb2
from modelregistry.v1 import model_version_pb2 as pb
from registry_grpc.adapters.grpc.call import Call
from registry_grpc.adapters.grpc.mapping.common import cursor_slice_of, message_of, order_of, slice_of, sort_of, view_of
from registry_grpc.adapters.grpc.request_fields import Reader, allowing_missing, body_id, ids_of, patch_of, path_id
from registry_grpc.adapters.grpc.rpc import Resource, cursor_page, nothing_but_grpc, one, only_grpc, page, rpc, several
from registry_grpc.adapters.rest import encoders
from registry_grpc.adapters.rest.etags import etags_in
from registry_grpc.domain.access import Role
from registry_grpc.domain.errors import InvalidRequest, NotFound, Reason, Violation
from registry_grpc.domain.filter.fields import parse_filter
from registry_grpc.domain.ids import parse_own_id
from registry_grpc.domain.model_version import (
    DELETED_FILTER_FIELDS,
    DELETED_SORT_FIELDS,
    FILES,
    FILTER_FIELDS,
    LAST_DELETED_FIRST,
    SORT_FIELDS,
    DeletedModelVersion,
    ModelFiles,
    ModelVersion,
    ModelVersionFilter,
    ModelVersionKey,
    ModelVersionPatch,
    NewModelVersion,
)
from registry_grpc.domain.paging import Page
from registry_grpc.ports.repositories import DeletedVersionRepository
from registry_grpc.services.model_versions import ModelVersions


def version_message(version: ModelVersion, **given: str) -> pb.ModelVersion:
    """The version with all its aliases, and the values `given` instead of its own."""
    return message_of(pb.ModelVersion, version, aliases=version.all_aliases, **given)


def _deleted_message(deleted: DeletedModelVersion) -> pb.DeletedModelVersion:
    return message_of(pb.DeletedModelVersion, deleted, model_version=version_message(deleted.model_version))


VERSION: Resource[ModelVersion, pb.ModelVersion, encoders.ModelVersionJson] = Resource(
    version_message, encoders.version
)


def _model_id(text: str) -> UUID:
    return path_id(text, "registered_model_id", "invalid model id")


def _id(text: str) -> UUID:
    return path_id(text, "id", "invalid version id")


def version_key(
    request: pb.FindModelVersionRequest | model_artifact_pb2.FindModelArtifactRequest, call: Call
) -> ModelVersionKey:
    """On REST, the external id is the id. Raises NotFound if it cannot be the id of a version (contract, route 11)."""
    id_ = parse_own_id(request.external_id) if call.is_rest else None
    model_id = None
    if request.parent_resource_id:
        model_id = path_id(request.parent_resource_id, "parent_resource_id", "invalid parentResourceId")
    elif request.registered_model_id:
        model_id = path_id(request.registered_model_id, "registered_model_id", "invalid registered_model_id")
    if call.is_rest and request.external_id and id_ is None:
        raise NotFound.of(Reason.MODEL_VERSION_NOT_FOUND)
    external_id = "" if call.is_rest else request.external_id
    return ModelVersionKey(name=request.name, id=id_, registered_model_id=model_id, external_id=external_id)


class ModelVersionServicer:
    """The RPCs on model versions."""

    SERVICE = pb.DESCRIPTOR.services_by_name["ModelVersionService"]

    def __init__(self, versions: ModelVersions, deleted: DeletedVersionRepository, retention: timedelta) -> None:
        """`retention`: how long deleted versions can be restored."""
        self._versions = versions
        self._deleted = deleted
        self._retention = retention

    @rpc(page(VERSION, lambda items, paging: pb.ListModelVersionsResponse(model_versions=items, **paging)), Role.VIEWER)
    async def ListModelVersions(self, request: pb.ListModelVersionsRequest, call: Call) -> Page[ModelVersion]:
        filter_ = ModelVersionFilter(
            registered_model_id=_model_id(request.registered_model_id),
            state=request.state,
            status=request.status,
            where=parse_filter(request.filter, FILTER_FIELDS),
        )
        return await self._versions.list(
            call.project_id, filter_, sort_of(request, SORT_FIELDS), slice_of(request, call)
        )

    @rpc(
        page(VERSION, lambda items, paging: pb.ListProjectModelVersionsResponse(model_versions=items, **paging)),
        Role.VIEWER,
    )
    async def ListProjectModelVersions(
        self, request: pb.ListProjectModelVersionsRequest, call: Call
    ) -> Page[ModelVersion]:
        where = parse_filter(request.filter, FILTER_FIELDS)
        return await self._versions.list(
            call.project_id,
            ModelVersionFilter(state=request.state, status=request.status, where=where),
            sort_of(request, SORT_FIELDS),
            slice_of(request, call),
        )

    @rpc(one(VERSION, lambda it: pb.GetModelVersionResponse(model_version=it)), Role.VIEWER)
    async def GetModelVersion(self, request: pb.GetModelVersionRequest, call: Call) -> ModelVersion:
        view = view_of(request)
        if request.version:
            if request.id:
                raise InvalidRequest([Violation("version", "cannot be combined with id: give one of them")])
            of_model = body_id(request.registered_model_id, "registered_model_id")
            return await self._versions.named(call.project_id, of_model, request.version, view)
        model_id = _model_id(request.registered_model_id) if request.registered_model_id else None
        return await self._versions.get(call.project_id, _id(request.id), model_id, view)

    @rpc(several(VERSION.message, lambda items: pb.BatchGetModelVersionsResponse(model_versions=items)), Role.VIEWER)
    async def BatchGetModelVersions(
        self, request: pb.BatchGetModelVersionsRequest, call: Call
    ) -> Sequence[ModelVersion]:
        return await self._versions.batch(call.project_id, ids_of(request), view_of(request))

    @rpc(one(VERSION, lambda it: pb.FindModelVersionResponse(model_version=it)), Role.VIEWER)
    async def FindModelVersion(self, request: pb.FindModelVersionRequest, call: Call) -> ModelVersion:
        return await self._versions.find(call.project_id, version_key(request, call), view_of(request))

    @rpc(one(VERSION, lambda it: pb.CreateModelVersionResponse(model_version=it), status=201), Role.EDITOR)
    async def CreateModelVersion(self, request: pb.CreateModelVersionRequest, call: Call) -> ModelVersion:
        model_id = _model_id(request.registered_model_id)
        return await self._versions.create(
            call.project_id, model_id, Reader(request.model_version).make(NewModelVersion, by_contract=call.is_rest)
        )

    @rpc(only_grpc(VERSION.message, lambda it: pb.AttachModelArtifactResponse(model_version=it)), Role.EDITOR)
    async def AttachModelArtifact(self, request: pb.AttachModelArtifactRequest, call: Call) -> ModelVersion:
        id_, files = _id(request.id), Reader(request.files, required=FILES).make(ModelFiles)
        return await self._versions.attach(call.project_id, id_, files, etags_in(request.etag))

    @rpc(one(VERSION, lambda it: pb.UpdateModelVersionResponse(model_version=it)), Role.EDITOR)
    async def UpdateModelVersion(self, request: pb.UpdateModelVersionRequest, call: Call) -> ModelVersion:
        model_id = _model_id(request.registered_model_id) if request.registered_model_id else None
        id_, patch = (
            _id(request.id),
            patch_of(ModelVersionPatch, request.model_version, request, by_contract=call.is_rest),
        )
        return await self._versions.update(
            call.project_id, id_, patch, model_id, etags=etags_in(request.etag), edits_deployed=call.is_rest
        )

    @rpc(nothing_but_grpc(pb.DeleteModelVersionResponse), Role.EDITOR)
    async def DeleteModelVersion(self, request: pb.DeleteModelVersionRequest, call: Call) -> None:
        with allowing_missing(request):
            id_, etags = _id(request.id), etags_in(request.etag)
            await self._deleted.delete(
                call.project_id, id_, call.user, force=request.force, retention=self._retention, etags=etags
            )

    @rpc(only_grpc(version_message, lambda it: pb.UndeleteModelVersionResponse(model_version=it)), Role.EDITOR)
    async def UndeleteModelVersion(self, request: pb.UndeleteModelVersionRequest, call: Call) -> ModelVersion:
        return await self._versions.undelete(call.project_id, _id(request.id), self._deleted, self._retention)

    @rpc(
        cursor_page(
            _deleted_message,
            lambda items, token: pb.ListDeletedModelVersionsResponse(
                deleted_model_versions=items, next_page_token=token
            ),
        ),
        Role.VIEWER,
    )
    async def ListDeletedModelVersions(
        self, request: pb.ListDeletedModelVersionsRequest, call: Call
    ) -> Page[DeletedModelVersion]:
        id_, slice_ = _model_id(request.registered_model_id), cursor_slice_of(request, call, datetime)
        sort = order_of(request, DELETED_SORT_FIELDS, LAST_DELETED_FIRST)
        where = parse_filter(request.filter, DELETED_FILTER_FIELDS)
        return await self._deleted.list(call.project_id, id_, slice_, sort, where, retention=self._retention)
