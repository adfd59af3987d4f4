"""Pages of lists, by limit and offset or by cursor, and their order (contract 0.9, 0.10)."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any, Generic, Self, TypeVar
from uuid import UUID

from registry_grpc.domain.errors import InvalidRequest, Violation

DEFAULT_LIMIT = 20
MAXIMUM_LIMIT = 100
PAGE_BYTES = 3584 * 1024
"""The size of a page that fits into a gRPC message of 4 MiB, with room for the error of the estimate."""
OBJECT_BYTES = 4096
"""How many bytes all short fields of an object count together."""
SORTED_CHARACTERS = 1000
"""By how many characters texts are sorted. It is limited because page tokens hold the last text of a page."""

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Sort:
    """The order of a list. Objects with equal values are sorted by id in the same direction."""

    field: str = "created_at"
    descending: bool = True

    @classmethod
    def parse(cls, sort_by: str, order: str, allowed: Collection[str]) -> Self:
        """Reads the parameters `sort_by` and `order`. `order` only counts with `sort_by`, and only `asc` is ascending
        (contract 0.10).

        Raises InvalidRequest for a field that is not allowed (quirk Q5).
        """
        if not sort_by:
            return cls()
        field = sort_by.lower()
        if field not in allowed:
            raise InvalidRequest([Violation("sort_by", f"must be one of {', '.join(allowed)}")], "invalid sort_by")
        return cls(field, order != "asc")

    @classmethod
    def by(cls, order_by: str, allowed: Collection[str]) -> Self:
        """Reads `order_by`: a field, and `desc` unless it is ascending (https://google.aip.dev/132). Raises
        InvalidRequest."""
        field, *direction = order_by.split()[:3]
        if direction not in ([], ["asc"], ["desc"]) or field not in allowed:
            text = f"must be one field, with ` desc` for the descending order; the fields are {', '.join(allowed)}"
            raise InvalidRequest([Violation("order_by", text)])
        return cls(field, direction == ["desc"])

    @property
    def reversed(self) -> Sort:
        return Sort(self.field, not self.descending)

    def value_of(self, item: Any) -> Any:
        """The value by which an object is sorted; None if it has no such value."""
        value = getattr(item, self.field, None)
        return value[:SORTED_CHARACTERS] if isinstance(value, str) else value


NEWEST_FIRST = Sort()


@dataclass(frozen=True, slots=True)
class Cursor:
    """The end of a page: the last object's value of the sort field, and its id."""

    value: Any
    id: UUID


class View(StrEnum):
    """Which fields of objects are read (https://google.aip.dev/157)."""

    CONTRACT = "CONTRACT"
    """Those that REST answers in lists."""
    BASIC = "BASIC"
    """All but those that are large, or that other objects have."""
    FULL = "FULL"


@dataclass(frozen=True, slots=True)
class Slice:
    """The part of a list to read. With `by_cursor` there is no offset, and the total is not counted.

    A page has at most `max_bytes`, counted as in ports.repositories. If `is_cut`, objects that do not fit come on the
    next page, but a page has at least one object; otherwise a page that is too large is refused. Fields that the `view`
    leaves out need not be read, and are not counted.
    """

    limit: int = DEFAULT_LIMIT
    offset: int = 0
    by_cursor: bool = False
    after: Cursor | None = None
    max_bytes: int = PAGE_BYTES
    is_cut: bool = True
    view: View = View.BASIC

    @classmethod
    def at_offset(cls, limit: int, offset: int) -> Self:
        """A limit below 1 means the default, and one that is too large the maximum. A negative offset means 0 (contract
        0.9, Q4)."""
        return cls(limit=effective_limit(limit), offset=max(offset, 0))

    def refusing_above(self, max_bytes: int) -> Self:
        """The same part, but the page is refused instead of cut."""
        return replace(self, max_bytes=max_bytes, is_cut=False)

    def check(self, size: int) -> None:
        """Raises InvalidRequest if a page of this size has to be refused."""
        if not self.is_cut and size > self.max_bytes:
            raise too_large(self.max_bytes)


def too_large(max_bytes: int) -> InvalidRequest:
    """The error for a page that would be larger than this."""
    text = f"must be smaller: the answer would be larger than {max_bytes // 2**20} MiB"
    return InvalidRequest([Violation("limit", text)])


def effective_limit(limit: int) -> int:
    return min(limit, MAXIMUM_LIMIT) if limit > 0 else DEFAULT_LIMIT


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    """A part of a list. By offset it has the `total`; by cursor, `next` is set if more objects follow."""

    items: tuple[T, ...]
    total: int | None = None
    next: Cursor | None = None
