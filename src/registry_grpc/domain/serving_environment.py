"""Serving environments, to which models are deployed (contract 2.2, 2.3)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any, ClassVar, Self
from uuid import UUID

from registry_grpc.domain.errors import InvalidRequest, Violation
from registry_grpc.domain.filter.fields import Filter, declared, word
from registry_grpc.domain.patch import UNSET, Unset, values_of
from registry_grpc.domain.properties import Properties
from registry_grpc.domain.rules import DESCRIPTION, PROPERTIES, check_fields, renaming_errors
from registry_grpc.domain.times import NOT_STORED

LIMITS = {"name": 100, "external_id": 255}
SIZES = {"description": DESCRIPTION, "properties": PROPERTIES}
SORT_FIELDS = ("id", "created_at", "updated_at", "name", "description", "external_id")


class DriftPolicy(StrEnum):
    """What the registry does when somebody else changes a deployed object: report it, or also undo it."""

    REPORT = "report"
    ENFORCE = "enforce"


FILTER_FIELDS = declared(
    word("drift_policy", DriftPolicy),
    id=("id",),
    time=("created_at", "updated_at"),
    text=("name", "external_id"),
    properties=("properties",),
)


def drift_policy_errors(value: str | Unset) -> list[InvalidRequest]:
    """An error unless it is UNSET or the word of a policy."""
    if value is UNSET or value in set(DriftPolicy):
        return []
    return [InvalidRequest([Violation("drift_policy", "must be `report` or `enforce`")])]


@dataclass(frozen=True, slots=True, kw_only=True)
class NewServingEnvironment:
    """An environment to create. Raises InvalidRequest if it breaks a rule."""

    name: str
    description: str = ""
    external_id: str = ""
    drift_policy: str = ""
    properties: Properties = field(default_factory=dict)

    def __post_init__(self) -> None:
        policy = self.drift_policy or DriftPolicy.REPORT
        check_fields(self, limits=LIMITS, sizes=SIZES, required=("name",), others=drift_policy_errors(policy))


@dataclass(frozen=True, slots=True, kw_only=True)
class ServingEnvironmentPatch:
    """The fields of an environment to change. Raises InvalidRequest if it breaks a rule."""

    CLEARED: ClassVar[Mapping[str, Any]] = {"drift_policy": DriftPolicy.REPORT, "properties": {}}

    name: str | Unset = UNSET
    description: str | Unset = UNSET
    external_id: str | Unset = UNSET
    drift_policy: str | Unset = UNSET
    properties: Properties | Unset = UNSET

    def __post_init__(self) -> None:
        renaming = renaming_errors(self.name, "serving environment name is required")
        check_fields(self, limits=LIMITS, sizes=SIZES, others=[*renaming, *drift_policy_errors(self.drift_policy)])


@dataclass(frozen=True, slots=True, kw_only=True)
class ServingEnvironment:
    """A place to which models are deployed: one Kubernetes namespace."""

    id: UUID
    created_at: datetime = NOT_STORED
    updated_at: datetime = NOT_STORED
    project_id: UUID
    name: str
    description: str
    external_id: str
    drift_policy: DriftPolicy = DriftPolicy.REPORT
    properties: Properties = field(default_factory=dict)
    etag: str = ""

    @classmethod
    def create(cls, new: NewServingEnvironment, *, id: UUID, project_id: UUID) -> Self:
        policy = DriftPolicy(new.drift_policy or DriftPolicy.REPORT)
        return cls(id=id, project_id=project_id, **values_of(new) | {"drift_policy": policy})

    @property
    def namespace(self) -> str:
        """The Kubernetes namespace: `external_id`, or the name if that is empty (contract 2.4)."""
        return self.external_id or self.name


@dataclass(frozen=True, slots=True, kw_only=True)
class ServingEnvironmentFilter:
    """Which environments a list shows. The empty string and None are no condition."""

    search: str = ""
    where: Filter | None = None
