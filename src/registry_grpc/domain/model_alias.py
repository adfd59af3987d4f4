"""Aliases: names for versions of a model that are moved from version to version."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from registry_grpc.domain.errors import AliasMoved, FailedPrecondition, InvalidRequest, NotFound, Reason, Violation
from registry_grpc.domain.filter.fields import declared
from registry_grpc.domain.model_version import DEFAULT, LATEST
from registry_grpc.domain.paging import Sort
from registry_grpc.domain.patch import UNSET, Unset

SORT_FIELDS = ("name",)
BY_NAME = Sort("name", descending=False)
FILTER_FIELDS = declared(
    id=("model_version_id",),
    time=("moved_at",),
    text=("name", "moved_by"),
    integer=("version_number",),
    bool=("is_protected",),
)
MOVE_SORT_FIELDS = ("moved_at",)
LAST_MOVE_FIRST = Sort("moved_at")
MOVE_FILTER_FIELDS = declared(
    id=("model_version_id",), time=("moved_at",), text=("name", "moved_by"), integer=("version_number",)
)
_NAME = re.compile("(?![0-9]+$)[a-z0-9][a-z0-9._-]{0,62}")


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelAlias:
    """A name for a version. For `default`, which any writer can move, it is not known when and by whom it was moved."""

    registered_model_id: UUID
    name: str
    model_version_id: UUID
    version_number: int
    is_protected: bool = False
    moved_at: datetime | None = None
    moved_by: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelAliasMove:
    """One change of an alias. Without a version, the alias was deleted."""

    sequence: int
    name: str
    model_version_id: UUID | None
    version_number: int | None
    moved_at: datetime
    moved_by: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AliasChange:
    """What is to be done with an alias, and under which conditions. Raises InvalidRequest if it breaks a rule."""

    name: str
    version: str = ""
    """The version that shall have it; empty to delete it."""
    expected_version_id: UUID | Unset | None = UNSET
    """The version that must have it now; None if it must not exist."""
    is_protected: bool | None = None
    force: bool = False

    def __post_init__(self) -> None:
        if self.name == LATEST or not _NAME.fullmatch(self.name):
            rule = (
                "must be 1 to 63 of a-z, 0-9, dot, dash and underscore, beginning with a letter or digit, and neither "
                f"a number nor `{LATEST}`"
            )
            raise InvalidRequest([Violation("name", rule)])
        if self.name == DEFAULT and self.is_protected:
            raise InvalidRequest([Violation("is_protected", "is not possible for `default`, which REST clients move")])

    def check(self, now: ModelAlias | None) -> None:
        """Raises AliasMoved or FailedPrecondition if the alias may not be changed as it is now."""
        id_ = now.model_version_id if now else None
        if self.expected_version_id not in {UNSET, id_}:
            raise AliasMoved(self.name, id_)
        if now and now.is_protected and not self.force:
            detail = f'"{self.name}" names version {now.version_number}; set force to change it'
            raise FailedPrecondition(
                Reason.MODEL_ALIAS_PROTECTED,
                detail=detail,
                name=self.name,
                model_version_id=str(id_),
                version_number=str(now.version_number),
            )


def no_such_alias(registered_model_id: UUID, name: str) -> NotFound:
    """The refusal when a model has no alias of this name."""
    detail = f'model {registered_model_id} has no alias "{name}"'
    return NotFound(
        Reason.MODEL_ALIAS_NOT_FOUND, detail=detail, registered_model_id=str(registered_model_id), name=name
    )
