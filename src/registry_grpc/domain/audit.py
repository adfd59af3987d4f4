"""Audit entries: who has changed what and how, and which calls were refused."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from registry_grpc.domain.actor import Origin
from registry_grpc.domain.filter.fields import declared

FILTER_FIELDS = declared(
    id=("resource_id",),
    time=("occurred_at",),
    text=("type", "name", "actor", "authentication", "rpc", "request_id", "address"),
    list=("changed_fields",),
    map=("details",),
)
NO_PROJECT = UUID(int=0)
"""The project of calls that belong to none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditEntry:
    """One write, or refused calls."""

    position: int
    """Later entries have higher ones."""
    occurred_at: datetime
    project_id: UUID
    type: str
    """As Event.type, or `call.refused`."""
    resource_id: UUID
    name: str
    actor: str
    authentication: str
    rpc: str
    request_id: str
    address: str
    changed_fields: tuple[str, ...]
    before: str
    """JSON. Fields that had no value are missing."""
    after: str
    details: Mapping[str, str]
    hash: str
    """SHA-256 of the entry and of the hash before it, in its project."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused:
    """A call that was refused, and how many more like it."""

    project_id: UUID
    """NO_PROJECT if the caller has no role in the project of the call."""
    actor: str
    origin: Origin
    details: Mapping[str, str] = field(default_factory=dict)
