"""Registered models (contract 1.2, 1.5, 1.6)."""

from __future__ import annotations

import re
import string
from collections.abc import Mapping, Sequence
from dataclasses import InitVar, dataclass, field
from datetime import datetime
from typing import Any, ClassVar, NamedTuple, Self
from uuid import UUID

from registry_grpc.domain.errors import FailedPrecondition, Reason
from registry_grpc.domain.filter.fields import Filter, declared
from registry_grpc.domain.model_version import ModelVersion
from registry_grpc.domain.paging import View
from registry_grpc.domain.patch import UNSET, Unset, values_of
from registry_grpc.domain.properties import NO_PROPERTIES, Properties
from registry_grpc.domain.rules import DESCRIPTION, LABELS, PROPERTIES, TAGS, check_fields, limits_of, renaming_errors
from registry_grpc.domain.times import NOT_STORED

LIMITS = {"name": 250, "owner_email": 255, "model_type": 50, "state": 50, "deployment_status": 50, "external_id": 255}
SIZES = {"description": DESCRIPTION, "labels": LABELS, "tags": TAGS, "properties": PROPERTIES}
SORT_FIELDS = (
    "id", "created_at", "updated_at", "project_id", "owner_id", "owner_email", "name", "slug", "description",
    "model_type", "model_size", "state", "deployment_status", "parent_model_id",
)  # fmt: skip
ARCHIVED = "ARCHIVED"
DEFAULTS: Mapping[str, Any] = {
    "model_type": "CUSTOMTRAIN",
    "model_size": 0,
    "state": "LIVE",
    "deployment_status": "UNDEPLOYED",
}

_SLUG_LENGTH = 60
_SLUG_CHANGES = str.maketrans(string.ascii_uppercase + " _", string.ascii_lowercase + "--")
_NOT_IN_SLUGS = re.compile("[^a-z0-9-]")


def slug_of(name: str) -> str:
    """The name as it can be used in URLs. Dashes are neither merged nor trimmed (contract 1.6)."""
    return _NOT_IN_SLUGS.sub("", name.translate(_SLUG_CHANGES))[:_SLUG_LENGTH]


def not_archived(id: UUID, state: str) -> FailedPrecondition:
    """The refusal to delete a model in this state."""
    detail = f'state is "{state}", must be {ARCHIVED}'
    return FailedPrecondition(Reason.MODEL_NOT_ARCHIVED, detail=detail, id=str(id), state=state)


class Tags(NamedTuple):
    """The four lists of tags of a model."""

    frameworks: tuple[str, ...] = ()
    architectures: tuple[str, ...] = ()
    tasks: tuple[str, ...] = ()
    subjects: tuple[str, ...] = ()


FILTER_FIELDS = declared(
    id=("id", "parent_model_id"),
    time=("created_at", "updated_at"),
    text=("name", "slug", "owner_email", "model_type", "state", "deployment_status", "external_id"),
    integer=("model_size",),
    map=("labels",),
    properties=("properties",),
    list=[f"tags.{name}" for name in Tags._fields],
)


@dataclass(frozen=True, slots=True, kw_only=True)
class NewRegisteredModel:
    """A model to register. Raises InvalidRequest if it breaks a rule."""

    name: str
    description: str = ""
    owner_email: str = ""
    model_type: str = ""
    tags: Tags = field(default_factory=Tags)
    labels: Mapping[str, str] = field(default_factory=dict)
    parent_model_id: UUID | None = None
    external_id: str = ""
    properties: Properties = field(default_factory=dict)
    by_contract: InitVar[bool] = False

    def __post_init__(self, by_contract: bool) -> None:
        limits = {name: LIMITS[name] for name in ("name", "owner_email", "model_type", "external_id")}
        limits = limits_of(limits, by_contract=by_contract)
        check_fields(self, limits=limits, sizes=SIZES, required=("name",))


@dataclass(frozen=True, slots=True, kw_only=True)
class RegisteredModelPatch:
    """The fields of a model to change. The slug never changes. Raises InvalidRequest if it breaks a rule."""

    CLEARED: ClassVar[Mapping[str, Any]] = {
        **DEFAULTS,
        "tags": Tags(),
        "labels": {},
        "parent_model_id": None,
        "properties": {},
    }

    name: str | Unset = UNSET
    description: str | Unset = UNSET
    model_type: str | Unset = UNSET
    model_size: int | Unset = UNSET
    state: str | Unset = UNSET
    deployment_status: str | Unset = UNSET
    tags: Tags | Unset = UNSET
    labels: Mapping[str, str] | Unset = UNSET
    owner_email: str | Unset = UNSET
    parent_model_id: UUID | Unset | None = UNSET
    external_id: str | Unset = UNSET
    properties: Properties | Unset = UNSET
    by_contract: InitVar[bool] = False

    def __post_init__(self, by_contract: bool) -> None:
        limits = limits_of(LIMITS, by_contract=by_contract)
        check_fields(self, limits=limits, sizes=SIZES, others=renaming_errors(self.name, "model name is required"))


class RegisteredModel(NamedTuple):
    """A named model of a project. View.BASIC leaves out `latest_version` and `default_version`.

    A tuple, because a list creates up to a hundred of them, and a frozen dataclass takes eight times as long.
    """

    id: UUID
    created_at: datetime
    updated_at: datetime
    project_id: UUID
    owner_email: str
    name: str
    slug: str
    description: str
    model_type: str
    model_size: int
    state: str
    deployment_status: str
    tags: Tags
    labels: Mapping[str, str]
    parent_model_id: UUID | None
    external_id: str = ""
    properties: Properties = NO_PROPERTIES
    etag: str = ""
    version_count: int = 0
    latest_version: ModelVersion | None = None
    default_version: ModelVersion | None = None

    @classmethod
    def register(cls, new: NewRegisteredModel, *, id: UUID, project_id: UUID) -> Self:
        return cls(
            id=id,
            created_at=NOT_STORED,
            updated_at=NOT_STORED,
            project_id=project_id,
            slug=slug_of(new.name),
            **dict(DEFAULTS) | values_of(new) | {"model_type": new.model_type or DEFAULTS["model_type"]},
        )

    def in_view(self, view: View) -> Self:
        """The model with the fields that the view has."""
        return self if view is View.FULL else self._replace(latest_version=None, default_version=None)


@dataclass(frozen=True, slots=True, kw_only=True)
class RegisteredModelFilter:
    """Which models a list shows. The empty string, None and no ids are no condition."""

    state: str = ""
    model_type: str = ""
    search: str = ""
    where: Filter | None = None
    ids: Sequence[UUID] = ()
