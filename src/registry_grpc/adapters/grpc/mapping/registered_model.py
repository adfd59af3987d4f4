"""Registered models between protos and domain."""

from __future__ import annotations

from registry_grpc.adapters.grpc.mapping.common import message_of
from registry_grpc.adapters.grpc.mapping.model_version import version_of_model
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
    return Reader(message).make(NewRegisteredModel, tags=_tags(message.tags))


def model_patch(message: pb.RegisteredModelPatch) -> RegisteredModelPatch:
    tags = {"tags": _tags(message.tags)} if message.HasField("tags") else {}
    return Reader(message).make(RegisteredModelPatch, **tags)


def model_filter(request: pb.ListRegisteredModelsRequest) -> RegisteredModelFilter:
    return RegisteredModelFilter(state=request.state, model_type=request.model_type, search=request.search)


def model_message(model: RegisteredModel) -> pb.RegisteredModel:
    return message_of(
        pb.RegisteredModel,
        model,
        tags=message_of(pb.Tags, model.tags),
        latest_version=model.latest_version and version_of_model(model.latest_version),
        default_version=model.default_version and version_of_model(model.default_version),
    )


def _tags(message: pb.Tags) -> Tags:
    return Tags(**{name: tuple(getattr(message, name)) for name in Tags._fields})
