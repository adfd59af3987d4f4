"""Columns of statements and the fields of domain objects: declared in one order, and matched by name.

Rows of lists are read by place, which is several times faster than by name; the places follow from the names, so that a
field that is added to an object shifts no other, and one that has no column fails when the module is loaded.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from enum import StrEnum
from operator import itemgetter
from typing import Any, TypeVar, cast

from registry_grpc.domain.times import NOT_STORED

D = TypeVar("D")
E = TypeVar("E", bound=StrEnum)


def of_table(table: str, names: Iterable[str]) -> dict[str, str]:
    """Columns that are called as their fields."""
    return {name: f"{table}.{name}" for name in names}


def select_list(columns: Mapping[str, str]) -> str:
    """The expressions of the columns under their names."""
    return ", ".join(f"{expression} AS {name}" for name, expression in columns.items())


_TIMES = {"created_at", "updated_at"}
TOUCHED = "updated_at = greatest(now(), created_at)"
"""For SET. A transaction may have begun before the one that made the row."""


def parameters(names: Sequence[str], now: str = "now()") -> str:
    """One parameter for each column; `now` where the time of an object is NULL."""
    places = enumerate(names, 1)
    return ", ".join(f"coalesce(${place}, {now})" if name in _TIMES else f"${place}" for place, name in places)


def arguments(thing: object, names: Iterable[str]) -> list[Any]:
    """The values for `parameters`."""
    values = (getattr(thing, name) for name in names)
    return [None if value is NOT_STORED else value for value in values]


def in_order_of(fields: Sequence[str], columns: Sequence[str], first: int = 0) -> Callable[[Any], Sequence[Any]]:
    """Takes the values of the fields, in their order, from a row that has the columns from place `first` on.

    Raises ValueError when there is no column for a field.
    """
    if missing := [name for name in fields if name not in columns]:
        raise ValueError(f"no column is declared for {', '.join(missing)}")
    places = [first + columns.index(name) for name in fields]
    start = min(places, default=first)
    if places == list(range(start, start + len(fields))):
        return cast("Callable[[Any], Sequence[Any]]", itemgetter(slice(start, start + len(fields))))
    return itemgetter(*places)


def known(kind: type[E], value: Any, default: D) -> E | D:
    """The default for a value that only a newer release knows."""
    try:
        return kind(value)
    except ValueError:
        return default
