"""Domain objects in the JSON of the REST contract: keys, their order, nulls, numbers and times (contract 0.11, 0.12).

The keys of each object and the types of their values are those of a TypedDict, in the contract's order. Those that are
NotRequired are omitted while their value is empty. gateway/web/openapi.json is generated from the same types.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from operator import attrgetter
from types import NoneType
from typing import Any, Generic, NewType, NotRequired, TypedDict, TypeVar, get_origin, get_type_hints
from uuid import UUID

import orjson

from registry_grpc.domain.inference_service import InferenceService
from registry_grpc.domain.model_version import ModelVersion
from registry_grpc.domain.registered_model import RegisteredModel, Tags
from registry_grpc.domain.serve_model import ServeModel
from registry_grpc.domain.serving_environment import ServingEnvironment
from registry_grpc.services.deployments import Deployed

Time = NewType("Time", str)
"""A time as it is written in JSON."""


class TagsJson(TypedDict):
    frameworks: Sequence[str]
    architectures: Sequence[str]
    tasks: Sequence[str]
    subjects: Sequence[str]


class ModelVersionJson(TypedDict):
    id: UUID
    created_at: datetime
    updated_at: datetime
    registered_model_id: UUID
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
    labels: Mapping[str, str]
    prebuilt_container_id: UUID | None


class RegisteredModelJson(TypedDict):
    id: UUID
    created_at: datetime
    updated_at: datetime
    project_id: UUID
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
    labels: Mapping[str, str]
    parent_model_id: UUID | None
    version_count: int
    latest_version: NotRequired[ModelVersionJson]
    default_version: NotRequired[ModelVersionJson]


class ModelArtifactJson(TypedDict):
    id: UUID
    created_at: datetime
    updated_at: datetime
    registered_model_id: UUID
    name: str
    artifact_type: str
    model_framework: str
    model_framework_version: str
    container_image: str
    uri: str
    labels: Mapping[str, str]
    prebuilt_container_id: UUID | None


class ServingEnvironmentJson(TypedDict):
    id: UUID
    created_at: Time
    updated_at: Time
    name: str
    description: str
    external_id: NotRequired[str]
    drift_policy: str


class ServeModelJson(TypedDict):
    id: UUID
    created_at: Time
    updated_at: Time
    inference_service_id: UUID
    inference_service_name: NotRequired[str]
    model_version_id: UUID
    model_version_name: NotRequired[str]
    last_known_state: str


class InferenceServiceJson(TypedDict):
    id: UUID
    created_at: Time
    updated_at: Time
    name: str
    external_id: NotRequired[str]
    serving_environment_id: UUID
    serving_environment_name: NotRequired[str]
    registered_model_id: UUID
    registered_model_name: NotRequired[str]
    model_version_id: NotRequired[UUID]
    desired_state: str
    current_state: str
    runtime: str
    url: NotRequired[str]
    last_error: NotRequired[str]
    labels: Mapping[str, str]
    served_models: NotRequired[Sequence[ServeModelJson]]


class DeployModelResponseJson(TypedDict):
    inference_service: InferenceServiceJson
    status: str
    message: str


J = TypeVar("J")

# Characters that Go escapes (contract 0.12). In JSON they only occur in strings.
_ESCAPES = [(character.encode(), f"\\u{ord(character):04x}".encode()) for character in "<>&\u2028\u2029"]
_ASCII_ESCAPES = [(character, escape) for character, escape in _ESCAPES if character.isascii()]


def json_bytes(encoded: Mapping[str, Any]) -> bytes:
    """Writes times with whole seconds, truncated. The times of serving objects are strings already."""
    json = orjson.dumps(encoded, default=_text_of_id, option=orjson.OPT_UTC_Z | orjson.OPT_OMIT_MICROSECONDS)
    # Searching for the longer ones takes as long as writing the JSON does.
    for character, escape in _ASCII_ESCAPES if json.isascii() else _ESCAPES:
        json = json.replace(character, escape)
    return json


def _text_of_id(value: Any) -> str:
    """asyncpg has its own class of UUIDs, which orjson does not know."""
    if isinstance(value, UUID):
        return str(value)
    raise TypeError(f"{type(value).__name__} has no JSON")


class _Table(Generic[J]):
    """Encodes the objects whose JSON has one shape."""

    def __init__(self, shape: type[J], *given: str) -> None:
        """`given`: the keys whose values are not the object's own attributes."""
        kinds = get_type_hints(shape, include_extras=True)
        self._optional = tuple(key for key, kind in kinds.items() if get_origin(kind) is NotRequired)
        self._attributes = tuple(key for key, kind in kinds.items() if kind is not NoneType and key not in given)
        self._values = attrgetter(*self._attributes)
        self._nulls = dict.fromkeys(kinds)

    def encode(self, thing: object, **given: Any) -> J:
        """The JSON object of the thing's attributes and of the values `given`."""
        encoded: Any = {**self._nulls, **given}
        encoded.update(zip(self._attributes, self._values(thing), strict=True))
        for key in self._optional:
            if not encoded[key]:
                del encoded[key]
        json: J = encoded
        return json


