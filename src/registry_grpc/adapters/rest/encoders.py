"""Domain objects in the JSON of the REST contract: exact keys in their order, nulls, numbers and times (0.11, 0.12).

Times of registry objects are whole seconds, which `json_bytes` writes; those of serving objects have their own format.
A key that is NotRequired is omitted when its text is empty.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Never, NotRequired, TypedDict, TypeVar, cast
from uuid import UUID

import orjson

from registry_grpc.domain.inference_service import InferenceService
from registry_grpc.domain.model_version import ModelVersion
from registry_grpc.domain.registered_model import RegisteredModel
from registry_grpc.domain.serve_model import ServeModel
from registry_grpc.domain.serving_environment import ServingEnvironment
from registry_grpc.services.deployments import Deployed


class TagsJson(TypedDict):
    frameworks: tuple[str, ...]
    architectures: tuple[str, ...]
    tasks: tuple[str, ...]
    subjects: tuple[str, ...]


class ArtifactJson(TypedDict):
    status: NotRequired[Never]  # an artifact has none, and so a version is not an artifact to mypy
    id: str
    created_at: datetime
    updated_at: datetime
    registered_model_id: str
    name: str
    artifact_type: str
    model_framework: str
    model_framework_version: str
    container_image: str
    uri: str
    labels: dict[str, str]
    prebuilt_container_id: str | None


class VersionJson(TypedDict):
    id: str
    created_at: datetime
    updated_at: datetime
    registered_model_id: str
    name: str
    description: str
    is_default: bool
    state: str
    status: str
    created_by_id: None
    updated_by_id: None
    created_by_email: NotRequired[str]
    updated_by_email: NotRequired[str]
    artifact_type: str
    model_framework: str
    model_framework_version: str
    container_image: str
    model_catalog_name: str
    uri: str
    labels: dict[str, str]
    prebuilt_container_id: str | None


class ModelJson(TypedDict):
    id: str
    created_at: datetime
    updated_at: datetime
    project_id: str
    owner_id: None
    owner_email: NotRequired[str]
    name: str
    slug: str
    description: str
    model_type: str
    model_size: int
    state: str
    deployment_status: str
    tags: TagsJson
    labels: dict[str, str]
    parent_model_id: str | None
    version_count: int
    latest_version: NotRequired[VersionJson]
    default_version: NotRequired[VersionJson]


class EnvironmentJson(TypedDict):
    id: str
    created_at: str
    updated_at: str
    name: str
    description: str
    external_id: NotRequired[str]
    drift_policy: str


class ServeModelJson(TypedDict):
    id: str
    created_at: str
    updated_at: str
    inference_service_id: str
    inference_service_name: NotRequired[str]
    model_version_id: str
    model_version_name: NotRequired[str]
    last_known_state: str


class ServiceJson(TypedDict):
    id: str
    created_at: str
    updated_at: str
    name: str
    external_id: NotRequired[str]
    serving_environment_id: str
    serving_environment_name: NotRequired[str]
    registered_model_id: str
    registered_model_name: NotRequired[str]
    model_version_id: NotRequired[str]
    desired_state: str
    current_state: str
    runtime: str
    url: NotRequired[str]
    last_error: NotRequired[str]
    labels: dict[str, str]
    served_models: NotRequired[list[ServeModelJson]]


class DeployedJson(TypedDict):
    inference_service: ServiceJson
    status: str
    message: str


_OMITTED_OF_SERVICE = (
    "external_id", "serving_environment_name", "registered_model_name", "model_version_id", "url", "last_error",
    "served_models",
)  # fmt: skip

J = TypeVar("J", bound=Mapping[str, object])


def json_bytes(encoded: Mapping[str, object]) -> bytes:
    """Times in UTC are truncated to whole seconds."""
    return orjson.dumps(encoded, option=orjson.OPT_UTC_Z | orjson.OPT_OMIT_MICROSECONDS)


def model(model: RegisteredModel) -> ModelJson:
    tags = model.tags
    encoded: ModelJson = {
        "id": str(model.id),
        "created_at": model.created_at,
        "updated_at": model.updated_at,
        "project_id": str(model.project_id),
        "owner_id": None,
        "owner_email": model.owner_email,
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
    _omit_empty(encoded, "owner_email")
    if model.latest_version is not None:
        encoded["latest_version"] = _version_of_model(model.latest_version)
    if model.default_version is not None:
        encoded["default_version"] = _version_of_model(model.default_version)
    return encoded


def version(version: ModelVersion) -> VersionJson:
    encoded: VersionJson = {
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
        "created_by_email": version.created_by_email,
        "updated_by_email": version.updated_by_email,
        "artifact_type": version.artifact_type,
        "model_framework": version.model_framework,
        "model_framework_version": version.model_framework_version,
        "container_image": version.container_image,
        "model_catalog_name": version.model_catalog_name,
        "uri": version.uri,
        "labels": _sorted(version.labels),
        "prebuilt_container_id": _id_or_null(version.prebuilt_container_id),
    }
    return _omit_empty(encoded, "created_by_email", "updated_by_email")


def _version_of_model(whole: ModelVersion) -> VersionJson:
    """Without emails (quirk Q51)."""
    return version(whole._replace(created_by_email="", updated_by_email=""))


def artifact(version: ModelVersion) -> ArtifactJson:
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


def environment(environment: ServingEnvironment) -> EnvironmentJson:
    encoded: EnvironmentJson = {
        "id": str(environment.id),
        "created_at": _microseconds(environment.created_at),
        "updated_at": _microseconds(environment.updated_at),
        "name": environment.name,
        "description": environment.description,
        "external_id": environment.external_id,
        "drift_policy": environment.drift_policy,
    }
    return _omit_empty(encoded, "external_id")


def service(service: InferenceService) -> ServiceJson:
    """`served_models` is there whenever it was read and is not empty (quirk Q45)."""
    encoded: ServiceJson = {
        "id": str(service.id),
        "created_at": _microseconds(service.created_at),
        "updated_at": _microseconds(service.updated_at),
        "name": service.name,
        "external_id": service.external_id,
        "serving_environment_id": str(service.serving_environment_id),
        "serving_environment_name": service.serving_environment_name,
        "registered_model_id": str(service.registered_model_id),
        "registered_model_name": service.registered_model_name,
        "model_version_id": str(service.model_version_id or ""),
        "desired_state": service.desired_state,
        "current_state": service.current_state,
        "runtime": service.runtime,
        "url": service.url,
        "last_error": service.last_error,
        "labels": _sorted(service.labels),
        "served_models": [serve_model(served) for served in service.served_models],
    }
    return _omit_empty(encoded, *_OMITTED_OF_SERVICE)


def serve_model(served: ServeModel) -> ServeModelJson:
    encoded: ServeModelJson = {
        "id": str(served.id),
        "created_at": _microseconds(served.created_at),
        "updated_at": _microseconds(served.updated_at),
        "inference_service_id": str(served.inference_service_id),
        "inference_service_name": served.inference_service_name,
        "model_version_id": str(served.model_version_id),
        "model_version_name": served.model_version_name,
        "last_known_state": served.last_known_state,
    }
    return _omit_empty(encoded, "inference_service_name", "model_version_name")


def deployed(deployed: Deployed) -> DeployedJson:
    return {
        "inference_service": service(deployed.service),
        "status": deployed.status,
        "message": deployed.message,
    }


def _microseconds(time: datetime) -> str:
    """Times of serving objects: trailing zeros removed, no fraction at all when it is zero."""
    text = time.isoformat(timespec="microseconds")[:26]
    return text.rstrip("0").rstrip(".") + "Z"


def _omit_empty(encoded: J, *keys: str) -> J:
    """Delete NotRequired keys without a value; until then they keep their place in the order."""
    values = cast("dict[str, object]", encoded)
    for key in keys:
        if not values[key]:
            del values[key]
    return encoded


def _id_or_null(id_: UUID | None) -> str | None:
    return str(id_) if id_ else None


def _sorted(labels: Mapping[str, str]) -> dict[str, str]:
    return dict(sorted(labels.items()))
