"""Artifacts: documents, data sets, metrics and parameters of a version, or standing alone.

The model artifact of a version is its uri: it is read as an artifact with the version's id, and changed as the version.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any, ClassVar, Self
from uuid import UUID

from registry_grpc.domain.errors import InvalidRequest, Violation
from registry_grpc.domain.filter.fields import Filter, declared, word
from registry_grpc.domain.model_version import file_errors
from registry_grpc.domain.patch import UNSET, Unset, values_of
from registry_grpc.domain.properties import Properties, Property
from registry_grpc.domain.rules import DESCRIPTION, LABELS, PROPERTIES, check_fields, renaming_errors
from registry_grpc.domain.times import NOT_STORED

LIMITS = {"name": 250, "uri": 2000, "external_id": 255}
SIZES = {"description": DESCRIPTION, "labels": LABELS, "properties": PROPERTIES}


class ArtifactKind(StrEnum):
    """What an artifact is."""

    MODEL = "MODEL"
    DOCUMENT = "DOCUMENT"
    DATASET = "DATASET"
    METRIC = "METRIC"
    PARAMETER = "PARAMETER"


SORT_FIELDS = ("created_at", "updated_at", "name", "id")
FILTER_FIELDS = declared(
    word("kind", ArtifactKind, "ARTIFACT_KIND_"),
    id=("id", "model_version_id"),
    time=("created_at", "updated_at"),
    text=("name", "uri", "digest", "external_id"),
    integer=("size_bytes",),
    map=("labels",),
    properties=("properties",),
)
_WITH_VALUES = (ArtifactKind.METRIC, ArtifactKind.PARAMETER)
_NO_VALUE = "is only for metrics and parameters"


def value_errors(value: Property | Unset | None) -> list[InvalidRequest]:
    """A value is as large as the properties of an object at most."""
    if value is UNSET or value is None or PROPERTIES.measure({"": value}) <= PROPERTIES.limit:
        return []
    return [InvalidRequest([Violation("value", "must be at most 32 KiB in UTF-8")])]


@dataclass(frozen=True, slots=True, kw_only=True)
class NewArtifact:
    """An artifact to create. Raises InvalidRequest if it breaks a rule."""

    kind: ArtifactKind | None
    name: str
    model_version_id: UUID | None = None
    description: str = ""
    uri: str = ""
    digest: str = ""
    size_bytes: int = 0
    value: Property | None = None
    labels: Mapping[str, str] = field(default_factory=dict)
    external_id: str = ""
    properties: Properties = field(default_factory=dict)

    def __post_init__(self) -> None:
        has_value = self.kind in _WITH_VALUES
        # Without its kind nobody knows whether an artifact needs files or a value.
        depends = () if self.kind is None else ("value",) if has_value else ("uri",)
        others = [*file_errors(self), *value_errors(self.value)]
        if self.kind is ArtifactKind.MODEL:
            others.append(InvalidRequest([Violation("kind", "must not be MODEL: use AttachModelArtifact")]))
        if self.kind and self.value is not None and not has_value:
            others.append(InvalidRequest([Violation("value", _NO_VALUE)]))
        check_fields(self, limits=LIMITS, sizes=SIZES, required=("kind", "name", *depends), others=others)


@dataclass(frozen=True, slots=True, kw_only=True)
class ArtifactPatch:
    """The fields of an artifact to change. Raises InvalidRequest if it breaks a rule."""

    CLEARED: ClassVar[Mapping[str, Any]] = {"size_bytes": 0, "value": None, "labels": {}, "properties": {}}

    name: str | Unset = UNSET
    description: str | Unset = UNSET
    uri: str | Unset = UNSET
    digest: str | Unset = UNSET
    size_bytes: int | Unset = UNSET
    value: Property | Unset | None = UNSET
    labels: Mapping[str, str] | Unset = UNSET
    external_id: str | Unset = UNSET
    properties: Properties | Unset = UNSET

    def __post_init__(self) -> None:
        others = [
            *renaming_errors(self.name, "artifact name is required"), *file_errors(self), *value_errors(self.value)
        ]  # fmt: skip
        if self.value is None:
            others.append(InvalidRequest([Violation("value", "cannot be cleared")]))
        check_fields(self, limits=LIMITS, sizes=SIZES, others=others)

    def errors_for(self, kind: ArtifactKind) -> list[Violation]:
        """What is wrong with this patch of an artifact of the kind."""
        if kind in _WITH_VALUES:
            return []
        wrong = {"uri": ("is required", self.uri == ""), "value": (_NO_VALUE, self.value is not UNSET)}
        return [Violation(name, rule) for name, (rule, is_wrong) in wrong.items() if is_wrong]


@dataclass(frozen=True, slots=True, kw_only=True)
class Artifact:
    """Something that belongs to a version, or stands alone."""

    id: UUID
    created_at: datetime = NOT_STORED
    updated_at: datetime = NOT_STORED
    project_id: UUID
    model_version_id: UUID | None
    kind: ArtifactKind
    name: str
    description: str
    uri: str
    digest: str
    size_bytes: int
    value: Property | None
    labels: Mapping[str, str]
    external_id: str
    properties: Properties
    etag: str = ""

    @classmethod
    def create(cls, new: NewArtifact, *, id: UUID, project_id: UUID) -> Self:
        return cls(id=id, project_id=project_id, **values_of(new) | {"kind": ArtifactKind(new.kind or "")})


@dataclass(frozen=True, slots=True, kw_only=True)
class ArtifactFilter:
    """Which artifacts a list shows. None is no condition."""

    model_version_id: UUID | None = None
    kind: ArtifactKind | None = None
    standing_alone: bool = False
    where: Filter | None = None
