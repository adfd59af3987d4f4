"""The statement of a list: conditions, order, a page by offset or by cursor, and the total.

Pages near the start are one round trip. Pages deep in a list find their way in the index, from the end that is nearer.
Rows that would make a page too large stay in the database: large values are neither read nor sent for them.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar
from uuid import UUID

import asyncpg

from registry_grpc.adapters.postgres.columns import of_table, select_list
from registry_grpc.adapters.postgres.database import Database
from registry_grpc.domain.errors import InvalidPageToken
from registry_grpc.domain.paging import OBJECT_BYTES, SORTED_CHARACTERS, Cursor, Page, Slice, Sort

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
    """How one aggregate is listed. `columns` are expressions by name; `large` is what `bytes_of` makes of the large
    ones; `source` is the FROM clause, in which `table` is the alias that is sorted."""

    columns: Mapping[str, str]
    large: str
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
        page = (
            f"SELECT {self._sized(sort)} FROM {self.source} WHERE {conditions.on(self.table)}"
            f" ORDER BY {self._order(sort)} {conditions.window}"
        )
        statement = self._fitting(page, sort, slice, conditions, f", ({total}) AS total")
        rows = await database.fetch(statement, *conditions.args, slice.limit, slice.offset, slice.max_bytes)
        count = await _total_of(rows, slice, database, total, conditions)
        return Page(_items(rows, slice, item), total=count)

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
        statement = self._fitting(self._rows_of(ids, sort), sort, slice, conditions)
        rows = await database.fetch(statement, *conditions.args, limit, skipped, slice.max_bytes)
        return Page(_items(rows, slice, item), total=count)

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
        page = self._fitting(self._rows_of(ids, sort), sort, slice, conditions, f", ({total}) AS total")
        rows = await database.fetch(found + page, *conditions.args, slice.limit, slice.offset, slice.max_bytes)
        count = await _total_of(rows, slice, database, found + total, conditions)
        return Page(_items(rows, slice, item), total=count)

    async def _after(
        self, database: Database, conditions: Conditions, sort: Sort, slice: Slice, item: Callable[[Any], T]
    ) -> Page[T]:
        place = f"({self.sort_columns[sort.field]}, {self.table}.id)"
        beyond = "<" if sort.descending else ">"
        # The parameters of a page at the start are two less.
        after = [slice.after.value, slice.after.id] if slice.after else []
        where, args = conditions.on(self.table), [*conditions.args, *after]
        if after:
            where += f" AND {place} {beyond} (${len(args) - 1}, ${len(args)})"
        page = (
            f"SELECT {self._sized(sort)} FROM {self.source} WHERE {where}"
            f" ORDER BY {self._order(sort)} LIMIT ${len(args) + 1}::bigint + 1"
        )
        statement = fitting(page, self.columns, _direction(sort), slice, limit=len(args) + 1, max_bytes=len(args) + 2)
        try:
            rows = await database.fetch(statement, *args, slice.limit, slice.max_bytes)
        except asyncpg.DataError as error:
            raise InvalidPageToken from error  # the value of a made-up token does not fit the column
        items = _items(rows, slice, item)
        return Page(items, next=_cursor(items[-1], sort) if rows and rows[-1]["has_more"] else None)

    def _rows_of(self, ids: str, sort: Sort) -> str:
        return f"SELECT {self._sized(sort)} FROM {self.source} WHERE {self.table}.id = ANY(ARRAY({ids}))"

    def _sized(self, sort: Sort) -> str:
        return f"{select_list(self.columns)}, {self.sort_columns[sort.field]} AS sorted_by, {self.large} AS bytes"

    def _fitting(self, page: str, sort: Sort, slice: Slice, conditions: Conditions, more_columns: str = "") -> str:
        """With the parameters of the conditions' window, and then `max_bytes`."""
        first = len(conditions.args) + 1
        return fitting(page, self.columns, _direction(sort), slice, more_columns, limit=first, max_bytes=first + 2)

    def _order(self, sort: Sort) -> str:
        direction = _direction(sort)
        return f"{self.sort_columns[sort.field]} {direction}, {self.table}.id {direction}"


def bytes_of(*, texts: Sequence[str] = (), json: Sequence[str] = ()) -> str:
    """The size of a row by its large columns, as ports.repositories counts it. Nothing that lies outside of the row is
    read for it, but for JSON that is compressed, as nothing else tells how large that is."""
    sizes = [f"octet_length({column})" for column in texts]
    sizes += [
        f"CASE WHEN pg_column_compression({column}) IS NULL THEN coalesce(pg_column_size({column}), 0)"
        f" ELSE octet_length({column}::text) END"
        for column in json
    ]
    return " + ".join([str(OBJECT_BYTES), *sizes])


def fitting(
    page: str,
    columns: Iterable[str],
    direction: str,
    slice: Slice,
    more_columns: str = "",
    *,
    limit: int,
    max_bytes: int,
) -> str:
    """Of the rows of a page, in its order, those that are wanted and fit: the others do not leave the database.

    `page` is a SELECT of `columns` and of `id`, `sorted_by` and `bytes`; `limit` and `max_bytes` are numbers of
    parameters. Each row also has `has_more` and `all_bytes`, which is the size of the page if the page is refused when
    it does not fit, else of the rows up to this one.
    """
    order = f"sorted_by {direction}, id {direction}"
    until = "CURRENT ROW" if slice.is_cut else "UNBOUNDED FOLLOWING"
    names = ", ".join(f"sized.{name}" for name in columns)
    return (
        f"SELECT {names}, sized.all_bytes, sized.has_more{more_columns} FROM ("
        "SELECT page.*, sum(page.bytes) OVER so_far AS all_bytes, row_number() OVER so_far AS place,"
        f" lead(true, 1, false) OVER so_far AS has_more FROM ({page}) page"
        f" WINDOW so_far AS (ORDER BY {order} ROWS BETWEEN UNBOUNDED PRECEDING AND {until})"
        f") sized WHERE place <= ${limit} AND (all_bytes <= ${max_bytes} OR place = 1) ORDER BY {order}"
    )


def _items(rows: Sequence[Any], slice: Slice, item: Callable[[Any], T]) -> tuple[T, ...]:
    """Raises InvalidRequest when there are more than fit, and that is to be refused."""
    if rows:
        slice.check(rows[0]["all_bytes"])
    return tuple(item(row) for row in rows)


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
    value = sort.value_of(last)
    return Cursor(NULL_ID if value is None else value, last.id)


def sort_columns(table: str, fields: tuple[str, ...], *nullable_ids: str) -> dict[str, str]:
    """The column of each field a list can be sorted by."""
    columns = of_table(table, fields)
    if "description" in columns:
        columns["description"] = f"left({table}.description, {SORTED_CHARACTERS})"
    return columns | {name: f"coalesce({table}.{name}, '{NULL_ID}')" for name in nullable_ids}


def search_pattern(text: str) -> str:
    """For ILIKE: `%`, `_` and backslash keep their meaning (contract 0.10)."""
    return f"%{text}%"


def longest_literal(text: str) -> str:
    """The longest part of a search that every match holds as it is, but for its case."""
    return max(re.split(r"[%_\\]", text), key=len)
