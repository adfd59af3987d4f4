"""Artifacts as messages."""

from __future__ import annotations

from modelregistry.v1 import artifact_pb2 as pb
from registry_grpc.adapters.grpc.mapping.common import message_of
from registry_grpc.adapters.grpc.mapping.properties import property_message
from registry_grpc.domain.artifact import Artifact


def artifact_message(artifact: Artifact) -> pb.Artifact:
    value = property_message(artifact.value) if artifact.value is not None else None
    return message_of(pb.Artifact, artifact, value=value)
