"""ServingEnvironmentService."""

from __future__ import annotations

from registry_grpc.adapters.grpc.call import Call
from registry_grpc.adapters.grpc.mapping.common import message, slice_of, sort_of
from registry_grpc.adapters.grpc.request_fields import Reader, path_id
from registry_grpc.adapters.grpc.rpc import Resource, nothing, one, page, rpc
from registry_grpc.adapters.rest import encoders
from registry_grpc.domain.errors import InvalidRequest, Violation
from registry_grpc.domain.paging import Page
from registry_grpc.domain.serving_environment import (
    SORT_FIELDS,
    NewServingEnvironment,
    ServingEnvironment,
    ServingEnvironmentFilter,
    ServingEnvironmentPatch,
)
from registry_grpc.gen.modelregistry.v1 import serving_environment_pb2 as pb
from registry_grpc.services.serving_environments import ServingEnvironments

ENVIRONMENT = Resource(message(pb.ServingEnvironment), encoders.environment)


class ServingEnvironmentServicer:
    """The RPCs on serving environments."""

    SERVICE = pb.DESCRIPTOR.services_by_name["ServingEnvironmentService"]

    def __init__(self, environments: ServingEnvironments) -> None:
        self._environments = environments

    @rpc(
        page(
            ENVIRONMENT, lambda items, paging: pb.ListServingEnvironmentsResponse(serving_environments=items, **paging)
        )
    )
    async def ListServingEnvironments(
        self, request: pb.ListServingEnvironmentsRequest, call: Call
    ) -> Page[ServingEnvironment]:
        filter_ = ServingEnvironmentFilter(search=request.search)
        sort = sort_of(request, SORT_FIELDS)
        return await self._environments.list(call.project_id, filter_, sort, slice_of(request, call))

    @rpc(one(ENVIRONMENT, lambda it: pb.GetServingEnvironmentResponse(serving_environment=it)))
    async def GetServingEnvironment(self, request: pb.GetServingEnvironmentRequest, call: Call) -> ServingEnvironment:
        return await self._environments.get(call.project_id, path_id(request.id))

    @rpc(one(ENVIRONMENT, lambda it: pb.FindServingEnvironmentResponse(serving_environment=it)))
    async def FindServingEnvironment(self, request: pb.FindServingEnvironmentRequest, call: Call) -> ServingEnvironment:
        if not request.name:
            raise InvalidRequest([Violation("name", "is required")], "name query parameter is required")
        return await self._environments.find(call.project_id, request.name)

    @rpc(one(ENVIRONMENT, lambda it: pb.CreateServingEnvironmentResponse(serving_environment=it), status=201))
    async def CreateServingEnvironment(
        self, request: pb.CreateServingEnvironmentRequest, call: Call
    ) -> ServingEnvironment:
        return await self._environments.create(
            call.project_id, Reader(request.serving_environment).make(NewServingEnvironment)
        )

    @rpc(one(ENVIRONMENT, lambda it: pb.UpdateServingEnvironmentResponse(serving_environment=it)))
    async def UpdateServingEnvironment(
        self, request: pb.UpdateServingEnvironmentRequest, call: Call
    ) -> ServingEnvironment:
        id_ = path_id(request.id)
        return await self._environments.update(
            call.project_id, id_, Reader(request.serving_environment).make(ServingEnvironmentPatch)
        )

    @rpc(nothing(pb.DeleteServingEnvironmentResponse))
    async def DeleteServingEnvironment(self, request: pb.DeleteServingEnvironmentRequest, call: Call) -> None:
        await self._environments.delete(call.project_id, path_id(request.id))
