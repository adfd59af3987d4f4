"""Serving environments, inference services and serve models between protos and domain."""

from __future__ import annotations

from uuid import UUID

from registry_grpc.adapters.grpc.call import Call
from registry_grpc.adapters.grpc.mapping.common import timestamp
from registry_grpc.adapters.grpc.values import NO_ID, Reader, body_id, distinct_ids
from registry_grpc.domain.errors import InvalidRequest, Violation
from registry_grpc.domain.ids import parse_uuid
from registry_grpc.domain.inference_service import (
    InferenceService,
    InferenceServiceFilter,
    InferenceServicePatch,
    NewInferenceService,
)
from registry_grpc.domain.serve_model import NewServeModel, ServeModel, ServeModelFilter
from registry_grpc.domain.serving_environment import (
    NewServingEnvironment,
    ServingEnvironment,
    ServingEnvironmentPatch,
)
from registry_grpc.gen.modelregistry.v1 import (
    deployment_pb2,
    inference_service_pb2,
    serve_model_pb2,
    serving_environment_pb2,
)


def new_environment(message: serving_environment_pb2.NewServingEnvironment) -> NewServingEnvironment:
    return NewServingEnvironment(
        name=message.name,
        description=message.description,
        external_id=message.external_id,
        drift_policy=message.drift_policy,
    )


def environment_patch(message: serving_environment_pb2.ServingEnvironmentPatch) -> ServingEnvironmentPatch:
    reader = Reader(message)
    values = reader.present("name", "description", "external_id", "drift_policy")
    return reader.make(ServingEnvironmentPatch, **values)


def environment_message(environment: ServingEnvironment) -> serving_environment_pb2.ServingEnvironment:
    return serving_environment_pb2.ServingEnvironment(
        id=str(environment.id),
        created_at=timestamp(environment.created_at),
        updated_at=timestamp(environment.updated_at),
        name=environment.name,
        description=environment.description,
        external_id=environment.external_id,
        drift_policy=environment.drift_policy,
    )


def new_service(message: inference_service_pb2.NewInferenceService) -> NewInferenceService:
    reader = Reader(message, "name", "serving_environment_id", "registered_model_id")
    return reader.make(
        NewInferenceService,
        name=message.name,
        serving_environment_id=reader.id("serving_environment_id"),
        registered_model_id=reader.id("registered_model_id"),
        model_version_ids=version_ids_of(message, reader),
        runtime=message.runtime,
        labels=dict(message.labels),
    )


def version_ids_of(
    message: inference_service_pb2.NewInferenceService | deployment_pb2.NewDeployment, reader: Reader
) -> tuple[UUID, ...]:
    """The single id first, then the list; repeated ones once (contract 2.5)."""
    first = reader.optional_id("model_version_id")
    rest = reader.read(distinct_ids, (), message.model_version_ids, "model_version_ids")
    return tuple(dict.fromkeys((*([first] if first else []), *rest)))


def service_patch(message: inference_service_pb2.InferenceServicePatch) -> InferenceServicePatch:
    reader = Reader(message)
    values = reader.present(
        "name", "desired_state", "current_state", "external_id", "url", "last_error", "labels", "model_version_id"
    )
    if "model_version_id" in values:
        values["model_version_id"] = reader.read(body_id, NO_ID, values["model_version_id"], "model_version_id")
    return reader.make(InferenceServicePatch, **values)


def service_filter(request: inference_service_pb2.ListInferenceServicesRequest, call: Call) -> InferenceServiceFilter:
    return InferenceServiceFilter(
        serving_environment_id=filter_id(request.serving_environment_id, "serving_environment_id", call),
        registered_model_id=filter_id(request.registered_model_id, "registered_model_id", call),
        model_version_id=filter_id(request.model_version_id, "model_version_id", call),
        desired_state=request.desired_state,
        current_state=request.current_state or request.state,
    )


def service_message(service: InferenceService) -> inference_service_pb2.InferenceService:
    return inference_service_pb2.InferenceService(
        id=str(service.id),
        created_at=timestamp(service.created_at),
        updated_at=timestamp(service.updated_at),
        name=service.name,
        external_id=service.external_id,
        serving_environment_id=str(service.serving_environment_id),
        serving_environment_name=service.serving_environment_name,
        registered_model_id=str(service.registered_model_id),
        registered_model_name=service.registered_model_name,
        model_version_id=str(service.model_version_id) if service.model_version_id else None,
        desired_state=service.desired_state,
        current_state=service.current_state,
        runtime=service.runtime,
        url=service.url,
        last_error=service.last_error,
        labels=service.labels,
        served_models=[serve_model_message(served) for served in service.served_models],
    )


def new_serve_model(message: serve_model_pb2.NewServeModel) -> NewServeModel:
    reader = Reader(message, "inference_service_id", "model_version_id")
    return reader.make(
        NewServeModel,
        inference_service_id=reader.id("inference_service_id"),
        model_version_id=reader.id("model_version_id"),
    )


def serve_model_filter(request: serve_model_pb2.ListServeModelsRequest, call: Call) -> ServeModelFilter:
    return ServeModelFilter(
        inference_service_id=filter_id(request.inference_service_id, "inference_service_id", call),
        model_version_id=filter_id(request.model_version_id, "model_version_id", call),
        state=request.state,
    )


def serve_model_message(served: ServeModel) -> serve_model_pb2.ServeModel:
    return serve_model_pb2.ServeModel(
        id=str(served.id),
        created_at=timestamp(served.created_at),
        updated_at=timestamp(served.updated_at),
        inference_service_id=str(served.inference_service_id),
        inference_service_name=served.inference_service_name,
        model_version_id=str(served.model_version_id),
        model_version_name=served.model_version_name,
        last_known_state=served.last_known_state,
    )


def filter_id(text: str, field: str, call: Call) -> UUID | None:
    """REST has always ignored ids it cannot read in filters (quirk Q36); gRPC refuses them."""
    value = parse_uuid(text)
    if text and value is None and not call.is_rest:
        raise InvalidRequest([Violation(field, "must be a UUID")])
    return value
