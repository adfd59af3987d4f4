"""The statement of a list: conditions, order, a page by offset or by cursor, and the total.

Pages near the start are one round trip. Pages deep in a list find their way in the index, from the end that is nearer.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar
from uuid import UUID

import asyncpg

from registry_grpc.adapters.postgres.database import Database
from registry_grpc.domain.errors import InvalidPageToken
from registry_grpc.domain.paging import Cursor, Page, Slice, Sort

T = TypeVar("T")

# From this offset on, a total that is asked for first costs less than rows that are read to be skipped.
_DEEP = 500

# Stands for NULL in the order of nullable ids: greater than all others, as NULL is to PostgreSQL.
NULL_ID = UUID(int=2**128 - 1)


@dataclass(slots=True)
class Conditions:
    """Conditions joined by AND. `{t}` stands for the table, so that the same ones can count in a counter table."""

    texts: list[str] = field(default_factory=list)
    args: list[Any] = field(default_factory=list)

    def add(self, text: str, value: Any) -> None:
        """`text` holds `{}` where the parameter goes."""
        self.args.append(value)
        self.texts.append(text.replace("{}", f"${len(self.args)}"))

    def add_equal(self, column: str, value: Any) -> None:
        """No condition for None and for empty text (contract 0.10)."""
        if value is not None and value != "":
            self.add(f"{{t}}.{column} = {{}}", value)

    def on(self, table: str) -> str:
        return " AND ".join(self.texts).replace("{t}", table)

    @property
    def window(self) -> str:
        """LIMIT and OFFSET, whose parameters come after those of the conditions."""
        return f"LIMIT ${len(self.args) + 1} OFFSET ${len(self.args) + 2}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Listing:
    """How one aggregate is listed. `source` is the FROM clause, in which `table` is the alias that is sorted."""

    columns: str
    source: str
    table: str
    sort_columns: Mapping[str, str]

    async def page(
        self,
        database: Database,
        conditions: Conditions,
        sort: Sort,
        slice: Slice,
        *,
        total: str | None,
        item: Callable[[Any], T],
    ) -> Page[T]:
        """`total` is a SELECT that counts, with the parameters of `conditions`, and should cost little. Without one,
        what meets the conditions is counted as it is found."""
        if slice.by_cursor:
            return await self._after(database, conditions, sort, slice, item)
        if total is None:
            return await self._counted(database, conditions, sort, slice, item)
        if slice.offset >= _DEEP:
            return await self._deep(database, conditions, sort, slice, total=total, item=item)
        statement = (
            f"SELECT {self.columns}, ({total}) AS total FROM {self.source} WHERE {conditions.on(self.table)}"
            f" ORDER BY {self._order(sort)} {conditions.window}"
        )
        rows = await database.fetch(statement, *conditions.args, slice.limit, slice.offset)
        count = await _total_of(rows, slice, database, total, conditions)
        return Page(tuple(item(row) for row in rows), total=count)

    async def _deep(
        self,
        database: Database,
        conditions: Conditions,
        sort: Sort,
        slice: Slice,
        *,
        total: str,
        item: Callable[[Any], T],
    ) -> Page[T]:
        """Skip ids in the index, not rows, and from the end of the list when that is nearer."""
        count: int = (await database.fetch(total, *conditions.args))[0][0]
        limit = min(slice.limit, count - slice.offset)
        if limit <= 0:
            return Page((), total=count)
        from_end = count - slice.offset - limit
        is_backwards = from_end < slice.offset
        walk, skipped = (sort.reversed, from_end) if is_backwards else (sort, slice.offset)
        ids = (
            f"SELECT {self.table}.id FROM {self.source} WHERE {conditions.on(self.table)}"
            f" ORDER BY {self._order(walk)} {conditions.window}"
        )
        rows = await database.fetch(self._rows_of(ids, sort), *conditions.args, limit, skipped)
        return Page(tuple(item(row) for row in rows), total=count)

    async def _counted(
        self, database: Database, conditions: Conditions, sort: Sort, slice: Slice, item: Callable[[Any], T]
    ) -> Page[T]:
        """Find once what meets the conditions: for the page and to count it."""
        direction = _direction(sort)
        found = (
            f"WITH found AS MATERIALIZED (SELECT {self.table}.id, {self.sort_columns[sort.field]} AS value"
            f" FROM {self.source} WHERE {conditions.on(self.table)}) "
        )
        ids = f"SELECT found.id FROM found ORDER BY found.value {direction}, found.id {direction} {conditions.window}"
        total = "SELECT count(*) FROM found"
        statement = found + self._rows_of(ids, sort, f", ({total}) AS total")
        rows = await database.fetch(statement, *conditions.args, slice.limit, slice.offset)
        count = await _total_of(rows, slice, database, found + total, conditions)
        return Page(tuple(item(row) for row in rows), total=count)

    def _rows_of(self, ids: str, sort: Sort, more_columns: str = "") -> str:
        return (
            f"SELECT {self.columns}{more_columns} FROM {self.source} WHERE {self.table}.id = ANY(ARRAY({ids}))"
            f" ORDER BY {self._order(sort)}"
        )

    async def _after(
        self, database: Database, conditions: Conditions, sort: Sort, slice: Slice, item: Callable[[Any], T]
    ) -> Page[T]:
        where, args = conditions.on(self.table), list(conditions.args)
        if slice.after is not None:
            beyond = "<" if sort.descending else ">"
            place = f"({self.sort_columns[sort.field]}, {self.table}.id)"
            where += f" AND {place} {beyond} (${len(args) + 1}, ${len(args) + 2})"
            args += [slice.after.value, slice.after.id]
        statement = (
            f"SELECT {self.columns} FROM {self.source} WHERE {where}"
            f" ORDER BY {self._order(sort)} LIMIT ${len(args) + 1}"
        )
        try:
            rows = await database.fetch(statement, *args, slice.limit + 1)
        except asyncpg.DataError as error:
            raise InvalidPageToken from error  # the value of a made-up token does not fit the column
        items = [item(row) for row in rows]
        has_more = len(items) > slice.limit
        return Page(tuple(items[: slice.limit]), next=_cursor(items[slice.limit - 1], sort) if has_more else None)

    def _order(self, sort: Sort) -> str:
        direction = _direction(sort)
        return f"{self.sort_columns[sort.field]} {direction}, {self.table}.id {direction}"


async def _total_of(
    rows: Sequence[Any], slice: Slice, database: Database, statement: str, conditions: Conditions
) -> int:
    """Every row tells it; beyond the last one it is counted once more."""
    if rows or slice.offset == 0:
        return rows[0]["total"] if rows else 0
    total: int = (await database.fetch(statement, *conditions.args))[0][0]
    return total


def _direction(sort: Sort) -> str:
    return "DESC" if sort.descending else "ASC"


def _cursor(last: Any, sort: Sort) -> Cursor:
    value = getattr(last, sort.field, None)
    return Cursor(NULL_ID if value is None else value, last.id)


def sort_columns(table: str, fields: tuple[str, ...], *nullable_ids: str) -> dict[str, str]:
    """The column of each field a list can be sorted by."""
    columns = {name: f"{table}.{name}" for name in fields}
    return columns | {name: f"coalesce({table}.{name}, '{NULL_ID}')" for name in nullable_ids}


def search_pattern(text: str) -> str:
    """For ILIKE: `%`, `_` and backslash keep their meaning (contract 0.10)."""
    return f"%{text}%"


def longest_literal(text: str) -> str:
    """The longest part of a search that every match holds as it is, but for its case."""
    return max(re.split(r"[%_\\]", text), key=len)
