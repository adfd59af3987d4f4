"""Inference services: the records of served models (contract 2.2-2.5)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any, ClassVar, Self
from uuid import UUID

from registry_grpc.domain.errors import FailedPrecondition, InvalidRequest, Reason, Violation
from registry_grpc.domain.filter.fields import Filter, declared, word
from registry_grpc.domain.patch import UNSET, Unset
from registry_grpc.domain.properties import Properties
from registry_grpc.domain.rules import (
    LABELS,
    LAST_ERROR,
    PROPERTIES,
    check_fields,
    renaming_errors,
    version_count_errors,
)
from registry_grpc.domain.serve_model import ServeModel
from registry_grpc.domain.times import NOT_STORED

LIMITS = {"name": 100, "runtime": 50, "external_id": 255, "url": 500}
SORT_FIELDS = (
    "id", "created_at", "updated_at", "name", "external_id", "serving_environment_id", "registered_model_id",
    "desired_state", "current_state", "runtime", "url",
)  # fmt: skip


class ServiceState(StrEnum):
    """The states of an inference service, desired and current."""

    DEPLOYED = "DEPLOYED"
    UNDEPLOYED = "UNDEPLOYED"


FILTER_FIELDS = declared(
    word("desired_state", ServiceState),
    word("current_state", ServiceState),
    id=("id", "serving_environment_id", "registered_model_id", "model_version_id"),
    time=("created_at", "updated_at"),
    text=("name", "external_id", "serving_environment_name", "registered_model_name", "runtime", "url", "last_error"),
    map=("labels",),
    properties=("properties",),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class NewInferenceService:
    """A service to create. Raises InvalidRequest if it breaks a rule."""

    name: str
    serving_environment_id: UUID
    registered_model_id: UUID
    model_version_ids: tuple[UUID, ...] = ()
    runtime: str = ""
    labels: Mapping[str, str] = field(default_factory=dict)
    properties: Properties = field(default_factory=dict)

    def __post_init__(self) -> None:
        check_fields(
            self,
            limits={"name": LIMITS["name"], "runtime": LIMITS["runtime"]},
            sizes={"labels": LABELS, "properties": PROPERTIES},
            required=("name",),
            others=version_count_errors(self.model_version_ids),
        )


def fitting_error(text: str) -> str:
    """A text of the cluster, cut to the length that `last_error` may have."""
    return text.encode()[: LAST_ERROR.limit].decode(errors="ignore")


@dataclass(frozen=True, slots=True, kw_only=True)
class InferenceServicePatch:
    """The fields of a service to change. Raises InvalidRequest if it breaks a rule; states are checked (quirk Q27)."""

    CLEARED: ClassVar[Mapping[str, Any]] = {"labels": {}, "model_version_id": None, "properties": {}}

    name: str | Unset = UNSET
    desired_state: str | Unset = UNSET
    current_state: str | Unset = UNSET
    external_id: str | Unset = UNSET
    url: str | Unset = UNSET
    last_error: str | Unset = UNSET
    labels: Mapping[str, str] | Unset = UNSET
    model_version_id: UUID | Unset | None = UNSET
    properties: Properties | Unset = UNSET

    def __post_init__(self) -> None:
        limits = {name: limit for name, limit in LIMITS.items() if name != "runtime"}
        renaming = renaming_errors(self.name, "inference service name is required")
        sizes = {"labels": LABELS, "last_error": LAST_ERROR, "properties": PROPERTIES}
        check_fields(self, limits=limits, sizes=sizes, others=[*renaming, *self._state_errors()])

    def _state_errors(self) -> list[InvalidRequest]:
        violations = [
            Violation(name, "must be DEPLOYED or UNDEPLOYED")
            for name in ("desired_state", "current_state")
            if (value := getattr(self, name)) is not UNSET and value not in set(ServiceState)
        ]
        return [InvalidRequest(violations, "invalid state")] if violations else []


def still_deployed(id: UUID, name: str) -> FailedPrecondition:
    """The refusal to delete a service that is deployed."""
    detail = f'"{name}" has the current state DEPLOYED: undeploy it first'
    return FailedPrecondition(
        Reason.INFERENCE_SERVICE_DEPLOYED, detail=detail, id=str(id), name=name, current_state=ServiceState.DEPLOYED
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class InferenceService:
    """The record of a served model. `served_models` is sorted newest first, and empty in lists."""

    id: UUID
    created_at: datetime = NOT_STORED
    updated_at: datetime = NOT_STORED
    project_id: UUID
    name: str
    external_id: str = ""
    serving_environment_id: UUID
    serving_environment_name: str = ""
    registered_model_id: UUID
    registered_model_name: str = ""
    model_version_id: UUID | None = None
    desired_state: str = ServiceState.DEPLOYED
    current_state: str = ServiceState.UNDEPLOYED
    runtime: str = "kserve"
    url: str = ""
    last_error: str = ""
    labels: Mapping[str, str] = field(default_factory=dict)
    properties: Properties = field(default_factory=dict)
    etag: str = ""
    served_models: tuple[ServeModel, ...] = ()

    @classmethod
    def create(cls, new: NewInferenceService, *, id: UUID, project_id: UUID) -> Self:
        return cls(
            id=id,
            project_id=project_id,
            name=new.name,
            serving_environment_id=new.serving_environment_id,
            registered_model_id=new.registered_model_id,
            model_version_id=new.model_version_ids[0] if new.model_version_ids else None,
            runtime=new.runtime or "kserve",
            labels=new.labels,
            properties=new.properties,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class InferenceServiceFilter:
    """Which services a list shows. None and the empty string are no condition."""

    serving_environment_id: UUID | None = None
    registered_model_id: UUID | None = None
    model_version_id: UUID | None = None
    desired_state: str = ""
    current_state: str = ""
    where: Filter | None = None
