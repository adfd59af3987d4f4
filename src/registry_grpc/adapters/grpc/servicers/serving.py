"""ServingEnvironmentService, InferenceServiceService and ServeModelService."""

from __future__ import annotations

from uuid import UUID

from registry_grpc.adapters.grpc.call import Call
from registry_grpc.adapters.grpc.mapping import serving as mapping
from registry_grpc.adapters.grpc.mapping.common import slice_of, sort_of
from registry_grpc.adapters.grpc.rpc import Resource, nothing, one, page, rpc
from registry_grpc.adapters.grpc.values import path_id
from registry_grpc.adapters.rest import encoders
from registry_grpc.domain import inference_service, serve_model, serving_environment
from registry_grpc.domain.errors import InvalidRequest, Violation
from registry_grpc.domain.inference_service import InferenceService
from registry_grpc.domain.paging import Page
from registry_grpc.domain.serve_model import ServeModel
from registry_grpc.domain.serving_environment import ServingEnvironment, ServingEnvironmentFilter
from registry_grpc.gen.modelregistry.v1 import inference_service_pb2, serve_model_pb2, serving_environment_pb2
from registry_grpc.services.inference_services import InferenceServices
from registry_grpc.services.serve_models import ServeModels
from registry_grpc.services.serving_environments import ServingEnvironments

ENVIRONMENT: Resource[ServingEnvironment, serving_environment_pb2.ServingEnvironment, encoders.EnvironmentJson] = (
    Resource(mapping.environment_message, encoders.environment)
)
INFERENCE_SERVICE: Resource[InferenceService, inference_service_pb2.InferenceService, encoders.ServiceJson] = Resource(
    mapping.service_message, encoders.service
)
SERVE_MODEL: Resource[ServeModel, serve_model_pb2.ServeModel, encoders.ServeModelJson] = Resource(
    mapping.serve_model_message, encoders.serve_model
)


def _id(text: str) -> UUID:
    return path_id(text, "id", "invalid id")


class ServingEnvironmentServicer:
    """The RPCs on serving environments."""

    SERVICE = serving_environment_pb2.DESCRIPTOR.services_by_name["ServingEnvironmentService"]

    def __init__(self, environments: ServingEnvironments) -> None:
        self._environments = environments

    @rpc(
        page(
            ENVIRONMENT,
            lambda environments, paging: serving_environment_pb2.ListServingEnvironmentsResponse(
                serving_environments=environments, **paging
            ),
        )
    )
    async def ListServingEnvironments(
        self, request: serving_environment_pb2.ListServingEnvironmentsRequest, call: Call
    ) -> Page[ServingEnvironment]:
        filter_ = ServingEnvironmentFilter(search=request.search)
        sort = sort_of(request, serving_environment.SORT_FIELDS)
        return await self._environments.list(call.project_id, filter_, sort, slice_of(request, call))

    @rpc(
        one(
            ENVIRONMENT,
            lambda environment: serving_environment_pb2.GetServingEnvironmentResponse(serving_environment=environment),
        )
    )
    async def GetServingEnvironment(
        self, request: serving_environment_pb2.GetServingEnvironmentRequest, call: Call
    ) -> ServingEnvironment:
        return await self._environments.get(call.project_id, _id(request.id))

    @rpc(
        one(
            ENVIRONMENT,
            lambda environment: serving_environment_pb2.FindServingEnvironmentResponse(serving_environment=environment),
        )
    )
    async def FindServingEnvironment(
        self, request: serving_environment_pb2.FindServingEnvironmentRequest, call: Call
    ) -> ServingEnvironment:
        if not request.name:
            raise InvalidRequest([Violation("name", "is required")], "name query parameter is required")
        return await self._environments.find(call.project_id, request.name)

    @rpc(
        one(
            ENVIRONMENT,
            lambda environment: serving_environment_pb2.CreateServingEnvironmentResponse(
                serving_environment=environment
            ),
            status=201,
        )
    )
    async def CreateServingEnvironment(
        self, request: serving_environment_pb2.CreateServingEnvironmentRequest, call: Call
    ) -> ServingEnvironment:
        return await self._environments.create(call.project_id, mapping.new_environment(request.serving_environment))

    @rpc(
        one(
            ENVIRONMENT,
            lambda environment: serving_environment_pb2.UpdateServingEnvironmentResponse(
                serving_environment=environment
            ),
        )
    )
    async def UpdateServingEnvironment(
        self, request: serving_environment_pb2.UpdateServingEnvironmentRequest, call: Call
    ) -> ServingEnvironment:
        id_ = _id(request.id)
        return await self._environments.update(
            call.project_id, id_, mapping.environment_patch(request.serving_environment)
        )

    @rpc(nothing(serving_environment_pb2.DeleteServingEnvironmentResponse))
    async def DeleteServingEnvironment(
        self, request: serving_environment_pb2.DeleteServingEnvironmentRequest, call: Call
    ) -> None:
        await self._environments.delete(call.project_id, _id(request.id))


