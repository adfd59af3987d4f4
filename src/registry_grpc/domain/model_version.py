"""Model versions, which are also shown as model artifacts with fewer fields (contract 1.3-1.6)."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import InitVar, dataclass, field, fields
from datetime import datetime
from typing import Any, ClassVar, NamedTuple, Self
from uuid import UUID

from registry_grpc.domain.errors import FailedPrecondition, InvalidRequest, NotFound, Reason, Violation
from registry_grpc.domain.filter.fields import Filter, declared, within
from registry_grpc.domain.paging import Sort, View
from registry_grpc.domain.patch import UNSET, Unset, values_of
from registry_grpc.domain.properties import NO_PROPERTIES, Properties
from registry_grpc.domain.rules import (
    DESCRIPTION,
    LABELS,
    METADATA,
    PROPERTIES,
    README,
    check_fields,
    limits_of,
    renaming_errors,
)
from registry_grpc.domain.storage import place_of
from registry_grpc.domain.times import NOT_STORED

READY = "READY"
ARCHIVED = "ARCHIVED"
DEFAULTS: Mapping[str, Any] = {"state": "LIVE", "status": "PENDING", "artifact_type": "model-artifact"}
COPIED = ("uri", "model_framework", "model_framework_version", "container_image")
"""The fields that a deployment copies from a version and serves."""
LIMITS = {
    "name": 250, "state": 50, "status": 50, "artifact_type": 50, "model_framework": 100, "model_framework_version": 50,
    "container_image": 500, "model_catalog_name": 200, "uri": 2000, "access_key": 500, "secret_key": 500,
    "created_by_email": 255, "updated_by_email": 255, "external_id": 255,
}  # fmt: skip
SIZES = {"description": DESCRIPTION, "labels": LABELS, "properties": PROPERTIES, "readme": README, "metadata": METADATA}
SORT_FIELDS = (
    "id", "created_at", "updated_at", "registered_model_id", "name", "description", "is_default", "state", "status",
    "created_by_email", "updated_by_email", "artifact_type", "model_framework", "model_framework_version",
    "container_image", "model_catalog_name", "uri",
)  # fmt: skip
FILTER_FIELDS = declared(
    id=("id", "registered_model_id", "prebuilt_container_id"),
    time=("created_at", "updated_at"),
    text=(
        "name", "state", "status", "artifact_type", "model_framework", "model_framework_version", "container_image",
        "model_catalog_name", "uri", "created_by_email", "updated_by_email", "external_id", "digest",
    ),
    integer=("number", "size_bytes"),
    bool=("is_default",),
    map=("labels",),
    properties=("properties",),
    list=("aliases",),
)  # fmt: skip

DELETED_SORT_FIELDS = ("deleted_at",)
LAST_DELETED_FIRST = Sort("deleted_at")
DELETED_FILTER_FIELDS = declared(time=("deleted_at",), text=("deleted_by",)) | within(
    "model_version", {name: field for name, field in FILTER_FIELDS.items() if name != "aliases"}
)

ONLY_FULL = ("readme", "metadata")
"""The fields that View.BASIC leaves out."""
FILES = ("model_framework", "model_framework_version", "uri")
"""What every version with files has."""
_OF_FILES = ("access_key", "secret_key", "digest", "size_bytes")
_DIGEST = re.compile("sha256:[0-9a-f]{64}")
LATEST = "latest"
DEFAULT = "default"
_NUMBER = re.compile("[1-9][0-9]{0,17}")


def number_in(version: str) -> int | None:
    """The number of a version, if this is what a request calls it by."""
    return int(version) if _NUMBER.fullmatch(version) else None


def no_such_version(registered_model_id: UUID, version: str) -> NotFound:
    """The refusal when a model has no version that is called so."""
    return NotFound(
        Reason.MODEL_VERSION_NOT_FOUND,
        detail=f'model {registered_model_id} has no version "{version}"',
        registered_model_id=str(registered_model_id),
        version=version,
    )


@dataclass(frozen=True, slots=True)
class Credentials:
    """The keys for a version's uri. They are not in its repr, so that no log or error shows them."""

    access_key: str = field(default="", repr=False)
    secret_key: str = field(default="", repr=False)

    def __bool__(self) -> bool:
        return bool(self.access_key or self.secret_key)


