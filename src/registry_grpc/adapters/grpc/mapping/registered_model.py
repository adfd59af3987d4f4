"""Parts of registered models, from messages."""

from __future__ import annotations

from modelregistry.v1 import registered_model_pb2 as pb
from registry_grpc.domain.registered_model import Tags


def tags_of(message: pb.Tags) -> Tags:
    return Tags(**{name: tuple(getattr(message, name)) for name in Tags._fields})
