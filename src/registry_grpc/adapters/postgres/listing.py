"""The statements of lists: conditions, order, a page by offset or by cursor, and the total.

A page near the start takes one round trip. A page deep in a list skips ids in the index, from the nearer end. Large
values of rows that do not fit into a page are neither read nor sent.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar
from uuid import UUID

import asyncpg

from registry_grpc.adapters.postgres.columns import in_order_of, of_table, select_list
from registry_grpc.adapters.postgres.database import Database
from registry_grpc.domain.errors import InvalidPageToken
from registry_grpc.domain.paging import OBJECT_BYTES, SORTED_CHARACTERS, Cursor, Page, Slice, Sort

T = TypeVar("T")

# From this offset on, counting first, to skip from the nearer end, costs less than reading the rows to skip.
_DEEP = 500

_LONGEST_PATTERN = 1000  # names are far shorter, even with an escape and a wildcard for each character
_LARGE_PAGES = 2  # at a time, per worker

# Stands for NULL in the order of nullable ids. It is greater than all others, like NULL in PostgreSQL.
NULL_ID = UUID(int=2**128 - 1)


@dataclass(slots=True)
class Conditions:
    """Conditions joined by AND. `{t}` stands for the table, so that they also fit counter tables."""

    texts: list[str] = field(default_factory=list)
    args: list[Any] = field(default_factory=list)

    def add(self, text: str, value: Any) -> None:
        """`{}` in `text` stands for the parameter."""
        self.args.append(value)
        self.texts.append(text.replace("{}", f"${len(self.args)}"))

    def add_equal(self, column: str, value: Any) -> None:
        """None and the empty string add no condition (contract 0.10)."""
        if value is not None and value != "":
            self.add(f"{{t}}.{column} = {{}}", value)

    def on(self, table: str) -> str:
        return " AND ".join(self.texts).replace("{t}", table)

    @property
    def window(self) -> str:
        """LIMIT and OFFSET. Their parameters follow those of the conditions."""
        return f"LIMIT ${len(self.args) + 1} OFFSET ${len(self.args) + 2}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Listing:
    """How one aggregate is listed.

    `columns`: expressions by name; `large`: the sizes of the large ones, by `bytes_of`; `has_nulls`: whether those may
    be NULL. `source` is the FROM clause, and `table` the alias in it that is sorted.
    """

    columns: Mapping[str, str]
    large: Mapping[str, str]
    source: str
    table: str
    sort_columns: Mapping[str, str]
    has_nulls: bool = False
    _whole: str = field(init=False)
    _small: str = field(init=False)
    """The columns with NULL instead of large values above `$largest`. `_whole` has all values."""
    _large_of: Callable[[Any], Sequence[Any]] = field(init=False)

    def __post_init__(self) -> None:
        small = {
            name: f"CASE WHEN {size} <= $largest THEN {self.columns[name]} END" for name, size in self.large.items()
        }
        object.__setattr__(self, "_whole", select_list(self.columns))
        object.__setattr__(self, "_small", select_list({**self.columns, **small}))
        object.__setattr__(self, "_large_of", in_order_of(tuple(self.large), tuple(self.columns)))

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
        """`total` is a cheap SELECT that counts, with the parameters of `conditions`. Without it, the matching rows are
        counted."""
        if slice.by_cursor:
            return await self._after(database, conditions, sort, slice, item)
        if total is None:
            return await self._counted(database, conditions, sort, slice, item)
        if slice.offset >= _DEEP:
            return await self._deep(database, conditions, sort, slice, total=total, item=item)
        page = f" FROM {self.source} WHERE {conditions.on(self.table)} ORDER BY {self._order(sort)} {conditions.window}"
        args = [*conditions.args, slice.limit, slice.offset]
        rows, _ = await self._read(database, page, args, sort, slice, more_columns=f", ({total}) AS total")
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
        """Skip ids in the index instead of rows, from the end of the list if that is nearer."""
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
        rows, _ = await self._read(database, self._of(ids, sort), [*conditions.args, limit, skipped], sort, slice)
        return Page(tuple(item(row) for row in rows), total=count)

    async def _counted(
        self, database: Database, conditions: Conditions, sort: Sort, slice: Slice, item: Callable[[Any], T]
    ) -> Page[T]:
        """Find the matching rows once, both for the page and for the total."""
        direction = _direction(sort)
        found = (
            f"WITH found AS MATERIALIZED (SELECT {self.table}.id, {self.sort_columns[sort.field]} AS value"
            f" FROM {self.source} WHERE {conditions.on(self.table)}) "
        )
        ids = f"SELECT found.id FROM found ORDER BY found.value {direction}, found.id {direction} {conditions.window}"
        total = "SELECT count(*) FROM found"
        args = [*conditions.args, slice.limit, slice.offset]
        rows, _ = await self._read(
            database, self._of(ids, sort), args, sort, slice, before=found, more_columns=f", ({total}) AS total"
        )
        count = await _total_of(rows, slice, database, found + total, conditions)
        return Page(tuple(item(row) for row in rows), total=count)

    async def _after(
        self, database: Database, conditions: Conditions, sort: Sort, slice: Slice, item: Callable[[Any], T]
    ) -> Page[T]:
        place = f"({self.sort_columns[sort.field]}, {self.table}.id)"
        beyond = "<" if sort.descending else ">"
        # The first page has two parameters less.
        after = [slice.after.value, slice.after.id] if slice.after else []
        where, args = conditions.on(self.table), [*conditions.args, *after]
        if after:
            where += f" AND {place} {beyond} (${len(args) - 1}, ${len(args)})"
        page = f" FROM {self.source} WHERE {where} ORDER BY {self._order(sort)} LIMIT ${len(args) + 1}"
        try:
            rows, has_more = await self._read(database, page, [*args, slice.limit + 1], sort, slice)
        except asyncpg.DataError as error:
            raise InvalidPageToken from error  # the value of a forged token does not fit the column
        items = tuple(item(row) for row in rows)
        return Page(items, next=_cursor(items[-1], sort) if has_more else None)

    def _of(self, ids: str, sort: Sort) -> str:
        return f" FROM {self.source} WHERE {self.table}.id = ANY(ARRAY({ids})) ORDER BY {self._order(sort)}"

    async def _read(
        self,
        database: Database,
        page: str,
        args: Sequence[Any],
        sort: Sort,
        slice: Slice,
        *,
        before: str = "",
        more_columns: str = "",
    ) -> tuple[Sequence[Any], bool]:
        """The rows of the page that fit, and whether more rows follow. `page` is the rest of a SELECT of the columns,
        with the parameters `args`. Raises InvalidRequest for a page that has to be refused.

        The first statement leaves out values so large that a page of them would not fit. Usually it leaves out nothing,
        and its result is the page: adding up sizes would double the work of the database.
        """
        largest = slice.max_bytes // (slice.limit + 1) - OBJECT_BYTES
        if largest >= 0 and not self.has_nulls:
            columns = self._small.replace("$largest", f"${len(args) + 1}")
            limits = [largest // len(self.large)] if self.large else []
            rows = await database.fetch(f"{before}SELECT {columns}{more_columns}{page}", *args, *limits)
            if not any(None in self._large_of(row) for row in rows):
                return rows[: slice.limit], len(rows) > slice.limit
        sized = (
            f"SELECT {self._whole}, {self.sort_columns[sort.field]} AS sorted_by, {total_of(self.large)} AS bytes{page}"
        )
        statement = before + fitting(sized, self.columns, _direction(sort), slice, more_columns, first=len(args) + 1)
        # A worker encodes megabytes without interruption, so that many large pages at a time would delay others.
        large = database.share("large pages", _LARGE_PAGES)
        return checked(await large.fetch(statement, *args, slice.limit, slice.max_bytes), slice)

    def _order(self, sort: Sort) -> str:
        direction = _direction(sort)
        return f"{self.sort_columns[sort.field]} {direction}, {self.table}.id {direction}"


def bytes_of(table: str, *, texts: Sequence[str] = (), json: Sequence[str] = ()) -> dict[str, str]:
    """The sizes of large columns by name, counted as in ports.repositories. Only compressed JSON has to be read for it;
    the size of other values is stored in the row."""
    sizes = {name: f"octet_length({table}.{name})" for name in texts}
    for name in json:
        column = f"{table}.{name}"
        sizes[name] = (
            f"CASE WHEN pg_column_compression({column}) IS NULL THEN coalesce(pg_column_size({column}), 0)"
            f" ELSE octet_length({column}::text) END"
        )
    return sizes


def total_of(sizes: Mapping[str, str]) -> str:
    """The SQL expression for the size of a row."""
    return " + ".join([str(OBJECT_BYTES), *sizes.values()])


def fitting(
    page: str,
    columns: Iterable[str],
    direction: str,
    slice: Slice,
    more_columns: str = "",
    *,
    first: int,
) -> str:
    """A SELECT of those rows of a page, in its order, that fit. Other rows do not leave the database.

    `page` is a SELECT of `columns`, `id`, `sorted_by` and `bytes`. Parameter `$first` is the limit, the next one the
    slice's `max_bytes`. Each row also has `has_more`, and `all_bytes`: the size of the rows up to this one, or of the
    whole page if a page that does not fit is refused.
    """
    order = f"{{0}}.sorted_by {direction}, {{0}}.id {direction}"
    until = "CURRENT ROW" if slice.is_cut else "UNBOUNDED FOLLOWING"
    # A page that is refused only needs its size.
    column = "sized.{0}" if slice.is_cut else f"CASE WHEN all_bytes <= ${first + 1} THEN sized.{{0}} END AS {{0}}"
    names = ", ".join(column.format(name) for name in columns)
    return (
        f"SELECT {names}, sized.all_bytes, sized.has_more{more_columns} FROM ("
        "SELECT page.*, sum(page.bytes) OVER so_far AS all_bytes, row_number() OVER so_far AS place,"
        f" lead(true, 1, false) OVER so_far AS has_more FROM ({page}) page"
        f" WINDOW so_far AS (ORDER BY {order.format('page')} ROWS BETWEEN UNBOUNDED PRECEDING AND {until})"
        f") sized WHERE place <= ${first} AND (all_bytes <= ${first + 1} OR place = 1) ORDER BY {order.format('sized')}"
    )


def checked(rows: Sequence[Any], slice: Slice) -> tuple[Sequence[Any], bool]:
    """The rows of `fitting`, and whether more rows follow. Raises InvalidRequest for a page that has to be refused."""
    if not rows:
        return rows, False
    slice.check(rows[0]["all_bytes"])
    return rows, rows[-1]["has_more"]


async def _total_of(
    rows: Sequence[Any], slice: Slice, database: Database, statement: str, conditions: Conditions
) -> int:
    """The total, which each row has. For a page beyond the end, without rows, it is counted again."""
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
    """The column for each field by which a list can be sorted."""
    columns = of_table(table, fields)
    if "description" in columns:
        columns["description"] = f"left({table}.description, {SORTED_CHARACTERS})"
    return columns | {name: f"coalesce({table}.{name}, '{NULL_ID}')" for name in nullable_ids}


def search_pattern(search: str) -> str:
    """The pattern for LIKE. `%`, `_` and backslash in the search keep their meaning (contract 0.10)."""
    return f"%{search}%"


def is_beyond_names(search: str) -> bool:
    """Whether the search is longer than any name. Searching for its pairs of letters would take seconds."""
    return len(re.sub("%+", "%", search)) > _LONGEST_PATTERN


def longest_literal(text: str) -> str:
    """The longest part of a search without wildcards, which every match contains in some letter case."""
    return max(re.split(r"[%_\\]", text), key=len)