def file_errors(files: Any) -> list[InvalidRequest]:
    """The errors in what is said of files: `digest` and `size_bytes`."""
    violations = []
    if files.digest and files.digest is not UNSET and not _DIGEST.fullmatch(files.digest):
        violations.append(Violation("digest", "must be `sha256:` and 64 lower-case hexadecimal digits"))
    if files.size_bytes is not UNSET and files.size_bytes < 0:
        violations.append(Violation("size_bytes", "must not be negative"))
    return [InvalidRequest(violations)] if violations else []


@dataclass(frozen=True, slots=True, kw_only=True)
class NewModelVersion:
    """A version or artifact to create. Raises InvalidRequest if it breaks a rule."""

    name: str
    model_framework: str = ""
    model_framework_version: str = ""
    uri: str = ""
    description: str = ""
    is_default: bool = False
    artifact_type: str = ""
    container_image: str = ""
    model_catalog_name: str = ""
    access_key: str = field(default="", repr=False)
    secret_key: str = field(default="", repr=False)
    labels: Mapping[str, str] = field(default_factory=dict)
    prebuilt_container_id: UUID | None = None
    created_by_email: str = ""
    updated_by_email: str = ""
    external_id: str = ""
    properties: Properties = field(default_factory=dict)
    readme: str = ""
    metadata: Mapping[str, Any] = field(default_factory=dict)
    digest: str = ""
    size_bytes: int = 0
    by_contract: InitVar[bool] = False

    def __post_init__(self, by_contract: bool) -> None:
        limits = {name: limit for name, limit in LIMITS.items() if name not in {"state", "status"}}
        has_files = by_contract or any(getattr(self, name) for name in (*_OF_FILES, *FILES))
        required = ("name", *(FILES if has_files else ()))
        limits = limits_of(limits, by_contract=by_contract)
        check_fields(self, limits=limits, sizes=SIZES, required=required, others=file_errors(self))


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelVersionPatch:
    """The fields of a version to change. Setting it as default clears the model's other defaults (quirk Q20).

    Raises InvalidRequest if it breaks a rule.
    """

    CLEARED: ClassVar[Mapping[str, Any]] = {
        **DEFAULTS, "is_default": False, "labels": {}, "prebuilt_container_id": None, "properties": {},
        "metadata": {}, "size_bytes": 0,
    }  # fmt: skip

    name: str | Unset = UNSET
    description: str | Unset = UNSET
    is_default: bool | Unset = UNSET
    state: str | Unset = UNSET
    status: str | Unset = UNSET
    artifact_type: str | Unset = UNSET
    model_framework: str | Unset = UNSET
    model_framework_version: str | Unset = UNSET
    container_image: str | Unset = UNSET
    uri: str | Unset = UNSET
    labels: Mapping[str, str] | Unset = UNSET
    access_key: str | Unset = field(default=UNSET, repr=False)
    secret_key: str | Unset = field(default=UNSET, repr=False)
    model_catalog_name: str | Unset = UNSET
    prebuilt_container_id: UUID | Unset | None = UNSET
    external_id: str | Unset = UNSET
    properties: Properties | Unset = UNSET
    readme: str | Unset = UNSET
    metadata: Mapping[str, Any] | Unset = UNSET
    digest: str | Unset = UNSET
    size_bytes: int | Unset = UNSET
    by_contract: InitVar[bool] = False

    @property
    def concerns_keys(self) -> bool:
        return not (self.access_key is UNSET and self.secret_key is UNSET)

    def keys_for(self, uri: str, keys_uri: str) -> dict[str, str]:
        """The keys that change, if they are given for `uri` and those before were for `keys_uri`: the given ones, or
        both if these are different places."""
        moves = place_of(uri) != place_of(keys_uri)
        given = {"access_key": self.access_key, "secret_key": self.secret_key}
        return {name: "" if key is UNSET else key for name, key in given.items() if moves or key is not UNSET}

    def __post_init__(self, by_contract: bool) -> None:
        limits = {name: limit for name, limit in LIMITS.items() if name in self.__slots__}
        limits = limits_of(limits, by_contract=by_contract)
        renaming = renaming_errors(self.name, "version name is required")
        check_fields(self, limits=limits, sizes=SIZES, others=[*renaming, *file_errors(self)])


