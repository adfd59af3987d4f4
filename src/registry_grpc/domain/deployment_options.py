"""The options with which a version is served, and their rules that need no cluster."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from registry_grpc.domain.errors import InvalidRequest, Violation
from registry_grpc.domain.quantity import fault_of_quantity

DEFAULT_DEADLINE_SECONDS = 900
OPTION_LIMITS = {"runtime": 253, "service_account": 253, "storage_endpoint": 500, "storage_region": 100}
"""The most characters of each option."""
MOST_ENTRIES = 256
LONGEST_KEY = 253
LONGEST_VALUES = {"requests": 64, "limits": 64, "env": 4096}
"""The limits of each map: its entries, the characters of a key, and the bytes of a value in UTF-8."""
_PLACES = {
    "requests": "resources.requests",
    "limits": "resources.limits",
    "storage_endpoint": "storage.endpoint",
    "storage_region": "storage.region",
}
"""The paths in a request of the fields that have other names there."""


class DeploymentMode(StrEnum):
    """The mode in which KServe runs a predictor. KServe does not allow to change it."""

    STANDARD = "Standard"
    KNATIVE = "Knative"


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
    storage_endpoint: str = ""
    storage_region: str = ""

    def violations(self) -> tuple[Violation, ...]:
        """All values that are invalid or contradict each other.

        They are not checked when options are made, because stored options may break newer rules and must stay readable.
        """
        sizes = (*_too_long(self), *_too_many(self))
        # The entries of maps that are too large are not checked one by one.
        return sizes or (*_replica_violations(self), *_too_low(self), *_quantity_violations(self))

    def check(self) -> None:
        """Raises InvalidRequest with all violations."""
        if violations := self.violations():
            raise InvalidRequest(violations)


def _too_long(options: DeploymentOptions) -> Iterator[Violation]:
    for name, limit in OPTION_LIMITS.items():
        if len(getattr(options, name)) > limit:
            yield Violation(_path(name), f"must be at most {limit} characters")


def _too_many(options: DeploymentOptions) -> Iterator[Violation]:
    for name, longest in LONGEST_VALUES.items():
        entries: Mapping[str, str] = getattr(options, name)
        if len(entries) > MOST_ENTRIES:
            yield Violation(_path(name), f"must be at most {MOST_ENTRIES} entries")
        if any(len(key) > LONGEST_KEY for key in entries):
            yield Violation(_path(name), f"must have keys of at most {LONGEST_KEY} characters")
        if any(len(value.encode()) > longest for value in entries.values()):
            yield Violation(_path(name), f"must have values of at most {longest} bytes in UTF-8")


def _path(name: str) -> str:
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


def _too_low(options: DeploymentOptions) -> Iterator[Violation]:
    for name in ("scale_target", "timeout_seconds", "deadline_seconds"):
        value = getattr(options, name)
        if value is not None and value < 1:
            yield Violation(f"options.{name}", "must be at least 1")


def _quantity_violations(options: DeploymentOptions) -> Iterator[Violation]:
    for kind, quantities in (("requests", options.requests), ("limits", options.limits)):
        for resource in sorted(quantities):
            if fault := fault_of_quantity(quantities[resource]):
                yield Violation(f"options.resources.{kind}.{resource}", fault)
