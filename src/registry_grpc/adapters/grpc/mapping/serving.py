"""Maps requests about inference services and serve models."""

from __future__ import annotations

from uuid import UUID

from registry_grpc.adapters.grpc.call import Call
from registry_grpc.adapters.grpc.request_fields import Reader, distinct_ids
from registry_grpc.domain.errors import InvalidRequest, Violation
from registry_grpc.domain.ids import parse_uuid
from registry_grpc.domain.inference_service import InferenceServiceFilter, NewInferenceService
from registry_grpc.domain.serve_model import ServeModelFilter
from registry_grpc.gen.modelregistry.v1 import deployment_pb2, inference_service_pb2, serve_model_pb2


def new_service(message: inference_service_pb2.NewInferenceService) -> NewInferenceService:
    reader = Reader(
        message,
        required=("name", "serving_environment_id", "registered_model_id"),
        but=("model_version_id", "model_version_ids"),
    )
    return reader.make(NewInferenceService, model_version_ids=version_ids_of(message, reader))


def version_ids_of(
    message: inference_service_pb2.NewInferenceService | deployment_pb2.NewDeployment, reader: Reader
) -> tuple[UUID, ...]:
    """First the single id, then those of the list, without repetitions (contract 2.5)."""
    first = [message.model_version_id] if message.HasField("model_version_id") else []
    ids = reader.read(distinct_ids, (), first, "model_version_id")
    return tuple(dict.fromkeys((*ids, *reader.read(distinct_ids, (), message.model_version_ids, "model_version_ids"))))


def service_filter(request: inference_service_pb2.ListInferenceServicesRequest, call: Call) -> InferenceServiceFilter:
    return InferenceServiceFilter(
        serving_environment_id=filter_id(request.serving_environment_id, "serving_environment_id", call),
        registered_model_id=filter_id(request.registered_model_id, "registered_model_id", call),
        model_version_id=filter_id(request.model_version_id, "model_version_id", call),
        desired_state=request.desired_state,
        current_state=request.current_state or request.state,
    )


def serve_model_filter(request: serve_model_pb2.ListServeModelsRequest, call: Call) -> ServeModelFilter:
    return ServeModelFilter(
        inference_service_id=filter_id(request.inference_service_id, "inference_service_id", call),
        model_version_id=filter_id(request.model_version_id, "model_version_id", call),
        state=request.state,
    )


def filter_id(text: str, field: str, call: Call) -> UUID | None:
    """REST ignores a filter by an invalid id (quirk Q36); gRPC refuses it."""
    value = parse_uuid(text)
    if text and value is None and not call.is_rest:
        raise InvalidRequest([Violation(field, "must be a UUID")])
    return value
