"""ServingService."""

from __future__ import annotations

from modelregistry.v1 import inference_service_pb2 as pb
from registry_grpc.adapters.grpc.call import Call
from registry_grpc.adapters.grpc.mapping.common import message, slice_of, sort_of
from registry_grpc.adapters.grpc.request_fields import (
    Reader,
    allowing_missing,
    filter_id,
    patch_of,
    path_id,
    version_ids_of,
)
from registry_grpc.adapters.grpc.rpc import Resource, no_result, nothing, one, page, rpc
from registry_grpc.adapters.rest import encoders
from registry_grpc.adapters.rest.etags import etags_in
from registry_grpc.domain.access import Role
from registry_grpc.domain.errors import InvalidRequest, Violation
from registry_grpc.domain.filter.fields import parse_filter
from registry_grpc.domain.inference_service import (
    FILTER_FIELDS,
    SORT_FIELDS,
    InferenceService,
    InferenceServiceFilter,
    InferenceServicePatch,
    NewInferenceService,
)
from registry_grpc.domain.paging import Page
from registry_grpc.ports.repositories import InferenceServiceRepository
from registry_grpc.services.inference_services import InferenceServices

SERVICE_RECORD = Resource(message(pb.InferenceService), encoders.service)


class ServingServicer:
    """The RPCs on inference services."""

    SERVICE = pb.DESCRIPTOR.services_by_name["ServingService"]

    def __init__(self, services: InferenceServiceRepository, use_cases: InferenceServices) -> None:
        self._services = services
        self._use_cases = use_cases

    @rpc(
        page(
            SERVICE_RECORD, lambda items, paging: pb.ListInferenceServicesResponse(inference_services=items, **paging)
        ),
        Role.VIEWER,
    )
    async def ListInferenceServices(
        self, request: pb.ListInferenceServicesRequest, call: Call
    ) -> Page[InferenceService]:
        filter_ = InferenceServiceFilter(
            serving_environment_id=filter_id(request.serving_environment_id, "serving_environment_id", call),
            registered_model_id=filter_id(request.registered_model_id, "registered_model_id", call),
            model_version_id=filter_id(request.model_version_id, "model_version_id", call),
            desired_state=request.desired_state,
            current_state=request.current_state or request.state,
            where=parse_filter(request.filter, FILTER_FIELDS),
        )
        sort = sort_of(request, SORT_FIELDS)
        return await self._services.list(call.project_id, filter_, sort, slice_of(request, call))

    @rpc(one(SERVICE_RECORD, lambda it: pb.GetInferenceServiceResponse(inference_service=it)), Role.VIEWER)
    async def GetInferenceService(self, request: pb.GetInferenceServiceRequest, call: Call) -> InferenceService:
        return await self._services.get(call.project_id, path_id(request.id))

    @rpc(one(SERVICE_RECORD, lambda it: pb.FindInferenceServiceResponse(inference_service=it)), Role.VIEWER)
    async def FindInferenceService(self, request: pb.FindInferenceServiceRequest, call: Call) -> InferenceService:
        if request.external_id:
            return await self._services.find_by_external_id(call.project_id, request.external_id)
        if not request.name or not request.serving_environment_id:
            fields = ("external_id", "name", "serving_environment_id")
            raise InvalidRequest(
                [Violation(name, "is required") for name in fields if not getattr(request, name)],
                "either externalId or (name + serving_environment_id) is required",
            )
        environment_id = path_id(
            request.serving_environment_id, "serving_environment_id", "invalid serving_environment_id"
        )
        return await self._services.find_by_name(call.project_id, environment_id, request.name)

    @rpc(
        one(SERVICE_RECORD, lambda it: pb.CreateInferenceServiceResponse(inference_service=it), status=201),
        Role.DEPLOYER,
    )
    async def CreateInferenceService(self, request: pb.CreateInferenceServiceRequest, call: Call) -> InferenceService:
        required = ("name", "serving_environment_id", "registered_model_id")
        message = request.inference_service
        reader = Reader(message, required=required, but=("model_version_id", "model_version_ids"))
        new = reader.make(NewInferenceService, model_version_ids=version_ids_of(message, reader))
        return await self._use_cases.create(call.project_id, new)

    @rpc(
        one(SERVICE_RECORD, lambda it: pb.UpdateInferenceServiceResponse(inference_service=it)),
        Role.DEPLOYER,
        resume=lambda self, id_, call: self._services.get(call.project_id, id_),
    )
    async def UpdateInferenceService(self, request: pb.UpdateInferenceServiceRequest, call: Call) -> InferenceService:
        id_ = path_id(request.id)
        patch = patch_of(InferenceServicePatch, request.inference_service, request)
        return await self._use_cases.update(
            call.project_id, id_, patch, call.user, etags=etags_in(request.etag), by_contract=call.is_rest
        )

    @rpc(nothing(pb.DeleteInferenceServiceResponse), Role.DEPLOYER, resume=no_result)
    async def DeleteInferenceService(self, request: pb.DeleteInferenceServiceRequest, call: Call) -> None:
        with allowing_missing(request):
            await self._use_cases.delete(call.project_id, path_id(request.id), etags_in(request.etag))
