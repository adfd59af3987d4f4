"""Batch gets: several objects by their ids, all or none (https://google.aip.dev/231)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol, TypeVar
from uuid import UUID

from registry_grpc.domain.errors import InvalidRequest, NotFound, Reason, Violation
from registry_grpc.domain.paging import PAGE_BYTES, Page, Slice, Sort, View

LARGEST_BATCH = 100
BY_ID = Sort("id", descending=False)
"""In any other order, PostgreSQL might walk the index of that order instead of looking up the ids."""


class _HasId(Protocol):
    @property
    def id(self) -> UUID: ...


T = TypeVar("T", bound=_HasId)


def slice_for(ids: Sequence[UUID], view: View = View.FULL) -> Slice:
    """The page that has all of the objects, if they fit. Raises InvalidRequest if there are too many ids."""
    if len(ids) > LARGEST_BATCH:
        raise InvalidRequest([Violation("ids", f"must be at most {LARGEST_BATCH}")])
    return Slice(limit=max(len(ids), 1), by_cursor=True, view=view)


def in_order(page: Page[T], ids: Sequence[UUID], reason: Reason) -> tuple[T, ...]:
    """The objects of the page in the order of their ids. Raises InvalidRequest if the page does not have all of them,
    because they are too large; NotFound with all ids that are missing."""
    if page.next is not None:
        text = f"must be fewer: the answer would be larger than {PAGE_BYTES // 1024} KiB"
        raise InvalidRequest([Violation("ids", text)])
    found: dict[UUID, Any] = {item.id: item for item in page.items}
    if missing := ", ".join(str(id_) for id_ in dict.fromkeys(ids) if id_ not in found):
        raise NotFound(reason, detail=missing, ids=missing)
    return tuple(found[id_] for id_ in ids)
