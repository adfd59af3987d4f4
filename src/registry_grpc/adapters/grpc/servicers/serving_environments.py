"""ServingEnvironmentService."""

from __future__ import annotations

from modelregistry.v1 import serving_environment_pb2 as pb
from registry_grpc.adapters.grpc.call import Call
from registry_grpc.adapters.grpc.mapping.common import message, slice_of, sort_of
from registry_grpc.adapters.grpc.request_fields import Reader, allowing_missing, patch_of, path_id
from registry_grpc.adapters.grpc.rpc import Resource, nothing, one, page, rpc
from registry_grpc.adapters.rest import encoders
from registry_grpc.adapters.rest.etags import etags_in
from registry_grpc.domain.access import Role
from registry_grpc.domain.errors import InvalidRequest, Violation
from registry_grpc.domain.filter.fields import parse_filter
from registry_grpc.domain.paging import Page
from registry_grpc.domain.serving_environment import (
    FILTER_FIELDS,
    SORT_FIELDS,
    NewServingEnvironment,
    ServingEnvironment,
    ServingEnvironmentFilter,
    ServingEnvironmentPatch,
)
from registry_grpc.ports.repositories import ServingEnvironmentRepository
from registry_grpc.services.serving_environments import ServingEnvironments

ENVIRONMENT = Resource(message(pb.ServingEnvironment), encoders.environment)


class ServingEnvironmentServicer:
    """The RPCs on serving environments."""

    SERVICE = pb.DESCRIPTOR.services_by_name["ServingEnvironmentService"]

    def __init__(self, environments: ServingEnvironmentRepository, use_cases: ServingEnvironments) -> None:
        self._environments = environments
        self._use_cases = use_cases

    @rpc(
        page(
            ENVIRONMENT, lambda items, paging: pb.ListServingEnvironmentsResponse(serving_environments=items, **paging)
        ),
        Role.VIEWER,
    )
    async def ListServingEnvironments(
        self, request: pb.ListServingEnvironmentsRequest, call: Call
    ) -> Page[ServingEnvironment]:
        filter_ = ServingEnvironmentFilter(search=request.search, where=parse_filter(request.filter, FILTER_FIELDS))
        sort = sort_of(request, SORT_FIELDS)
        return await self._environments.list(call.project_id, filter_, sort, slice_of(request, call))

    @rpc(one(ENVIRONMENT, lambda it: pb.GetServingEnvironmentResponse(serving_environment=it)), Role.VIEWER)
    async def GetServingEnvironment(self, request: pb.GetServingEnvironmentRequest, call: Call) -> ServingEnvironment:
        return await self._environments.get(call.project_id, path_id(request.id))

    @rpc(one(ENVIRONMENT, lambda it: pb.FindServingEnvironmentResponse(serving_environment=it)), Role.VIEWER)
    async def FindServingEnvironment(self, request: pb.FindServingEnvironmentRequest, call: Call) -> ServingEnvironment:
        if request.external_id and request.name:
            raise InvalidRequest([Violation("external_id", "cannot be combined with name: give one of them")])
        if request.external_id:
            return await self._environments.find_by_external_id(call.project_id, request.external_id)
        if not request.name:
            raise InvalidRequest([Violation("name", "is required")], "name query parameter is required")
        return await self._environments.find(call.project_id, request.name)

    @rpc(
        one(ENVIRONMENT, lambda it: pb.CreateServingEnvironmentResponse(serving_environment=it), status=201),
        Role.DEPLOYER,
    )
    async def CreateServingEnvironment(
        self, request: pb.CreateServingEnvironmentRequest, call: Call
    ) -> ServingEnvironment:
        new = Reader(request.serving_environment).make(NewServingEnvironment)
        return await self._use_cases.create(call.project_id, new)

    @rpc(one(ENVIRONMENT, lambda it: pb.UpdateServingEnvironmentResponse(serving_environment=it)), Role.DEPLOYER)
    async def UpdateServingEnvironment(
        self, request: pb.UpdateServingEnvironmentRequest, call: Call
    ) -> ServingEnvironment:
        id_ = path_id(request.id)
        patch = patch_of(ServingEnvironmentPatch, request.serving_environment, request)
        return await self._use_cases.update(call.project_id, id_, patch, etags_in(request.etag))

    @rpc(nothing(pb.DeleteServingEnvironmentResponse), Role.DEPLOYER)
    async def DeleteServingEnvironment(self, request: pb.DeleteServingEnvironmentRequest, call: Call) -> None:
        with allowing_missing(request):
            await self._environments.delete(call.project_id, path_id(request.id), etags_in(request.etag))
