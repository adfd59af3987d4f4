"""Model versions, which are also shown as model artifacts with fewer fields (contract 1.3-1.6)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple, Self
from uuid import UUID

from registry_grpc.domain.patch import UNSET, Unset
from registry_grpc.domain.rules import DESCRIPTION, LABELS, check_fields, renaming_errors
from registry_grpc.domain.storage import place_of
from registry_grpc.domain.times import NOT_STORED

READY = "READY"
ARCHIVED = "ARCHIVED"
COPIED = ("uri", "model_framework", "model_framework_version", "container_image")
"""The fields that a deployment copies from a version and serves."""
LIMITS = {
    "name": 100, "state": 50, "status": 50, "artifact_type": 50, "model_framework": 100, "model_framework_version": 50,
    "container_image": 500, "model_catalog_name": 200, "uri": 500, "access_key": 500, "secret_key": 500,
    "created_by_email": 255, "updated_by_email": 255,
}  # fmt: skip
SIZES = {"description": DESCRIPTION, "labels": LABELS}
SORT_FIELDS = (
    "id", "created_at", "updated_at", "registered_model_id", "name", "description", "is_default", "state", "status",
    "created_by_email", "updated_by_email", "artifact_type", "model_framework", "model_framework_version",
    "container_image", "model_catalog_name", "uri",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Credentials:
    """The keys for a version's uri. They are not in its repr, so that no log or error shows them."""

    access_key: str = field(default="", repr=False)
    secret_key: str = field(default="", repr=False)

    def __bool__(self) -> bool:
        return bool(self.access_key or self.secret_key)


@dataclass(frozen=True, slots=True, kw_only=True)
class NewModelVersion:
    """A version or artifact to create. Raises InvalidRequest if it breaks a rule."""

    name: str
    model_framework: str
    model_framework_version: str
    uri: str
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

    def __post_init__(self) -> None:
        limits = {name: limit for name, limit in LIMITS.items() if name not in {"state", "status"}}
        required = ("name", "model_framework", "model_framework_version", "uri")
        check_fields(self, limits=limits, sizes=SIZES, required=required)


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelVersionPatch:
    """The fields of a version to change. Setting it as default clears the model's other defaults (quirk Q20).

    Raises InvalidRequest if it breaks a rule.
    """

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

    @property
    def concerns_keys(self) -> bool:
        return not (self.access_key is UNSET and self.secret_key is UNSET)

    def keys_for(self, uri: str, keys_uri: str) -> dict[str, str]:
        """The keys that change, if they are given for `uri` and those before were for `keys_uri`: the given ones, or
        both if these are different places."""
        moves = place_of(uri) != place_of(keys_uri)
        given = {"access_key": self.access_key, "secret_key": self.secret_key}
        return {name: "" if key is UNSET else key for name, key in given.items() if moves or key is not UNSET}

    def __post_init__(self) -> None:
        limits = {name: limit for name, limit in LIMITS.items() if name in self.__slots__}
        renaming = renaming_errors(self.name, "version name is required")
        check_fields(self, limits=limits, sizes=SIZES, others=renaming)


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

    @classmethod
    def create(cls, new: NewModelVersion, *, id: UUID, registered_model_id: UUID) -> Self:
        return cls(
            id=id,
            created_at=NOT_STORED,
            updated_at=NOT_STORED,
            registered_model_id=registered_model_id,
            name=new.name,
            description=new.description,
            is_default=new.is_default,
            state="LIVE",
            status="PENDING",
            created_by_email=new.created_by_email,
            updated_by_email=new.updated_by_email,
            artifact_type=new.artifact_type or "model-artifact",
            model_framework=new.model_framework,
            model_framework_version=new.model_framework_version,
            container_image=new.container_image,
            model_catalog_name=new.model_catalog_name,
            uri=new.uri,
            labels=new.labels,
            prebuilt_container_id=new.prebuilt_container_id,
        )

    @property
    def is_ready(self) -> bool:
        """Only READY versions can be deployed. Their `state` does not matter (quirk Q47)."""
        return self.status == READY

    @property
    def is_archived(self) -> bool:
        return self.state == ARCHIVED


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelVersionFilter:
    """Which versions a list shows, of one model or of the whole project. The empty string is no condition."""

    registered_model_id: UUID | None = None
    state: str = ""
    status: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelVersionKey:
    """The conditions of a find. All given conditions must match."""

    name: str = ""
    id: UUID | None = None
    registered_model_id: UUID | None = None
