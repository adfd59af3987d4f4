"""Domain objects in the JSON of the REST contract: keys, their order, nulls, numbers and times (contract 0.11, 0.12).

A table lists each object's keys in the contract's order. A key with `?` is omitted while its value is empty; a key with
`!` is always null; the value of a key with `=` is not the domain object's own.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from operator import attrgetter
from typing import Any, NewType
from uuid import UUID

import orjson

from registry_grpc.domain.inference_service import InferenceService
from registry_grpc.domain.model_version import ModelVersion
from registry_grpc.domain.registered_model import RegisteredModel, Tags
from registry_grpc.domain.serve_model import ServeModel
from registry_grpc.domain.serving_environment import ServingEnvironment
from registry_grpc.services.deployments import Deployed

# By these, mypy tells the two encoders of a ModelVersion apart.
VersionJson = NewType("VersionJson", dict[str, Any])
ArtifactJson = NewType("ArtifactJson", dict[str, Any])

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


class _Table:
    """The keys of an object."""

    def __init__(self, text: str) -> None:
        keys = text.split()
        self._optional = tuple(key.rstrip("?=") for key in keys if key.endswith("?"))
        self._attributes = tuple(key.rstrip("?") for key in keys if not key.rstrip("?").endswith(("!", "=")))
        self._values = attrgetter(*self._attributes)
        self._nulls = dict.fromkeys(key.rstrip("?!=") for key in keys)

    def encode(self, thing: object, **given: Any) -> dict[str, Any]:
        """The JSON object of the thing's attributes and of the values `given`, which are those of the keys with `=`."""
        encoded = {**self._nulls, **given}
        encoded.update(zip(self._attributes, self._values(thing), strict=True))
        for key in self._optional:
            if not encoded[key]:
                del encoded[key]
        return encoded


_MODEL = _Table("""
    id created_at updated_at project_id owner_id! owner_email? name slug description model_type model_size state
    deployment_status tags= labels= parent_model_id version_count latest_version=? default_version=?
""")
_VERSION = _Table("""
    id created_at updated_at registered_model_id name description is_default state status created_by_id! updated_by_id!
    created_by_email? updated_by_email? artifact_type model_framework model_framework_version container_image
    model_catalog_name uri labels= prebuilt_container_id
""")
_ARTIFACT = _Table("""
    id created_at updated_at registered_model_id name artifact_type model_framework model_framework_version
    container_image uri labels= prebuilt_container_id
""")
_ENVIRONMENT = _Table("id created_at= updated_at= name description external_id? drift_policy")
_SERVICE = _Table("""
    id created_at= updated_at= name external_id? serving_environment_id serving_environment_name? registered_model_id
    registered_model_name? model_version_id? desired_state current_state runtime url? last_error? labels=
    served_models=?
""")
_SERVE_MODEL = _Table("""
    id created_at= updated_at= inference_service_id inference_service_name? model_version_id model_version_name?
    last_known_state
""")


def model(model: RegisteredModel) -> dict[str, Any]:
    return _MODEL.encode(
        model,
        tags=dict(zip(Tags._fields, model.tags, strict=True)),
        labels=_sorted(model.labels),
        latest_version=model.latest_version and _version_of_model(model.latest_version),
        default_version=model.default_version and _version_of_model(model.default_version),
    )


def version(version: ModelVersion) -> VersionJson:
    return VersionJson(_VERSION.encode(version, labels=_sorted(version.labels)))


def _version_of_model(version: ModelVersion) -> dict[str, Any]:
    """A version inside a model, which has no emails (quirk Q51)."""
    encoded = _VERSION.encode(version, labels=_sorted(version.labels))
    encoded.pop("created_by_email", None)
    encoded.pop("updated_by_email", None)
    return encoded


def artifact(version: ModelVersion) -> ArtifactJson:
    return ArtifactJson(_ARTIFACT.encode(version, labels=_sorted(version.labels)))


def environment(environment: ServingEnvironment) -> dict[str, Any]:
    return _ENVIRONMENT.encode(environment, **_times(environment))


def service(service: InferenceService) -> dict[str, Any]:
    """`served_models` is omitted if it is empty, and in lists, which do not read it (quirk Q45)."""
    served = [serve_model(each) for each in service.served_models]
    labels = _sorted(service.labels)
    return _SERVICE.encode(service, labels=labels, served_models=served, **_times(service))


def serve_model(served: ServeModel) -> dict[str, Any]:
    return _SERVE_MODEL.encode(served, **_times(served))


def deployed(deployed: Deployed) -> dict[str, Any]:
    return {
        "inference_service": service(deployed.service),
        "status": deployed.status,
        "message": deployed.message,
    }


def _times(thing: ServingEnvironment | InferenceService | ServeModel) -> dict[str, str]:
    return {"created_at": _microseconds(thing.created_at), "updated_at": _microseconds(thing.updated_at)}


def _microseconds(time: datetime) -> str:
    """Removes trailing zeros, and the whole fraction when it is zero (contract 0.11)."""
    text = time.isoformat(timespec="microseconds")[:26]
    return text.rstrip("0").rstrip(".") + "Z"


def _sorted(labels: Mapping[str, str]) -> dict[str, str]:
    return dict(sorted(labels.items()))
