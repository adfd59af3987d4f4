"""Projects as tenants: the namespaces they may deploy to, where their models may come from, and how much they may keep.

Operators write them. While tenancy is open there are none, and every project may do everything.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Any, ClassVar, Literal, Self
from uuid import UUID

from registry_grpc.domain.deployment_options import DeploymentOptions
from registry_grpc.domain.errors import InvalidRequest, NotAllowed, QuotaExceeded, Reason, Violation
from registry_grpc.domain.patch import UNSET, Unset, values_of
from registry_grpc.domain.policy import matches
from registry_grpc.domain.rules import check_fields
from registry_grpc.domain.storage import place_of
from registry_grpc.domain.times import NOT_STORED

LIMITS = {"name": 100, "description": 1000}
_MOST_ENTRIES = 100
_LONGEST_ENTRY = 300
LISTS = ("namespaces", "uris", "service_accounts", "runtimes")
# Parsers disagree about the host of a place with other characters, such as the name of a user or a backslash.
_PLAIN_PLACE = re.compile(r"[A-Za-z0-9.+-]+://[A-Za-z0-9._-]*(:[0-9]+)?([/?#]|\Z)")
Kind = Literal["models", "versions", "deployments", "bytes"]
QUOTAS = ("max_models", "max_versions", "max_deployments", "max_bytes")


def _errors(subject: Any) -> list[InvalidRequest]:
    violations = []
    for name in LISTS:
        entries = getattr(subject, name)
        if entries is UNSET:
            continue
        if len(entries) > _MOST_ENTRIES:
            violations.append(Violation(name, f"must have at most {_MOST_ENTRIES} entries"))
        if not all(0 < len(entry) <= _LONGEST_ENTRY for entry in entries):
            violations.append(Violation(name, f"must have entries of 1 to {_LONGEST_ENTRY} characters"))
    negative = [name for name in QUOTAS if isinstance(value := getattr(subject, name), int) and value < 0]
    violations += [Violation(name, "must not be negative") for name in negative]
    return [InvalidRequest(violations)] if violations else []


@dataclass(frozen=True, slots=True, kw_only=True)
class NewProject:
    """A project to create. Raises InvalidRequest."""

    name: str
    description: str = ""
    namespaces: tuple[str, ...] = ()
    uris: tuple[str, ...] = ()
    service_accounts: tuple[str, ...] = ()
    runtimes: tuple[str, ...] = ()
    max_models: int | None = None
    max_versions: int | None = None
    max_deployments: int | None = None
    max_bytes: int | None = None

    def __post_init__(self) -> None:
        check_fields(self, limits=LIMITS, required=("name",), others=_errors(self))


@dataclass(frozen=True, slots=True, kw_only=True)
class ProjectPatch:
    """The fields of a project to change. Raises InvalidRequest."""

    CLEARED: ClassVar[Mapping[str, Any]] = {**dict.fromkeys(LISTS, ()), **dict.fromkeys(QUOTAS)}

    name: str | Unset = UNSET
    description: str | Unset = UNSET
    namespaces: tuple[str, ...] | Unset = UNSET
    uris: tuple[str, ...] | Unset = UNSET
    service_accounts: tuple[str, ...] | Unset = UNSET
    runtimes: tuple[str, ...] | Unset = UNSET
    max_models: int | Unset | None = UNSET
    max_versions: int | Unset | None = UNSET
    max_deployments: int | Unset | None = UNSET
    max_bytes: int | Unset | None = UNSET

    def __post_init__(self) -> None:
        others = _errors(self)
        if self.name == "":
            others.append(InvalidRequest([Violation("name", "must not be empty")]))
        check_fields(self, limits=LIMITS, others=others)


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """What a project keeps."""

    models: int = 0
    versions: int = 0
    deployments: int = 0
    bytes: int = 0
    """The sizes of all model files, as they were declared."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Project:
    """A tenant. Lists have patterns with `*`."""

    id: UUID
    created_at: datetime = NOT_STORED
    updated_at: datetime = NOT_STORED
    name: str
    description: str = ""
    namespaces: tuple[str, ...] = ()
    """The namespaces of its environments. Empty: none."""
    uris: tuple[str, ...] = ()
    """Scheme and host, bucket or claim of its model files, such as `s3://team-*`, in any case, and the endpoints of its
    storage, such as `https://minio.example`. Empty: any."""
    service_accounts: tuple[str, ...] = ()
    """The service accounts that its deployments may use besides those of the settings, as `namespace/name`."""
    runtimes: tuple[str, ...] = ()
    """The serving runtimes that its deployments may use. Empty: any."""
    max_models: int | None = None
    max_versions: int | None = None
    max_deployments: int | None = None
    max_bytes: int | None = None
    etag: str = ""
    is_stored: bool = True
    """False for what every project is while tenancy is open."""

    @classmethod
    def create(cls, new: NewProject, id: UUID) -> Self:
        return cls(id=id, **values_of(new))

    def may_use(self, namespace: str) -> bool:
        return matches(namespace, self.namespaces)

    def check_namespace(self, namespace: str) -> None:
        """Raises NotAllowed."""
        if not self.may_use(namespace):
            raise NotAllowed(Reason.NAMESPACE_NOT_ALLOWED, "namespace", namespace, self.namespaces)

    def check_uri(self, uri: str, field: str = "uri") -> None:
        """Raises NotAllowed. An empty uri is allowed."""
        if not uri or not self.uris:
            return
        place = place_of(uri)
        is_plain = not place or _PLAIN_PLACE.match(uri)
        if not is_plain or not matches(place, [pattern.lower() for pattern in self.uris]):
            raise NotAllowed(Reason.URI_NOT_ALLOWED, field, place or uri, self.uris)

    def check_options(self, options: DeploymentOptions) -> None:
        """Raises NotAllowed for the runtime, and for places from which files would come."""
        if self.runtimes and not matches(options.runtime, self.runtimes):
            raise NotAllowed(Reason.RUNTIME_NOT_ALLOWED, "options.runtime", options.runtime, self.runtimes)
        for number, storage in enumerate(options.storage_uris):
            self.check_uri(storage.uri, f"options.storage_uris[{number}].uri")
        endpoint = options.storage_endpoint
        is_host = endpoint and "://" not in endpoint
        self.check_uri(f"https://{endpoint}" if is_host else endpoint, "options.storage.endpoint")

    def bounded(self, kinds: Iterable[Kind]) -> list[Kind]:
        """Those of the kinds that have a quota."""
        return [kind for kind in kinds if getattr(self, f"max_{kind}") is not None]

    def check_growth(self, before: Usage, after: Usage, kinds: Collection[Kind]) -> None:
        """Raises QuotaExceeded if the project has grown above a quota. What was above it already may stay."""
        for kind in self.bounded(kinds):
            limit, used = getattr(self, f"max_{kind}"), getattr(before, kind)
            if getattr(after, kind) > max(limit, used):
                raise QuotaExceeded(kind, limit=limit, used=used)


@lru_cache(maxsize=1024)  # it is asked for by every call
def unbounded(project_id: UUID) -> Project:
    """What every project is while tenancy is open."""
    return Project(id=project_id, name="", namespaces=("*",), is_stored=False)