class InferenceServiceServicer:
    """The RPCs on inference services."""

    SERVICE = inference_service_pb2.DESCRIPTOR.services_by_name["InferenceServiceService"]

    def __init__(self, services: InferenceServices) -> None:
        self._services = services

    @rpc(
        page(
            INFERENCE_SERVICE,
            lambda services, paging: inference_service_pb2.ListInferenceServicesResponse(
                inference_services=services, **paging
            ),
        )
    )
    async def ListInferenceServices(
        self, request: inference_service_pb2.ListInferenceServicesRequest, call: Call
    ) -> Page[InferenceService]:
        filter_ = mapping.service_filter(request, call)
        sort = sort_of(request, inference_service.SORT_FIELDS)
        return await self._services.list(call.project_id, filter_, sort, slice_of(request, call))

    @rpc(
        one(
            INFERENCE_SERVICE,
            lambda service: inference_service_pb2.GetInferenceServiceResponse(inference_service=service),
        )
    )
    async def GetInferenceService(
        self, request: inference_service_pb2.GetInferenceServiceRequest, call: Call
    ) -> InferenceService:
        return await self._services.get(call.project_id, _id(request.id))

    @rpc(
        one(
            INFERENCE_SERVICE,
            lambda service: inference_service_pb2.FindInferenceServiceResponse(inference_service=service),
        )
    )
    async def FindInferenceService(
        self, request: inference_service_pb2.FindInferenceServiceRequest, call: Call
    ) -> InferenceService:
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
        one(
            INFERENCE_SERVICE,
            lambda service: inference_service_pb2.CreateInferenceServiceResponse(inference_service=service),
            status=201,
        )
    )
    async def CreateInferenceService(
        self, request: inference_service_pb2.CreateInferenceServiceRequest, call: Call
    ) -> InferenceService:
        return await self._services.create(call.project_id, mapping.new_service(request.inference_service))

    @rpc(
        one(
            INFERENCE_SERVICE,
            lambda service: inference_service_pb2.UpdateInferenceServiceResponse(inference_service=service),
        )
    )
    async def UpdateInferenceService(
        self, request: inference_service_pb2.UpdateInferenceServiceRequest, call: Call
    ) -> InferenceService:
        id_ = _id(request.id)
        patch = mapping.service_patch(request.inference_service)
        return await self._services.update(call.project_id, id_, patch, user=call.user)

    @rpc(nothing(inference_service_pb2.DeleteInferenceServiceResponse))
    async def DeleteInferenceService(
        self, request: inference_service_pb2.DeleteInferenceServiceRequest, call: Call
    ) -> None:
        await self._services.delete(call.project_id, _id(request.id))


class ServeModelServicer:
    """The RPCs on serve models."""

    SERVICE = serve_model_pb2.DESCRIPTOR.services_by_name["ServeModelService"]

    def __init__(self, serve_models: ServeModels) -> None:
        self._serve_models = serve_models

    @rpc(
        page(SERVE_MODEL, lambda served, paging: serve_model_pb2.ListServeModelsResponse(serve_models=served, **paging))
    )
    async def ListServeModels(self, request: serve_model_pb2.ListServeModelsRequest, call: Call) -> Page[ServeModel]:
        filter_ = mapping.serve_model_filter(request, call)
        sort = sort_of(request, serve_model.SORT_FIELDS)
        return await self._serve_models.list(call.project_id, filter_, sort, slice_of(request, call))

    @rpc(one(SERVE_MODEL, lambda served: serve_model_pb2.GetServeModelResponse(serve_model=served)))
    async def GetServeModel(self, request: serve_model_pb2.GetServeModelRequest, call: Call) -> ServeModel:
        return await self._serve_models.get(call.project_id, _id(request.id))

    @rpc(one(SERVE_MODEL, lambda served: serve_model_pb2.CreateServeModelResponse(serve_model=served), status=201))
    async def CreateServeModel(self, request: serve_model_pb2.CreateServeModelRequest, call: Call) -> ServeModel:
        return await self._serve_models.create(call.project_id, mapping.new_serve_model(request.serve_model))

    @rpc(nothing(serve_model_pb2.DeleteServeModelResponse))
    async def DeleteServeModel(self, request: serve_model_pb2.DeleteServeModelRequest, call: Call) -> None:
        await self._serve_models.delete(call.project_id, _id(request.id))
