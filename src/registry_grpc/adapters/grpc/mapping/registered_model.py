"""Registered models between protos and domain."""

from __future__ import annotations

from registry_grpc.adapters.grpc.mapping.common import timestamp
from registry_grpc.adapters.grpc.mapping.model_version import version_message
from registry_grpc.adapters.grpc.values import Reader
from registry_grpc.domain.registered_model import (
    NewRegisteredModel,
    RegisteredModel,
    RegisteredModelFilter,
    RegisteredModelPatch,
    Tags,
)
from registry_grpc.gen.modelregistry.v1 import registered_model_pb2 as pb


def new_model(message: pb.NewRegisteredModel) -> NewRegisteredModel:
    reader = Reader(message)
    return reader.make(
        NewRegisteredModel,
        name=message.name,
        description=message.description,
        owner_email=message.owner_email,
        model_type=message.model_type,
        tags=_tags(message.tags),
        labels=dict(message.labels),
        parent_model_id=reader.optional_id("parent_model_id"),
    )


def model_patch(message: pb.RegisteredModelPatch) -> RegisteredModelPatch:
    reader = Reader(message)
    values = reader.present(
        "name", "description", "model_type", "model_size", "state", "deployment_status", "tags", "labels"
    )
    if "tags" in values:
        values["tags"] = _tags(values["tags"])
    return reader.make(RegisteredModelPatch, **values)


def model_filter(request: pb.ListRegisteredModelsRequest) -> RegisteredModelFilter:
    return RegisteredModelFilter(state=request.state, model_type=request.model_type, search=request.search)


def model_message(model: RegisteredModel) -> pb.RegisteredModel:
    return pb.RegisteredModel(
        id=str(model.id),
        created_at=timestamp(model.created_at),
        updated_at=timestamp(model.updated_at),
        project_id=str(model.project_id),
        owner_email=model.owner_email,
        name=model.name,
        slug=model.slug,
        description=model.description,
        model_type=model.model_type,
        model_size=model.model_size,
        state=model.state,
        deployment_status=model.deployment_status,
        tags=pb.Tags(
            frameworks=model.tags.frameworks,
            architectures=model.tags.architectures,
            tasks=model.tags.tasks,
            subjects=model.tags.subjects,
        ),
        labels=model.labels,
        parent_model_id=str(model.parent_model_id) if model.parent_model_id else None,
        version_count=model.version_count,
        latest_version=version_message(model.latest_version, with_emails=False) if model.latest_version else None,
        default_version=version_message(model.default_version, with_emails=False) if model.default_version else None,
    )


def _tags(message: pb.Tags) -> Tags:
    return Tags(
        frameworks=tuple(message.frameworks),
        architectures=tuple(message.architectures),
        tasks=tuple(message.tasks),
        subjects=tuple(message.subjects),
    )
