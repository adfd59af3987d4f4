"""RegisteredModelService."""

from __future__ import annotations

from registry_grpc.adapters.grpc.call import Call
from registry_grpc.adapters.grpc.mapping.common import slice_of, sort_of
from registry_grpc.adapters.grpc.mapping.registered_model import model_filter, model_patch, new_model
from registry_grpc.adapters.grpc.values import own_id, path_id
from registry_grpc.domain.errors import NotFound, Reason
from registry_grpc.domain.paging import Page
from registry_grpc.domain.registered_model import SORT_FIELDS, RegisteredModel
from registry_grpc.gen.modelregistry.v1 import registered_model_pb2 as pb
from registry_grpc.services.registered_models import RegisteredModels

_INVALID_ID = "invalid model id"


class RegisteredModelServicer:
    """The RPCs on registered models."""

    SERVICE = pb.DESCRIPTOR.services_by_name["RegisteredModelService"]

    def __init__(self, models: RegisteredModels) -> None:
        self._models = models

    async def ListRegisteredModels(self, request: pb.ListRegisteredModelsRequest, call: Call) -> Page[RegisteredModel]:
        return await self._models.list(
            call.project_id, model_filter(request), sort_of(request, SORT_FIELDS), slice_of(request, call)
        )

    async def GetRegisteredModel(self, request: pb.GetRegisteredModelRequest, call: Call) -> RegisteredModel:
        return await self._models.get(call.project_id, path_id(request.id, "id", _INVALID_ID))

    async def FindRegisteredModel(self, request: pb.FindRegisteredModelRequest, call: Call) -> RegisteredModel:
        id_ = own_id(request.external_id)
        if request.external_id and id_ is None:
            raise NotFound.of(Reason.REGISTERED_MODEL_NOT_FOUND)
        return await self._models.find(call.project_id, name=request.name, id=id_)

    async def CreateRegisteredModel(self, request: pb.CreateRegisteredModelRequest, call: Call) -> RegisteredModel:
        return await self._models.create(call.project_id, new_model(request.registered_model))

    async def UpdateRegisteredModel(self, request: pb.UpdateRegisteredModelRequest, call: Call) -> RegisteredModel:
        id_ = path_id(request.id, "id", _INVALID_ID)
        return await self._models.update(call.project_id, id_, model_patch(request.registered_model))

    async def DeleteRegisteredModel(self, request: pb.DeleteRegisteredModelRequest, call: Call) -> None:
        await self._models.delete(call.project_id, path_id(request.id, "id", _INVALID_ID))
