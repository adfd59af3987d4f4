"""The options with which a version is served, and their rules that need no cluster."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import astuple, dataclass, field
from enum import StrEnum
from typing import Any

from registry_grpc.domain.errors import InvalidRequest, Violation
from registry_grpc.domain.quantity import fault_of_quantity

DEFAULT_DEADLINE_SECONDS = 900
OPTION_LIMITS = {
    "runtime": 253, "service_account": 253, "storage_endpoint": 500, "storage_region": 100, "storage_ca_bundle": 253,
    "priority_class_name": 253, "shared_memory": 64,
}  # fmt: skip
"""The most characters of each option."""
LONGEST_KEY = 253
MAP_LIMITS = {"requests": (256, 64), "limits": (256, 64), "env": (256, 4096), "node_selector": (32, 63)}
"""The most entries of each map, and the most bytes of a value in UTF-8. Keys have `LONGEST_KEY` characters."""
LIST_LIMITS = {"args": (64, 2048), "image_pull_secrets": (16, 253), "tolerations": (32, 253), "storage_uris": (32, 500)}
"""The most items of each list, and the most bytes of a text in it in UTF-8."""
MODEL_FOLDER = "/mnt/models"
"""Where KServe puts the files of the version."""
_AT_LEAST_ONE = (
    "scale_target", "timeout_seconds", "deadline_seconds", "probe_startup_seconds", "probe_timeout_seconds",
)  # fmt: skip
_LARGEST = 2**31 - 1
"""Kubernetes and KServe have 32 bits for most of these numbers."""
_ABOVE = "/mnt/"
_LONGEST_PATH = 255
_PLACES = {
    "requests": "resources.requests",
    "limits": "resources.limits",
    "storage_endpoint": "storage.endpoint",
    "storage_region": "storage.region",
    "storage_anonymous": "storage.anonymous",
    "storage_verify_ssl": "storage.verify_ssl",
    "storage_ca_bundle": "storage.ca_bundle",
    "timeout_seconds": "timeout",
    "deadline_seconds": "deadline",
    "probe_startup_seconds": "probes.startup",
    "probe_timeout_seconds": "probes.timeout",
}
"""The paths in a request of the fields that have other names there."""


class DeploymentMode(StrEnum):
    """The mode in which KServe runs a predictor. KServe does not allow to change it."""

    STANDARD = "Standard"
    KNATIVE = "Knative"

    @classmethod
    def _missing_(cls, value: object) -> DeploymentMode | None:
        """The names that KServe used until 0.15 and still accepts."""
        return {"RawDeployment": cls.STANDARD, "Serverless": cls.KNATIVE}.get(str(value))


class ScaleMetric(StrEnum):
    """The metric by which KServe scales."""

    CPU = "cpu"
    MEMORY = "memory"
    CONCURRENCY = "concurrency"
    RPS = "rps"


class ServingProtocol(StrEnum):
    """The inference protocol of a model server, as KServe names it."""

    V1 = "v1"
    V2 = "v2"
    GRPC_V1 = "grpc-v1"
    GRPC_V2 = "grpc-v2"


class TolerationOperator(StrEnum):
    """How a toleration is compared with a taint, as Kubernetes says it."""

    EQUAL = "Equal"
    EXISTS = "Exists"


class TaintEffect(StrEnum):
    """What a taint does to pods that do not tolerate it, as Kubernetes says it."""

    NO_SCHEDULE = "NoSchedule"
    PREFER_NO_SCHEDULE = "PreferNoSchedule"
    NO_EXECUTE = "NoExecute"


@dataclass(frozen=True, slots=True, kw_only=True)
class Toleration:
    """A taint of nodes that the pods tolerate. An empty text or None is unset."""

    key: str = ""
    operator: TolerationOperator | None = None
    value: str = ""
    effect: TaintEffect | None = None
    toleration_seconds: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class StorageUri:
    """A location from which files are fetched into a folder of the pods."""

    uri: str
    mount_path: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DeploymentOptions:
    """How a version is served. The set is closed, because a raw pod spec could mount any Secret of the namespace.

    `requests` and `limits` have Kubernetes quantities by resource name; times are in seconds. `max_replicas` 0 means
    unset, as in KServe.
    """

    runtime: str = ""
    protocol_version: ServingProtocol | None = None
    service_account: str = ""
    deployment_mode: DeploymentMode = DeploymentMode.STANDARD
    min_replicas: int | None = None
    max_replicas: int | None = None
    scale_metric: ScaleMetric | None = None
    scale_target: int | None = None
    requests: Mapping[str, str] = field(default_factory=dict)
    limits: Mapping[str, str] = field(default_factory=dict)
    env: Mapping[str, str] = field(default_factory=dict)
    timeout_seconds: int | None = None
    deadline_seconds: int = DEFAULT_DEADLINE_SECONDS
    args: tuple[str, ...] = ()
    node_selector: Mapping[str, str] = field(default_factory=dict)
    tolerations: tuple[Toleration, ...] = ()
    priority_class_name: str = ""
    shared_memory: str = ""
    image_pull_secrets: tuple[str, ...] = ()
    storage_uris: tuple[StorageUri, ...] = ()
    probe_startup_seconds: int | None = None
    probe_timeout_seconds: int | None = None
    storage_endpoint: str = ""
    storage_region: str = ""
    storage_anonymous: bool | None = None
    storage_ca_bundle: str = ""
    storage_verify_ssl: bool | None = None

    def violations(self) -> tuple[Violation, ...]:
        """All values that are invalid or contradict each other.

        They are not checked when options are made, because stored options may break newer rules and must stay readable.
        """
        sizes = (*_too_long(self), *_too_many(self))
        # The entries of maps that are too large are not checked one by one.
        return sizes or (
            *_replica_violations(self),
            *_out_of_range(self),
            *_quantity_violations(self),
            *_toleration_violations(self.tolerations),
            *_storage_violations(self.storage_uris),
        )

    def check(self) -> None:
        """Raises InvalidRequest with all violations."""
        if violations := self.violations():
            raise InvalidRequest(violations)


NO_OPTIONS = DeploymentOptions()


def _too_long(options: DeploymentOptions) -> Iterator[Violation]:
    for name, limit in OPTION_LIMITS.items():
        if len(getattr(options, name)) > limit:
            yield Violation(path_of_option(name), f"must be at most {limit} characters", limit)


def _too_many(options: DeploymentOptions) -> Iterator[Violation]:
    for name, (most, longest) in MAP_LIMITS.items():
        entries: Mapping[str, str] = getattr(options, name)
        if len(entries) > most:
            yield Violation(path_of_option(name), f"must be at most {most} entries", most)
        if any(len(key) > LONGEST_KEY for key in entries):
            yield Violation(path_of_option(name), f"must have keys of at most {LONGEST_KEY} characters", LONGEST_KEY)
        if any(len(value.encode()) > longest for value in entries.values()):
            yield Violation(path_of_option(name), f"must have values of at most {longest} bytes in UTF-8", longest)
    for name, (most, longest) in LIST_LIMITS.items():
        items: tuple[Any, ...] = getattr(options, name)
        if len(items) > most:
            yield Violation(path_of_option(name), f"must be at most {most} items", most)
        texts = (text for item in items for text in ([item] if isinstance(item, str) else astuple(item)))
        if any(isinstance(text, str) and len(text.encode()) > longest for text in texts):
            yield Violation(path_of_option(name), f"must have texts of at most {longest} bytes in UTF-8", longest)


def path_of_option(name: str) -> str:
    """The path of the field in a request."""
    return "options." + _PLACES.get(name, name)


def _replica_violations(options: DeploymentOptions) -> Iterator[Violation]:
    low, high = options.min_replicas, options.max_replicas
    for name, value in (("min_replicas", low), ("max_replicas", high)):
        if value is not None and value < 0:
            yield Violation(f"options.{name}", "must not be negative")
    if low is not None and high is not None and 0 < high < low:
        yield Violation("options.max_replicas", "must not be less than options.min_replicas")
    if low == 0 and options.deployment_mode is DeploymentMode.STANDARD:
        yield Violation("options.min_replicas", "must be at least 1, except in Knative mode")


def _out_of_range(options: DeploymentOptions) -> Iterator[Violation]:
    for name in _AT_LEAST_ONE:
        value, unit = getattr(options, name), " s" if name.endswith("_seconds") else ""
        if value is not None and not 1 <= value <= _LARGEST:
            rule = f"at least 1{unit}" if value < 1 else f"at most {_LARGEST}{unit}"
            yield Violation(path_of_option(name), f"must be {rule}")


def _quantity_violations(options: DeploymentOptions) -> Iterator[Violation]:
    for kind, quantities in (("requests", options.requests), ("limits", options.limits)):
        for resource in sorted(quantities):
            if fault := fault_of_quantity(quantities[resource]):
                yield Violation(f"options.resources.{kind}.{resource}", fault)
    if options.shared_memory and (fault := fault_of_quantity(options.shared_memory)):
        yield Violation("options.shared_memory", fault)


def _toleration_violations(tolerations: Sequence[Toleration]) -> Iterator[Violation]:
    """The rules of Kubernetes, which KServe does not check."""
    for place, toleration in enumerate(tolerations):
        path = f"options.tolerations[{place}]"
        if toleration.operator != TolerationOperator.EXISTS and not toleration.key:
            yield Violation(f"{path}.key", "is required, except with the operator `Exists`")
        if toleration.operator == TolerationOperator.EXISTS and toleration.value:
            yield Violation(f"{path}.value", "must be empty with the operator `Exists`")
        if toleration.toleration_seconds is not None and toleration.effect != TaintEffect.NO_EXECUTE:
            yield Violation(f"{path}.toleration_period", "must be absent, except with the effect `NoExecute`")


def _storage_violations(uris: Sequence[StorageUri]) -> Iterator[Violation]:
    """KServe demands that all files have a common folder, and that of the model is fixed."""
    taken = {MODEL_FOLDER}
    for place, storage in enumerate(uris):
        path = f"options.storage_uris[{place}]"
        folder = storage.mount_path.rstrip("/")
        if not storage.uri:
            yield Violation(f"{path}.uri", "is required")
        if not folder.startswith(_ABOVE) or ".." in folder or len(folder) > _LONGEST_PATH:
            text = f"must be a folder below {_ABOVE} without `..` of at most {_LONGEST_PATH} characters"
            yield Violation(f"{path}.mount_path", text)
        elif folder in taken:
            yield Violation(f"{path}.mount_path", f"must be another folder than {folder}, which is taken")
        taken.add(folder)
