"""ServeModelService."""

from __future__ import annotations

from modelregistry.v1 import serve_model_pb2 as pb
from registry_grpc.adapters.grpc.call import Call
from registry_grpc.adapters.grpc.mapping.common import message, slice_of, sort_of
from registry_grpc.adapters.grpc.request_fields import Reader, allowing_missing, filter_id, path_id
from registry_grpc.adapters.grpc.rpc import Resource, nothing, one, page, rpc
from registry_grpc.adapters.rest import encoders
from registry_grpc.adapters.rest.etags import etags_in
from registry_grpc.domain.access import Role
from registry_grpc.domain.filter.fields import parse_filter
from registry_grpc.domain.paging import Page
from registry_grpc.domain.serve_model import FILTER_FIELDS, SORT_FIELDS, NewServeModel, ServeModel, ServeModelFilter
from registry_grpc.ports.repositories import ServeModelRepository
from registry_grpc.services.serve_models import ServeModels

SERVE_MODEL = Resource(message(pb.ServeModel), encoders.serve_model)


class ServeModelServicer:
    """The RPCs on serve models."""

    SERVICE = pb.DESCRIPTOR.services_by_name["ServeModelService"]

    def __init__(self, serve_models: ServeModelRepository, use_cases: ServeModels) -> None:
        self._serve_models = serve_models
        self._use_cases = use_cases

    @rpc(page(SERVE_MODEL, lambda items, paging: pb.ListServeModelsResponse(serve_models=items, **paging)), Role.VIEWER)
    async def ListServeModels(self, request: pb.ListServeModelsRequest, call: Call) -> Page[ServeModel]:
        filter_ = ServeModelFilter(
            inference_service_id=filter_id(request.inference_service_id, "inference_service_id", call),
            model_version_id=filter_id(request.model_version_id, "model_version_id", call),
            state=request.state,
            where=parse_filter(request.filter, FILTER_FIELDS),
        )
        sort = sort_of(request, SORT_FIELDS)
        return await self._serve_models.list(call.project_id, filter_, sort, slice_of(request, call))

    @rpc(one(SERVE_MODEL, lambda it: pb.GetServeModelResponse(serve_model=it)), Role.VIEWER)
    async def GetServeModel(self, request: pb.GetServeModelRequest, call: Call) -> ServeModel:
        return await self._serve_models.get(call.project_id, path_id(request.id))

    @rpc(one(SERVE_MODEL, lambda it: pb.CreateServeModelResponse(serve_model=it), status=201), Role.DEPLOYER)
    async def CreateServeModel(self, request: pb.CreateServeModelRequest, call: Call) -> ServeModel:
        return await self._use_cases.create(
            call.project_id,
            Reader(request.serve_model, required=("inference_service_id", "model_version_id")).make(NewServeModel),
        )

    @rpc(nothing(pb.DeleteServeModelResponse), Role.DEPLOYER)
    async def DeleteServeModel(self, request: pb.DeleteServeModelRequest, call: Call) -> None:
        with allowing_missing(request):
            await self._serve_models.delete(call.project_id, path_id(request.id), etags_in(request.etag))
