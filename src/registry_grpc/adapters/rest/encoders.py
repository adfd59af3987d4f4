"""Domain objects in the JSON of the REST contract: exact keys in their order, nulls, numbers and times (0.11, 0.12).

Times of registry objects are whole seconds, which `json_bytes` writes; those of serving objects have their own format.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

import orjson

from registry_grpc.domain.inference_service import InferenceService
from registry_grpc.domain.model_version import ModelVersion
from registry_grpc.domain.registered_model import RegisteredModel
from registry_grpc.domain.serve_model import ServeModel
from registry_grpc.domain.serving_environment import ServingEnvironment

Json = dict[str, Any]


def json_bytes(encoded: Json) -> bytes:
    """Times in UTC are truncated to whole seconds."""
    return orjson.dumps(encoded, option=orjson.OPT_UTC_Z | orjson.OPT_OMIT_MICROSECONDS)


def microseconds(time: datetime) -> str:
    """Times of serving objects: trailing zeros removed, no fraction at all when it is zero."""
    text = time.isoformat(timespec="microseconds")[:26]
    return text.rstrip("0").rstrip(".") + "Z"


def model(model: RegisteredModel) -> Json:
    tags = model.tags
    encoded = {
        "id": str(model.id),
        "created_at": model.created_at,
        "updated_at": model.updated_at,
        "project_id": str(model.project_id),
        "owner_id": None,
        **_unless_empty("owner_email", model.owner_email),
        "name": model.name,
        "slug": model.slug,
        "description": model.description,
        "model_type": model.model_type,
        "model_size": model.model_size,
        "state": model.state,
        "deployment_status": model.deployment_status,
        "tags": {
            "frameworks": tags.frameworks,
            "architectures": tags.architectures,
            "tasks": tags.tasks,
            "subjects": tags.subjects,
        },
        "labels": _sorted(model.labels),
        "parent_model_id": _id_or_null(model.parent_model_id),
        "version_count": model.version_count,
    }
    if model.latest_version is not None:
        encoded["latest_version"] = version(model.latest_version, with_emails=False)
    if model.default_version is not None:
        encoded["default_version"] = version(model.default_version, with_emails=False)
    return encoded


def version(version: ModelVersion, *, with_emails: bool = True) -> Json:
    """Inside of a model without mails (quirk Q51)."""
    emails: Json = {}
    if with_emails:
        emails = _unless_empty("created_by_email", version.created_by_email) | _unless_empty(
            "updated_by_email", version.updated_by_email
        )
    return {
        "id": str(version.id),
        "created_at": version.created_at,
        "updated_at": version.updated_at,
        "registered_model_id": str(version.registered_model_id),
        "name": version.name,
        "description": version.description,
        "is_default": version.is_default,
        "state": version.state,
        "status": version.status,
        "created_by_id": None,
        "updated_by_id": None,
        **emails,
        "artifact_type": version.artifact_type,
        "model_framework": version.model_framework,
        "model_framework_version": version.model_framework_version,
        "container_image": version.container_image,
        "model_catalog_name": version.model_catalog_name,
        "uri": version.uri,
        "labels": _sorted(version.labels),
        "prebuilt_container_id": _id_or_null(version.prebuilt_container_id),
    }


def artifact(version: ModelVersion) -> Json:
    return {
        "id": str(version.id),
        "created_at": version.created_at,
        "updated_at": version.updated_at,
        "registered_model_id": str(version.registered_model_id),
        "name": version.name,
        "artifact_type": version.artifact_type,
        "model_framework": version.model_framework,
        "model_framework_version": version.model_framework_version,
        "container_image": version.container_image,
        "uri": version.uri,
        "labels": _sorted(version.labels),
        "prebuilt_container_id": _id_or_null(version.prebuilt_container_id),
    }


def environment(environment: ServingEnvironment) -> Json:
    return {
        "id": str(environment.id),
        "created_at": microseconds(environment.created_at),
        "updated_at": microseconds(environment.updated_at),
        "name": environment.name,
        "description": environment.description,
        **_unless_empty("external_id", environment.external_id),
        "drift_policy": environment.drift_policy,
    }


def service(service: InferenceService) -> Json:
    """`served_models` is there whenever it was read and is not empty (quirk Q45)."""
    encoded = {
        "id": str(service.id),
        "created_at": microseconds(service.created_at),
        "updated_at": microseconds(service.updated_at),
        "name": service.name,
        **_unless_empty("external_id", service.external_id),
        "serving_environment_id": str(service.serving_environment_id),
        **_unless_empty("serving_environment_name", service.serving_environment_name),
        "registered_model_id": str(service.registered_model_id),
        **_unless_empty("registered_model_name", service.registered_model_name),
        **({"model_version_id": str(service.model_version_id)} if service.model_version_id else {}),
        "desired_state": service.desired_state,
        "current_state": service.current_state,
        "runtime": service.runtime,
        **_unless_empty("url", service.url),
        **_unless_empty("last_error", service.last_error),
        "labels": _sorted(service.labels),
    }
    if service.served_models:
        encoded["served_models"] = [serve_model(served) for served in service.served_models]
    return encoded


def serve_model(served: ServeModel) -> Json:
    return {
        "id": str(served.id),
        "created_at": microseconds(served.created_at),
        "updated_at": microseconds(served.updated_at),
        "inference_service_id": str(served.inference_service_id),
        **_unless_empty("inference_service_name", served.inference_service_name),
        "model_version_id": str(served.model_version_id),
        **_unless_empty("model_version_name", served.model_version_name),
        "last_known_state": served.last_known_state,
    }


def _unless_empty(key: str, value: str) -> Json:
    return {key: value} if value else {}


def _id_or_null(id_: UUID | None) -> str | None:
    return str(id_) if id_ else None


def _sorted(labels: Mapping[str, str]) -> Json:
    return dict(sorted(labels.items()))
