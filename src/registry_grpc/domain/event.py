"""Events: what the log of a project tells about changes of its resources."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from registry_grpc.domain.errors import InvalidRequest, Violation
from registry_grpc.domain.filter.fields import Filter, declared

KINDS: Mapping[str, tuple[str, ...]] = {
    "model": ("created", "updated", "deleted"),
    "version": ("created", "updated", "deleted", "restored"),
    "artifact": ("created", "updated", "deleted", "restored"),
    "alias": ("set", "deleted"),
    "environment": ("created", "updated", "deleted"),
    "service": ("created", "updated", "deleted"),
    "serve_model": ("created", "updated", "deleted"),
    "deployment": ("revision_made", "status_changed"),
}
"""What can happen to each kind of resource. Together they are the type of an event: `model.created`."""

MOST_TYPES = 50
FILTER_FIELDS = declared(
    id=("resource_id", "registered_model_id"),
    time=("occurred_at",),
    text=("type", "name", "actor"),
    list=("changed_fields",),
    map=("details",),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """One change. It tells which fields changed, but not their values."""

    id: str
    """Unique in the installation, and the same whenever the event is read or delivered."""
    resume_token: str
    """A reader can continue after this event until the epoch changes."""
    occurred_at: datetime
    type: str
    resource_id: UUID
    registered_model_id: UUID | None
    """The model that the resource is or belongs to."""
    name: str
    actor: str
    changed_fields: tuple[str, ...]
    details: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class EventFilter:
    """Conditions on events; empty or None is no condition. Raises InvalidRequest for unknown types."""

    types: tuple[str, ...] = ()
    """Types, or kinds for all their types."""
    resource_id: UUID | None = None
    registered_model_id: UUID | None = None
    occurred_from: datetime | None = None
    occurred_before: datetime | None = None
    where: Filter | None = None

    def __post_init__(self) -> None:
        check_types(self.types)


def check_types(types: tuple[str, ...]) -> None:
    """Raises InvalidRequest that names every unknown type, or too many types."""
    violations = [
        Violation("types", f"has the unknown type {name[:100]!r}: give kinds ({', '.join(KINDS)}) or types")
        for name in types
        if name not in KINDS and not _is_type(name)
    ]
    if len(types) > MOST_TYPES:
        violations = [Violation("types", f"must be at most {MOST_TYPES} types", MOST_TYPES)]
    if violations:
        raise InvalidRequest(violations)


def _is_type(name: str) -> bool:
    kind, _, happened = name.partition(".")
    return happened in KINDS.get(kind, ())
