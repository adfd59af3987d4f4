"""Serve models: the versions that an inference service serves (contract 2.2, 2.3)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Self
from uuid import UUID, uuid4

from registry_grpc.domain.filter.fields import Filter, declared, word
from registry_grpc.domain.times import NOT_STORED

SORT_FIELDS = ("id", "created_at", "updated_at", "inference_service_id", "model_version_id", "last_known_state")


class ServeModelState(StrEnum):
    """The state of a served version at the last observation."""

    PENDING = "PENDING"
    RUNNING = "RUNNING"
    FAILED = "FAILED"


FILTER_FIELDS = declared(
    word("last_known_state", ServeModelState),
    id=("id", "inference_service_id", "model_version_id"),
    time=("created_at", "updated_at"),
    text=("inference_service_name", "model_version_name"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class NewServeModel:
    """A serve model to create."""

    inference_service_id: UUID
    model_version_id: UUID


@dataclass(frozen=True, slots=True, kw_only=True)
class ServeModel:
    """Links an inference service to a version that it serves. The names of both are read with it."""

    id: UUID
    created_at: datetime = NOT_STORED
    updated_at: datetime = NOT_STORED
    project_id: UUID
    inference_service_id: UUID
    inference_service_name: str = ""
    model_version_id: UUID
    model_version_name: str = ""
    last_known_state: str = ServeModelState.PENDING
    etag: str = ""

    @classmethod
    def create_all(
        cls, inference_service_id: UUID, model_version_ids: Iterable[UUID], *, project_id: UUID
    ) -> tuple[Self, ...]:
        """The serve models of a new service."""
        return tuple(
            cls(id=uuid4(), project_id=project_id, inference_service_id=inference_service_id, model_version_id=id_)
            for id_ in model_version_ids
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class ServeModelFilter:
    """Which serve models a list shows. None and the empty string are no condition."""

    inference_service_id: UUID | None = None
    model_version_id: UUID | None = None
    state: str = ""
    where: Filter | None = None
