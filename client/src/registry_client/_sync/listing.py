# Made from registry_client/aio by scripts/blocking_client.py. Change it there.
"""Lists of the registry, which are read page by page while one iterates over them."""

from __future__ import annotations

from collections.abc import Iterator, Callable
from typing import TYPE_CHECKING, Any, Generic, Never, TypeVar

from registry_client._sync import runtime
from registry_client.records import Record
from registry_client.rows import Rows

if TYPE_CHECKING:
    import pandas as pd

_R = TypeVar("_R", bound=Record[Any])


class _Unread:
    _how = "all()"

    def __len__(self) -> Never:
        raise TypeError(f"The number of objects is not known before they are read: use the len() of {self._how}.")

    def __getitem__(self, _: object) -> Never:
        raise TypeError(f"The objects are not read yet: iterate over them, or use {self._how}, which is a list.")


class Listing(_Unread, Generic[_R]):
    """All objects that match, in their order. Nothing is read before one iterates."""

    def __init__(self, method: Any, request: Any, field: str, make: Callable[[Any], _R]) -> None:
        self._method, self._request, self._field, self._make = method, request, field, make

    def pages(self) -> Iterator[Rows[_R]]:
        """The pages as they are read. A page may have fewer objects than asked for although more follow."""
        request = type(self._request)()
        request.CopyFrom(self._request)
        while True:
            answer = self._method(request)
            yield Rows(self._make(message) for message in getattr(answer, self._field))
            if not answer.next_page_token:
                return
            request.page_token = answer.next_page_token

    def __iter__(self) -> Iterator[_R]:
        for page in self.pages():
            for each in page:
                yield each

    def first(self) -> _R | None:
        """The first object; None if there is none."""
        for each in self:
            return each
        return None

    def all(self, limit: int | None = None) -> Rows[_R]:
        """A list of all objects, or of the first ones."""
        rows: Rows[_R] = Rows()
        for each in self:
            if limit is not None and len(rows) >= limit:
                break
            rows.append(each)
        return rows

    def to_pandas(self, limit: int | None = None) -> pd.DataFrame:
        """A table of all objects, or of the first ones. Raises ImportError without pandas."""
        return (self.all(limit)).to_pandas()

    def __repr__(self) -> str:
        return f"<list of {self._field}: iterate over it, or use all() or to_pandas()>"

    def _repr_html_(self) -> str:
        return runtime.shown(self)


class Listed(_Unread, Generic[_R]):
    """What has a list. To iterate over it is to iterate over the whole list."""

    _how = "list().all()"

    def list(self) -> Listing[_R]:
        raise NotImplementedError

    def __iter__(self) -> Iterator[_R]:
        return self.list().__iter__()

    def __repr__(self) -> str:
        return repr(self.list())

    def _repr_html_(self) -> str:
        return self.list()._repr_html_()
