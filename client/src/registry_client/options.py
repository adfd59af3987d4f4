"""The options with which a version is served, as keyword arguments."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any, Literal, TypedDict, cast

from google.protobuf.duration_pb2 import Duration

from modelregistry.v1 import deployment_pb2 as pb
from registry_client.values import fields_of, prefix_of

Seconds = float | timedelta


class Resources(TypedDict, total=False):
    """Kubernetes quantities by the name of the resource, such as `{"cpu": "500m"}`."""

    requests: Mapping[str, str]
    limits: Mapping[str, str]


class Storage(TypedDict, total=False):
    """How to read the files, for s3:// only."""

    endpoint: str
    region: str
    anonymous: bool
    ca_bundle: str
    verify_ssl: bool


class Toleration(TypedDict, total=False):
    """A taint of nodes that the pods tolerate."""

    key: str
    operator: Literal["EQUAL", "EXISTS"]
    value: str
    effect: Literal["NO_SCHEDULE", "PREFER_NO_SCHEDULE", "NO_EXECUTE"]
    toleration_period: Seconds


class StorageUri(TypedDict):
    """Files beside those of the version, for example LoRA adapters."""

    uri: str
    mount_path: str


class Probes(TypedDict, total=False):
    """How patient the probes of the model server are."""

    startup: Seconds
    timeout: Seconds


class Options(TypedDict, total=False):
    """How a version is served. docs/kserve.md explains them."""

    runtime: str
    service_account: str
    deployment_mode: Literal["STANDARD", "KNATIVE"]
    min_replicas: int
    max_replicas: int
    scale_metric: Literal["CPU", "MEMORY", "CONCURRENCY", "RPS"]
    scale_target: int
    resources: Resources
    env: Mapping[str, str]
    timeout: Seconds
    deadline: Seconds
    storage: Storage
    protocol_version: Literal["V1", "V2", "GRPC_V1", "GRPC_V2"]
    args: Sequence[str]
    node_selector: Mapping[str, str]
    tolerations: Sequence[Toleration]
    priority_class_name: str
    shared_memory: str
    image_pull_secrets: Sequence[str]
    storage_uris: Sequence[StorageUri]
    probes: Probes


def options_message(options: Options) -> pb.DeploymentOptions:
    """Raises TypeError for an option that does not exist, ValueError for a wrong word."""
    message: pb.DeploymentOptions = _message(pb.DeploymentOptions, options)
    return message


def options_of(message: pb.DeploymentOptions | None) -> Options:
    """The other way round: what `deploy` takes again."""
    options: Any = {} if message is None else fields_of(message)
    return cast("Options", options)


def _message(kind: Any, values: Mapping[str, Any]) -> Any:
    fields = kind.DESCRIPTOR.fields_by_name
    if unknown := [name for name in values if name not in fields]:
        raise TypeError(f"{kind.DESCRIPTOR.name} has no field {unknown[0]!r}; there are: {', '.join(fields)}.")
    return kind(**{name: _value(fields[name], value) for name, value in values.items()})


def _value(field: Any, value: Any) -> Any:
    if field.enum_type is not None:
        return f"{prefix_of(field.enum_type)}{value}"
    if field.message_type is None or field.message_type.GetOptions().map_entry:
        return value
    if field.message_type.full_name == Duration.DESCRIPTOR.full_name:
        return value if isinstance(value, timedelta) else timedelta(seconds=value)
    kind = getattr(pb, field.message_type.name)
    if isinstance(value, Mapping):
        return _message(kind, value)
    return [_message(kind, each) for each in value]