_TIMES = ("created_at", "updated_at")
_MODEL = _Table(RegisteredModelJson, "tags", "labels", "latest_version", "default_version")
_VERSION = _Table(ModelVersionJson, "labels")
_ARTIFACT = _Table(ModelArtifactJson, "labels")
_ENVIRONMENT = _Table(ServingEnvironmentJson, *_TIMES)
_SERVICE = _Table(InferenceServiceJson, *_TIMES, "labels", "served_models")
_SERVE_MODEL = _Table(ServeModelJson, *_TIMES)


def model(model: RegisteredModel) -> RegisteredModelJson:
    return _MODEL.encode(
        model,
        tags=dict(zip(Tags._fields, model.tags, strict=True)),
        labels=_sorted(model.labels),
        latest_version=model.latest_version and _version_of_model(model.latest_version),
        default_version=model.default_version and _version_of_model(model.default_version),
    )


def version(version: ModelVersion) -> ModelVersionJson:
    return _VERSION.encode(version, labels=_sorted(version.labels))


def _version_of_model(version: ModelVersion) -> ModelVersionJson:
    """A version inside a model, which has no emails (quirk Q51)."""
    encoded = _VERSION.encode(version, labels=_sorted(version.labels))
    encoded.pop("created_by_email", None)
    encoded.pop("updated_by_email", None)
    return encoded


def artifact(version: ModelVersion) -> ModelArtifactJson:
    return _ARTIFACT.encode(version, labels=_sorted(version.labels))


def environment(environment: ServingEnvironment) -> ServingEnvironmentJson:
    return _ENVIRONMENT.encode(environment, **_times(environment))


def service(service: InferenceService) -> InferenceServiceJson:
    """`served_models` is omitted if it is empty, and in lists, which do not read it (quirk Q45)."""
    served = [serve_model(each) for each in service.served_models]
    labels = _sorted(service.labels)
    return _SERVICE.encode(service, labels=labels, served_models=served, **_times(service))


def serve_model(served: ServeModel) -> ServeModelJson:
    return _SERVE_MODEL.encode(served, **_times(served))


def deployed(deployed: Deployed) -> DeployModelResponseJson:
    return {
        "inference_service": service(deployed.service),
        "status": deployed.status,
        "message": deployed.message,
    }


def _times(thing: ServingEnvironment | InferenceService | ServeModel) -> dict[str, Time]:
    return {"created_at": _microseconds(thing.created_at), "updated_at": _microseconds(thing.updated_at)}


def _microseconds(time: datetime) -> Time:
    """Removes trailing zeros, and the whole fraction when it is zero (contract 0.11)."""
    text = time.isoformat(timespec="microseconds")[:26]
    return Time(text.rstrip("0").rstrip(".") + "Z")


def _sorted(labels: Mapping[str, str]) -> dict[str, str]:
    return dict(sorted(labels.items()))
