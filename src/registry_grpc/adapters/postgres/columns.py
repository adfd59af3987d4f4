"""Matches the columns of statements with the fields of domain objects by name.

Rows of lists are read by index, which is several times faster than by name. The indexes are computed from the names, so
that a new field of an object does not shift others, and a field without a column fails when the module is loaded.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from enum import StrEnum
from operator import itemgetter
from typing import Any, TypeVar, cast

import orjson

from registry_grpc.domain.actor import ACTOR, ORIGIN
from registry_grpc.domain.times import NOT_STORED

D = TypeVar("D")
E = TypeVar("E", bound=StrEnum)


def of_table(table: str, names: Iterable[str]) -> dict[str, str]:
    """Columns with the same names as their fields."""
    return {name: f"{table}.{name}" for name in names}


def select_list(columns: Mapping[str, str]) -> str:
    """The columns for SELECT: each expression with its name."""
    return ", ".join(f"{expression} AS {name}" for name, expression in columns.items())


_TIMES = {"created_at", "updated_at"}
NOW = "greatest(now(), created_at)"
"""The time of an update. Its transaction may have begun before the one that created the row: now() may be too early."""
TOUCHED = f"updated_at = {NOW}"
"""For SET."""


def etag_of(table: str, column: str = "xmin") -> str:
    """The expression for the etag: the transaction that has written the row, whichever service it was."""
    return f"{table}.{column}::text"


def unchanged(table: str, place: int, column: str = "xmin") -> str:
    """The condition that the row has one of the etags in the parameter, unless that is NULL."""
    return f"(${place}::text[] IS NULL OR {etag_of(table, column)} = ANY(${place}))"


def actor_is(value: str) -> str:
    """The expression that says who makes the changes of the transaction, for the event log and the audit log: a name,
    or `said_of_call`."""
    return f"set_config('registry.actor', {value}, true)"


def said_of_call() -> str:
    """What the logs keep of the present call. JSON has no separator in it, but a name may have one."""
    origin = ORIGIN.get()
    return ACTOR.get() if origin is None else f"{orjson.dumps(origin()._asdict()).decode()}\x1f{ACTOR.get()}"


def parameters(names: Sequence[str], now: str = "now()") -> str:
    """One parameter per column. For times that are NULL, `now` is used."""
    places = enumerate(names, 1)
    return ", ".join(f"coalesce(${place}, {now})" if name in _TIMES else f"${place}" for place, name in places)


def arguments(thing: object, names: Iterable[str]) -> list[Any]:
    """The values for `parameters`."""
    values = (getattr(thing, name) for name in names)
    return [None if value is NOT_STORED else value for value in values]


def in_order_of(fields: Sequence[str], columns: Sequence[str], first: int = 0) -> Callable[[Any], Sequence[Any]]:
    """A function that returns the fields, in their order, of a row with the columns from index `first` on.

    Raises ValueError if a field has no column.
    """
    if missing := [name for name in fields if name not in columns]:
        raise ValueError(f"no column is declared for {', '.join(missing)}")
    places = [first + columns.index(name) for name in fields]
    start = min(places, default=first)
    if places == list(range(start, start + len(fields))):
        return cast("Callable[[Any], Sequence[Any]]", itemgetter(slice(start, start + len(fields))))
    return itemgetter(*places)


def known(kind: type[E], value: Any, default: D) -> E | D:
    """The enum's value, or the default for a value that only a newer release knows."""
    try:
        return kind(value)
    except ValueError:
        return default
