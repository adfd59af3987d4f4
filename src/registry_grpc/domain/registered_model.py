"""Registered models (contract 1.2, 1.5, 1.6)."""

from __future__ import annotations

import re
import string
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple, Self
from uuid import UUID

from registry_grpc.domain.model_version import ModelVersion
from registry_grpc.domain.patch import UNSET, Unset
from registry_grpc.domain.rules import DESCRIPTION, LABELS, TAGS, check_fields, renaming_errors
from registry_grpc.domain.times import NOT_STORED

LIMITS = {"name": 100, "owner_email": 255, "model_type": 50, "state": 50, "deployment_status": 50}
SIZES = {"description": DESCRIPTION, "labels": LABELS, "tags": TAGS}
SORT_FIELDS = (
    "id", "created_at", "updated_at", "project_id", "owner_id", "owner_email", "name", "slug", "description",
    "model_type", "model_size", "state", "deployment_status", "parent_model_id",
)  # fmt: skip
ARCHIVED = "ARCHIVED"

_SLUG_LENGTH = 60
_SLUG_CHANGES = str.maketrans(string.ascii_uppercase + " _", string.ascii_lowercase + "--")
_NOT_IN_SLUGS = re.compile("[^a-z0-9-]")


def slug_of(name: str) -> str:
    """The name as it can be used in URLs. Dashes are neither merged nor trimmed (contract 1.6)."""
    return _NOT_IN_SLUGS.sub("", name.translate(_SLUG_CHANGES))[:_SLUG_LENGTH]


class Tags(NamedTuple):
    """The four lists of tags of a model."""

    frameworks: tuple[str, ...] = ()
    architectures: tuple[str, ...] = ()
    tasks: tuple[str, ...] = ()
    subjects: tuple[str, ...] = ()


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

    def __post_init__(self) -> None:
        limits = {name: LIMITS[name] for name in ("name", "owner_email", "model_type")}
        check_fields(self, limits=limits, sizes=SIZES, required=("name",))


@dataclass(frozen=True, slots=True, kw_only=True)
class RegisteredModelPatch:
    """The fields of a model to change. The slug never changes. Raises InvalidRequest if it breaks a rule."""

    name: str | Unset = UNSET
    description: str | Unset = UNSET
    model_type: str | Unset = UNSET
    model_size: int | Unset = UNSET
    state: str | Unset = UNSET
    deployment_status: str | Unset = UNSET
    tags: Tags | Unset = UNSET
    labels: Mapping[str, str] | Unset = UNSET

    def __post_init__(self) -> None:
        limits = {name: LIMITS[name] for name in ("name", "model_type", "state", "deployment_status")}
        check_fields(self, limits=limits, sizes=SIZES, others=renaming_errors(self.name, "model name is required"))


class RegisteredModel(NamedTuple):
    """A named model of a project. In lists, `latest_version` and `default_version` are None.

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
            owner_email=new.owner_email,
            name=new.name,
            slug=slug_of(new.name),
            description=new.description,
            model_type=new.model_type or "CUSTOMTRAIN",
            model_size=0,
            state="LIVE",
            deployment_status="UNDEPLOYED",
            tags=new.tags,
            labels=new.labels,
            parent_model_id=new.parent_model_id,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class RegisteredModelFilter:
    """Which models a list shows. The empty string is no condition."""

    state: str = ""
    model_type: str = ""
    search: str = ""
