"""The objects of the contract with all keys in order (contract 1.2, 1.3, 1.4, 2.2)."""

from __future__ import annotations

from typing import Any, Final

from tests.e2e.api import JSON
from tests.e2e.checks import ANY_UUID, MICROS, SECONDS

OMITTED: Final = object()
NO_TAGS: Final[JSON] = {"frameworks": [], "architectures": [], "tasks": [], "subjects": []}
ARTIFACT_KEYS: Final = [
    "id",
    "created_at",
    "updated_at",
    "registered_model_id",
    "name",
    "artifact_type",
    "model_framework",
    "model_framework_version",
    "container_image",
    "uri",
    "labels",
    "prebuilt_container_id",
]
ENVIRONMENT_KEYS: Final = ["id", "created_at", "updated_at", "name", "description", "external_id"]
SERVICE_KEYS: Final = [
    "id",
    "created_at",
    "updated_at",
    "name",
    "external_id",
    "serving_environment_id",
    "serving_environment_name",
    "registered_model_id",
    "registered_model_name",
    "desired_state",
    "current_state",
    "runtime",
    "url",
    "last_error",
    "labels",
    "served_models",
]
SERVE_MODEL_KEYS: Final = [
    "id",
    "created_at",
    "updated_at",
    "inference_service_id",
    "inference_service_name",
    "model_version_id",
    "model_version_name",
    "last_known_state",
]


def a_model_like(defaults: JSON, **fields: Any) -> JSON:
    """An expected object: the defaults, in their order, replaced by `fields`, without those that are OMITTED."""
    unknown = fields.keys() - defaults.keys()
    assert not unknown, unknown
    return {key: value for key, value in (defaults | fields).items() if value is not OMITTED}


def model(project_id: str, name: str, **fields: Any) -> JSON:
    """A RegisteredModel right after its creation, except for `fields`."""
    defaults: JSON = {
        "id": ANY_UUID,
        "created_at": SECONDS,
        "updated_at": SECONDS,
        "project_id": project_id,
        "owner_id": None,
        "owner_email": OMITTED,
        "name": name,
        "slug": name,
        "description": "",
        "model_type": "CUSTOMTRAIN",
        "model_size": 0,
        "state": "LIVE",
        "deployment_status": "UNDEPLOYED",
        "tags": NO_TAGS,
        "labels": {},
        "parent_model_id": None,
        "version_count": 0,
        "latest_version": OMITTED,
        "default_version": OMITTED,
    }
    return a_model_like(defaults, **fields)


def version(model_id: str, name: str, **fields: Any) -> JSON:
    """A ModelVersion as `builders.a_version` creates it, except for `fields`."""
    defaults: JSON = {
        "id": ANY_UUID,
        "created_at": SECONDS,
        "updated_at": SECONDS,
        "registered_model_id": model_id,
        "name": name,
        "description": "",
        "is_default": False,
        "state": "LIVE",
        "status": "PENDING",
        "created_by_id": None,
        "updated_by_id": None,
        "created_by_email": OMITTED,
        "updated_by_email": OMITTED,
        "artifact_type": "model-artifact",
        "model_framework": "pytorch",
        "model_framework_version": "2.0",
        "container_image": "",
        "model_catalog_name": "",
        "uri": "s3://b/k",
        "labels": {},
        "prebuilt_container_id": None,
    }
    return a_model_like(defaults, **fields)


def artifact(model_id: str, name: str, **fields: Any) -> JSON:
    """A ModelArtifact: a version with only twelve keys."""
    of_version = version(model_id, name)
    return a_model_like({key: of_version[key] for key in ARTIFACT_KEYS}, **fields)


def environment(name: str, **fields: Any) -> JSON:
    """The keys of a ServingEnvironment that the contract has."""
    defaults: JSON = {
        "id": ANY_UUID,
        "created_at": MICROS,
        "updated_at": MICROS,
        "name": name,
        "description": "",
        "external_id": OMITTED,
    }
    return a_model_like(defaults, **fields)


def service(name: str, environment: JSON, model: JSON, **fields: Any) -> JSON:
    """The keys of the contract, of an InferenceService without serve models right after its creation."""
    defaults: JSON = {
        "id": ANY_UUID,
        "created_at": MICROS,
        "updated_at": MICROS,
        "name": name,
        "external_id": OMITTED,
        "serving_environment_id": environment["id"],
        "serving_environment_name": environment["name"],
        "registered_model_id": model["id"],
        "registered_model_name": model["name"],
        "desired_state": "DEPLOYED",
        "current_state": "UNDEPLOYED",
        "runtime": "kserve",
        "url": OMITTED,
        "last_error": OMITTED,
        "labels": {},
        "served_models": OMITTED,
    }
    return a_model_like(defaults, **fields)


def serve_model(service: JSON, version: JSON, **fields: Any) -> JSON:
    """The keys of the contract, of a ServeModel right after its creation."""
    defaults: JSON = {
        "id": ANY_UUID,
        "created_at": MICROS,
        "updated_at": MICROS,
        "inference_service_id": service["id"],
        "inference_service_name": service["name"],
        "model_version_id": version["id"],
        "model_version_name": version["name"],
        "last_known_state": "PENDING",
    }
    return a_model_like(defaults, **fields)


def by_contract(answer: JSON, keys: list[str]) -> JSON:
    """The answer with only the keys of the contract, because serving objects may have more (decision 2)."""
    return {key: value for key, value in answer.items() if key in keys}
