"""Maps the requests that find a model version or a model artifact."""

from __future__ import annotations

from registry_grpc.adapters.grpc.request_fields import path_id
from registry_grpc.domain.errors import NotFound, Reason
from registry_grpc.domain.ids import parse_own_id
from registry_grpc.domain.model_version import ModelVersionKey
from registry_grpc.gen.modelregistry.v1 import model_artifact_pb2, model_version_pb2


def version_key(
    request: model_version_pb2.FindModelVersionRequest | model_artifact_pb2.FindModelArtifactRequest,
) -> ModelVersionKey:
    """Raises NotFound if the external id cannot be the id of a version (contract, route 11)."""
    external_id = parse_own_id(request.external_id)
    model_id = None
    if request.parent_resource_id:
        model_id = path_id(request.parent_resource_id, "parent_resource_id", "invalid parentResourceId")
    elif request.registered_model_id:
        model_id = path_id(request.registered_model_id, "registered_model_id", "invalid registered_model_id")
    if request.external_id and external_id is None:
        raise NotFound.of(Reason.MODEL_VERSION_NOT_FOUND)
    return ModelVersionKey(name=request.name, id=external_id, registered_model_id=model_id)