def already_attached(id: UUID, uri: str) -> FailedPrecondition:
    return FailedPrecondition(Reason.MODEL_ARTIFACT_ATTACHED, detail=f'its uri is "{uri}"', id=str(id), uri=uri)


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelFiles:
    """The files of a version that has none so far. Raises InvalidRequest if they break a rule."""

    uri: str
    model_framework: str
    model_framework_version: str
    container_image: str = ""
    access_key: str = field(default="", repr=False)
    secret_key: str = field(default="", repr=False)
    digest: str = ""
    size_bytes: int = 0

    def __post_init__(self) -> None:
        limits = {name: limit for name, limit in LIMITS.items() if name in self.__slots__}
        check_fields(self, limits=limits, required=FILES, others=file_errors(self))

    @property
    def patch(self) -> ModelVersionPatch:
        """The change that attaches them."""
        return ModelVersionPatch(status=READY, **{each.name: getattr(self, each.name) for each in fields(self)})


class ModelVersion(NamedTuple):
    """One version of a model. Only ModelVersionRepository.credentials reads its keys.

    A tuple for the same reason as RegisteredModel.
    """

    id: UUID
    created_at: datetime
    updated_at: datetime
    registered_model_id: UUID
    name: str
    description: str
    is_default: bool
    state: str
    status: str
    created_by_email: str
    updated_by_email: str
    artifact_type: str
    model_framework: str
    model_framework_version: str
    container_image: str
    model_catalog_name: str
    uri: str
    labels: Mapping[str, str]
    prebuilt_container_id: UUID | None
    number: int = 0
    """The number in the model. The store gives it, from 1 on, and never gives it again."""
    aliases: Sequence[str] | None = None
    """Its aliases by name, without DEFAULT. None if it never had one: a list has many of those."""
    external_id: str = ""
    properties: Properties = NO_PROPERTIES
    readme: str = ""
    metadata: Mapping[str, Any] = NO_PROPERTIES
    digest: str = ""
    size_bytes: int = 0
    etag: str = ""

    @classmethod
    def create(cls, new: NewModelVersion, *, id: UUID, registered_model_id: UUID) -> Self:
        given = {name: value for name, value in values_of(new).items() if name in cls._fields}  # without the keys
        return cls(
            id=id,
            created_at=NOT_STORED,
            updated_at=NOT_STORED,
            registered_model_id=registered_model_id,
            **dict(DEFAULTS) | given | {"artifact_type": new.artifact_type or DEFAULTS["artifact_type"]},
        )

    def in_view(self, view: View) -> Self:
        """The version with the fields that the view has."""
        left_out = {} if view is View.FULL else {name: self._field_defaults[name] for name in ONLY_FULL}
        return self._replace(**left_out)

    @property
    def all_aliases(self) -> Sequence[str]:
        """Its aliases by name."""
        aliases = self.aliases or ()
        return sorted((*aliases, DEFAULT)) if self.is_default else aliases

    @property
    def missing_files(self) -> tuple[str, ...]:
        """The fields of FILES that are empty."""
        return tuple(name for name in FILES if not getattr(self, name))

    @property
    def is_ready(self) -> bool:
        """Only READY versions can be deployed. Their `state` does not matter (quirk Q47)."""
        return self.status == READY

    @property
    def is_archived(self) -> bool:
        return self.state == ARCHIVED


@dataclass(frozen=True, slots=True, kw_only=True)
class DeletedModelVersion:
    """A version that was deleted, and can be restored until `expires_at`."""

    model_version: ModelVersion
    deleted_at: datetime
    deleted_by: str
    expires_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelVersionFilter:
    """Which versions a list shows, of one model or of the whole project. The empty string, None and no ids are no
    condition."""

    registered_model_id: UUID | None = None
    state: str = ""
    status: str = ""
    where: Filter | None = None
    ids: Sequence[UUID] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelVersionKey:
    """The conditions of a find. All given conditions must match."""

    name: str = ""
    id: UUID | None = None
    registered_model_id: UUID | None = None
    external_id: str = ""
