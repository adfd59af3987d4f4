"""RegisteredModelService."""

from __future__ import annotations

from collections.abc import Sequence

from modelregistry.v1 import registered_model_pb2 as pb
from registry_grpc.adapters.grpc.call import Call
from registry_grpc.adapters.grpc.mapping.common import message_of, slice_of, sort_of, view_of
from registry_grpc.adapters.grpc.mapping.registered_model import tags_of
from registry_grpc.adapters.grpc.request_fields import Reader, allowing_missing, ids_of, patch_of, path_id
from registry_grpc.adapters.grpc.rpc import Resource, nothing, one, page, rpc, several
from registry_grpc.adapters.grpc.servicers.model_versions import version_message
from registry_grpc.adapters.rest import encoders
from registry_grpc.adapters.rest.etags import etags_in
from registry_grpc.domain.access import Role
from registry_grpc.domain.errors import NotFound, Reason
from registry_grpc.domain.filter.fields import parse_filter
from registry_grpc.domain.ids import parse_own_id
from registry_grpc.domain.paging import Page
from registry_grpc.domain.registered_model import (
    FILTER_FIELDS,
    SORT_FIELDS,
    NewRegisteredModel,
    RegisteredModel,
    RegisteredModelFilter,
    RegisteredModelPatch,
)
from registry_grpc.services.registered_models import RegisteredModels

_INVALID_ID = "invalid model id"


def _message(model: RegisteredModel) -> pb.RegisteredModel:
    versions = {"latest_version": model.latest_version, "default_version": model.default_version}
    # Versions inside a model are shown without emails (quirk Q51).
    bare = {
        name: version and version_message(version, created_by_email="", updated_by_email="")
        for name, version in versions.items()
    }
    return message_of(pb.RegisteredModel, model, **bare)


def _new_model(message: pb.NewRegisteredModel, call: Call) -> NewRegisteredModel:
    return Reader(message).make(NewRegisteredModel, tags=tags_of(message.tags), by_contract=call.is_rest)


def _model_patch(request: pb.UpdateRegisteredModelRequest, call: Call) -> RegisteredModelPatch:
    message = request.registered_model
    tags = {"tags": tags_of(message.tags)} if message.HasField("tags") else {}
    return patch_of(RegisteredModelPatch, message, request, **tags, by_contract=call.is_rest)


MODEL = Resource(_message, encoders.model)


class RegisteredModelServicer:
    """The RPCs on registered models."""

    SERVICE = pb.DESCRIPTOR.services_by_name["RegisteredModelService"]

    def __init__(self, models: RegisteredModels) -> None:
        self._models = models

    @rpc(
        page(MODEL, lambda items, paging: pb.ListRegisteredModelsResponse(registered_models=items, **paging)),
        Role.VIEWER,
    )
    async def ListRegisteredModels(self, request: pb.ListRegisteredModelsRequest, call: Call) -> Page[RegisteredModel]:
        filter_ = RegisteredModelFilter(
            state=request.state,
            model_type=request.model_type,
            search=request.search,
            where=parse_filter(request.filter, FILTER_FIELDS),
        )
        return await self._models.list(call.project_id, filter_, sort_of(request, SORT_FIELDS), slice_of(request, call))

    @rpc(one(MODEL, lambda it: pb.GetRegisteredModelResponse(registered_model=it)), Role.VIEWER)
    async def GetRegisteredModel(self, request: pb.GetRegisteredModelRequest, call: Call) -> RegisteredModel:
        return await self._models.get(call.project_id, path_id(request.id, "id", _INVALID_ID), view_of(request))

    @rpc(several(_message, lambda items: pb.BatchGetRegisteredModelsResponse(registered_models=items)), Role.VIEWER)
    async def BatchGetRegisteredModels(
        self, request: pb.BatchGetRegisteredModelsRequest, call: Call
    ) -> Sequence[RegisteredModel]:
        return await self._models.batch(call.project_id, ids_of(request), view_of(request))

    @rpc(one(MODEL, lambda it: pb.FindRegisteredModelResponse(registered_model=it)), Role.VIEWER)
    async def FindRegisteredModel(self, request: pb.FindRegisteredModelRequest, call: Call) -> RegisteredModel:
        if not call.is_rest:
            return await self._models.find(
                call.project_id, name=request.name, external_id=request.external_id, view=view_of(request)
            )
        id_ = parse_own_id(request.external_id)
        if request.external_id and id_ is None:
            raise NotFound.of(Reason.REGISTERED_MODEL_NOT_FOUND)
        return await self._models.find(call.project_id, name=request.name, id=id_)

    @rpc(one(MODEL, lambda it: pb.CreateRegisteredModelResponse(registered_model=it), status=201), Role.EDITOR)
    async def CreateRegisteredModel(self, request: pb.CreateRegisteredModelRequest, call: Call) -> RegisteredModel:
        return await self._models.create(call.project_id, _new_model(request.registered_model, call))

    @rpc(one(MODEL, lambda it: pb.UpdateRegisteredModelResponse(registered_model=it)), Role.EDITOR)
    async def UpdateRegisteredModel(self, request: pb.UpdateRegisteredModelRequest, call: Call) -> RegisteredModel:
        id_ = path_id(request.id, "id", _INVALID_ID)
        return await self._models.update(call.project_id, id_, _model_patch(request, call), etags_in(request.etag))

    @rpc(nothing(pb.DeleteRegisteredModelResponse, status=200, json=b'{"status":"deleted"}'), Role.EDITOR)
    async def DeleteRegisteredModel(self, request: pb.DeleteRegisteredModelRequest, call: Call) -> None:
        with allowing_missing(request):
            await self._models.delete(call.project_id, path_id(request.id, "id", _INVALID_ID), etags_in(request.etag))
