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

from registry_grpc.adapters.postgres.columns import in_order_of, of_table, select_list
from registry_grpc.adapters.postgres.database import Database
from registry_grpc.domain.errors import InvalidPageToken
from registry_grpc.domain.paging import OBJECT_BYTES, SORTED_CHARACTERS, Cursor, Page, Slice, Sort

T = TypeVar("T")

# From this offset on, a total that is asked for first costs less than rows that are read to be skipped.
_DEEP = 500

_LONGEST_PATTERN = 1000  # names are far shorter, with an escape and a wildcard for each character too
_LARGE_PAGES = 2  # at a time, in a worker

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
    """How one aggregate is listed. `columns` are expressions by name, and `large` is what `bytes_of` says of the large
    ones; `source` is the FROM clause, in which `table` is the alias that is sorted. `has_nulls` says that large columns
    may be NULL."""

    columns: Mapping[str, str]
    large: Mapping[str, str]
    source: str
    table: str
    sort_columns: Mapping[str, str]
    has_nulls: bool = False
    _whole: str = field(init=False)
    _small: str = field(init=False)
    """The columns as they are, and with NULL for large values above `$largest`."""
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
        """`total` is a SELECT that counts, with the parameters of `conditions`, and should cost little. Without one,
        what meets the conditions is counted as it is found."""
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
        rows, _ = await self._read(database, self._of(ids, sort), [*conditions.args, limit, skipped], sort, slice)
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
        # The parameters of a page at the start are two less.
        after = [slice.after.value, slice.after.id] if slice.after else []
        where, args = conditions.on(self.table), [*conditions.args, *after]
        if after:
            where += f" AND {place} {beyond} (${len(args) - 1}, ${len(args)})"
        page = f" FROM {self.source} WHERE {where} ORDER BY {self._order(sort)} LIMIT ${len(args) + 1}"
        try:
            rows, has_more = await self._read(database, page, [*args, slice.limit + 1], sort, slice)
        except asyncpg.DataError as error:
            raise InvalidPageToken from error  # the value of a made-up token does not fit the column
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
        """The rows of a page that are wanted and fit, and whether others come after them. `page` is the rest of a
        SELECT of the columns, with the parameters `args`. Raises InvalidRequest for a page that is to be refused.

        First, large values are left out unless they are so small that a page of such values fits. Mostly nothing is
        left out then, and adding up sizes would double what the database has to do.
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
        # A worker turns megabytes into an answer at one go: with too many such pages at a time, others would wait.
        large = database.share("large pages", _LARGE_PAGES)
        return checked(await large.fetch(statement, *args, slice.limit, slice.max_bytes), slice)

    def _order(self, sort: Sort) -> str:
        direction = _direction(sort)
        return f"{self.sort_columns[sort.field]} {direction}, {self.table}.id {direction}"


def bytes_of(table: str, *, texts: Sequence[str] = (), json: Sequence[str] = ()) -> dict[str, str]:
    """The sizes of large columns, by name, as ports.repositories counts them. Nothing that lies outside of the row is
    read for them, but JSON that is compressed, as nothing else tells how large that is."""
    sizes = {name: f"octet_length({table}.{name})" for name in texts}
    for name in json:
        column = f"{table}.{name}"
        sizes[name] = (
            f"CASE WHEN pg_column_compression({column}) IS NULL THEN coalesce(pg_column_size({column}), 0)"
            f" ELSE octet_length({column}::text) END"
        )
    return sizes


def total_of(sizes: Mapping[str, str]) -> str:
    """The size of a row."""
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
    """Of the rows of a page, in its order, those that are wanted and fit: the others do not leave the database.

    `page` is a SELECT of `columns` and of `id`, `sorted_by` and `bytes`; the limit and `max_bytes` of the slice become
    the parameters `$first` and the one after it. Each row also has `has_more` and `all_bytes`, which is the size of the
    page if the page is refused when it does not fit, else of the rows up to this one.
    """
    order = f"{{0}}.sorted_by {direction}, {{0}}.id {direction}"
    until = "CURRENT ROW" if slice.is_cut else "UNBOUNDED FOLLOWING"
    # Of a page that is refused nothing is needed but its size.
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
    """The rows of `fitting`, and whether others come after them. Raises InvalidRequest for a page that is to be
    refused."""
    if not rows:
        return rows, False
    slice.check(rows[0]["all_bytes"])
    return rows, rows[-1]["has_more"]


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


def search_pattern(search: str) -> str:
    """For ILIKE: `%`, `_` and backslash keep their meaning (contract 0.10)."""
    return f"%{search}%"


def is_beyond_names(search: str) -> bool:
    """Whether no name is long enough for this search. To look for its pairs of letters would take seconds."""
    return len(re.sub("%+", "%", search)) > _LONGEST_PATTERN


def longest_literal(text: str) -> str:
    """The longest part of a search that every match holds as it is, but for its case."""
    return max(re.split(r"[%_\\]", text), key=len)
