"""Pages of lists: by limit and offset as REST clients do, or by cursor (REST contract 0.9, 0.10)."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace
from typing import Any, Generic, Self, TypeVar
from uuid import UUID

from registry_grpc.domain.errors import InvalidRequest, Violation

DEFAULT_LIMIT = 20
MAXIMUM_LIMIT = 100
PAGE_BYTES = 3584 * 1024
"""What fits into a gRPC message of 4 MiB, with room for what the estimate leaves out."""
OBJECT_BYTES = 4096
"""What an object counts for all of its fields that are short."""
SORTED_CHARACTERS = 1000
"""Texts are compared by so many characters: the last text of a page is in the token for the next one."""

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Sort:
    """The order of a list; objects with equal values are sorted by id, in the same direction."""

    field: str = "created_at"
    descending: bool = True

    @classmethod
    def parse(cls, sort_by: str, order: str, allowed: Collection[str]) -> Self:
        """Read the two parameters of the contract: `order` counts only with `sort_by`, and only `asc` is ascending.

        Raises InvalidRequest for a field that is not allowed (quirk Q5).
        """
        if not sort_by:
            return cls()
        field = sort_by.lower()
        if field not in allowed:
            raise InvalidRequest([Violation("sort_by", f"must be one of {', '.join(allowed)}")], "invalid sort_by")
        return cls(field, order != "asc")

    @property
    def reversed(self) -> Sort:
        return Sort(self.field, not self.descending)

    def value_of(self, item: Any) -> Any:
        """What an object is sorted by; None when it has no such value."""
        value = getattr(item, self.field, None)
        return value[:SORTED_CHARACTERS] if isinstance(value, str) else value


@dataclass(frozen=True, slots=True)
class Cursor:
    """The last object of a page: its value of the sort field, and its id."""

    value: Any
    id: UUID


@dataclass(frozen=True, slots=True)
class Slice:
    """Which part of a list is wanted. With `by_cursor` there is no offset and nobody counts the total.

    A page has at most `max_bytes` (ports.repositories says how they are counted). What does not fit is left for the
    next page if `is_cut`, but the first object always comes; otherwise the page is refused.
    """

    limit: int = DEFAULT_LIMIT
    offset: int = 0
    by_cursor: bool = False
    after: Cursor | None = None
    max_bytes: int = PAGE_BYTES
    is_cut: bool = True

    @classmethod
    def at_offset(cls, limit: int, offset: int) -> Self:
        """Limits below 1 mean the default, too large ones the maximum; negative offsets mean 0 (contract 0.9, Q4)."""
        return cls(limit=effective_limit(limit), offset=max(offset, 0))

    def refusing_above(self, max_bytes: int) -> Self:
        """The same part, which is refused rather than cut."""
        return replace(self, max_bytes=max_bytes, is_cut=False)

    def check(self, size: int) -> None:
        """Raises InvalidRequest when a page of this size is to be refused."""
        if not self.is_cut and size > self.max_bytes:
            raise too_large(self.max_bytes)


def too_large(max_bytes: int) -> InvalidRequest:
    """The refusal of a page that would be larger than this."""
    text = f"must be smaller: the answer would be larger than {max_bytes // 2**20} MiB"
    return InvalidRequest([Violation("limit", text)])


def effective_limit(limit: int) -> int:
    return min(limit, MAXIMUM_LIMIT) if limit > 0 else DEFAULT_LIMIT


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    """A part of a list. `total` is counted for offsets only; `next` is set by cursor while there is more."""

    items: tuple[T, ...]
    total: int | None = None
    next: Cursor | None = None
