"""The statements of lists: conditions, order, a page by offset or by cursor, and the total.

A page near the start takes one round trip. A page deep in a list skips ids in the index, from the nearer end. Large
values of rows that do not fit into a page are neither read nor sent.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Self, TypeVar
from uuid import UUID

import asyncpg

from registry_grpc.adapters.postgres.columns import in_order_of, of_table, select_list
from registry_grpc.adapters.postgres.database import Database
from registry_grpc.domain.errors import InvalidPageToken
from registry_grpc.domain.paging import OBJECT_BYTES, SORTED_CHARACTERS, Cursor, Page, Slice, Sort, View

T = TypeVar("T")

# From this offset on, counting first, to skip from the nearer end, costs less than reading the rows to skip.
_DEEP = 500

_LONGEST_PATTERN = 1000  # names are far shorter, even with an escape and a wildcard for each character
_LARGE_PAGES = 2  # at a time, per worker

# So many rows in the order of the list are looked at for a page of a filter, before all rows are found by its index.
# Both take about as long if one row in twenty matches.
_NEAR = 2000

# Stands for NULL in the order of nullable ids. It is greater than all others, like NULL in PostgreSQL.
NULL_ID = UUID(int=2**128 - 1)


@dataclass(slots=True)
class Conditions:
    """Conditions joined by AND. `{t}` stands for the table, so that they also fit counter tables."""

    texts: list[str] = field(default_factory=list)
    args: list[Any] = field(default_factory=list)
    filter: str = ""
    """One more condition, which is the only one that may name other tables of the list."""
    narrowing: Sequence[str] = ()
    """Conditions that follow from the others and that an index of the table itself answers."""

    is_indexed: bool = False
    """Whether an index finds what the filter matches."""

    @classmethod
    def equal(cls, **values: Any) -> Self:
        """See `add_equal`."""
        conditions = cls()
        conditions.add_equal(**values)
        return conditions

    def limit(self, database: Database) -> Database:
        """The database for the statements with these conditions."""
        return database.for_filter(is_indexed=self.is_indexed) if self.filter else database

    def add(self, text: str, value: Any) -> None:
        """`{}` in `text` stands for the parameter."""
        self.texts.append(text.replace("{}", self.parameter(value)))

    def parameter(self, value: Any) -> str:
        """The parameter with this value."""
        self.args.append(value)
        return f"${len(self.args)}"

    def add_equal(self, **values: Any) -> None:
        """Values of columns. None and the empty string add no condition (contract 0.10)."""
        for column, value in values.items():
            if value is not None and value != "":
                self.add(f"{{t}}.{column} = {{}}", value)

    def on(self, table: str) -> str:
        return " AND ".join([*self.texts, *([self.filter] if self.filter else ())]).replace("{t}", table)

    @property
    def window(self) -> str:
        """LIMIT and OFFSET. Their parameters follow those of the conditions."""
        return f"LIMIT ${len(self.args) + 1} OFFSET ${len(self.args) + 2}"


def add_ids(conditions: Conditions, ids: Sequence[UUID]) -> None:
    if ids:
        conditions.add("{t}.id = ANY({})", ids)


def add_external_id(conditions: Conditions, external_id: str) -> None:
    """Statements are planned for all values, so the condition of the index is part of them."""
    if external_id:
        conditions.add("{t}.external_id = {} AND {t}.external_id <> ''", external_id)


@dataclass(frozen=True, slots=True, kw_only=True)
class Listing:
    """How one aggregate is listed.

    `columns`: expressions by name; `large`: the sizes of the large ones, by `bytes_of`; `has_nulls`: whether those may
    be NULL. `source` is the FROM clause, and `table` the alias of its first table, which is sorted. `beyond` are, for
    each view that has not all columns, the last ones, which it leaves out, with the values that objects have instead:
    reading those that REST does not answer for a list of 100 versions would take PostgreSQL a third longer. `joined`
    follows the FROM clause for the rows of a page in views with all columns, of which each counts as `objects`.
    """

    columns: Mapping[str, str]
    source: str
    table: str
    sort_columns: Mapping[str, str]
    large: Mapping[str, str] = field(default_factory=dict)
    walked: Sequence[str] = ()
    """The sort fields by whose order an index finds the rows."""
    has_nulls: bool = False
    beyond: Mapping[View, Mapping[str, Any]] = field(default_factory=dict)
    joined: str = ""
    objects: int = 1
    small: str = field(init=False)
    """The columns for SELECT, with NULL instead of large values above `$largest`."""
    large_of: Callable[[Any], Sequence[Any]] = field(init=False)
    """The large values of a row."""
    narrower: Mapping[View, Listing] = field(init=False)
    """The same without the columns that a view leaves out."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "narrower", {view: self._without(names) for view, names in self.beyond.items()})
        small = {
            name: f"CASE WHEN {size} <= $largest THEN {self.columns[name]} END" for name, size in self.large.items()
        }
        object.__setattr__(self, "small", select_list({**self.columns, **small}))
        object.__setattr__(self, "large_of", in_order_of(tuple(self.large), tuple(self.columns)))

    def _without(self, names: Mapping[str, Any]) -> Listing:
        columns = {name: each for name, each in self.columns.items() if name not in names}
        if [*columns, *names] != [*self.columns]:
            raise ValueError("the columns that a view leaves out must be the last ones, in their order")
        large = {name: size for name, size in self.large.items() if name in columns}
        return replace(self, columns=columns, large=large, beyond={}, joined="", objects=1)

    @property
    def size(self) -> str:
        """The SQL expression for the size of a row."""
        return " + ".join([str(OBJECT_BYTES * self.objects), *self.large.values()])

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
        if narrower := self.narrower.get(slice.view):
            count, left_out = len(narrower.columns), tuple(self.beyond[slice.view].values())
            return await narrower.page(
                database, conditions, sort, slice, total=total, item=lambda row: item(row[:count] + left_out)
            )
        reading = _Reading(self, conditions.limit(database), conditions, sort, slice)
        if slice.by_cursor:
            rows, has_more = await reading.after_cursor()
            items = tuple(map(item, rows))
            return Page(items, next=_cursor(items[-1], sort) if has_more else None)
        if total is None:
            rows, count = await reading.with_count()
        elif slice.offset < _DEEP:
            rows, count = await reading.near_start(total)
        else:
            rows, count = await reading.deep(total)
        return Page(tuple(map(item, rows)), total=count)


@dataclass(frozen=True, slots=True)
class _Reading:
    """One page of a list to read. Its methods return the rows, and the total or whether more rows follow."""

    listing: Listing
    database: Database
    conditions: Conditions
    sort: Sort
    slice: Slice

    async def near_start(self, total: str) -> tuple[Sequence[Any], int]:
        page = self._whole(f"{self._matching} ORDER BY {self._order(self.sort)} {self.conditions.window}")
        return await self._counted(page, total)

    async def deep(self, total: str) -> tuple[Sequence[Any], int]:
        """Skip ids in the index instead of rows, from the end of the list if that is nearer."""
        count = await self._total(total)
        offset = self.slice.offset
        limit = min(self.slice.limit, count - offset)
        if limit <= 0:
            return (), count
        from_end = count - offset - limit
        walk, skipped = (self.sort.reversed, from_end) if from_end < offset else (self.sort, offset)
        ids = f"SELECT {self.listing.table}.id{self._matching} ORDER BY {self._order(walk)} {self.conditions.window}"
        rows, _ = await self._rows(self._of(ids), [*self.conditions.args, limit, skipped])
        return rows, count

    async def with_count(self) -> tuple[Sequence[Any], int]:
        """Find the matching rows once, both for the page and for the total."""
        direction = _direction(self.sort)
        columns = f"{self.listing.table}.id, {self.listing.sort_columns[self.sort.field]} AS value"
        found = f"WITH found AS MATERIALIZED (SELECT {columns}{self._matching}) "
        ids = (
            f"SELECT found.id FROM found ORDER BY found.value {direction}, found.id {direction}"
            f" {self.conditions.window}"
        )
        return await self._counted(self._of(ids), "SELECT count(*) FROM found", before=found)

    async def after_cursor(self) -> tuple[Sequence[Any], bool]:
        place, args = "", list(self.conditions.args)
        if after := self.slice.after:
            args += [after.value, after.id]
            beyond = "<" if self.sort.descending else ">"
            position = f"({self.listing.sort_columns[self.sort.field]}, {self.listing.table}.id)"
            place = f" AND {position} {beyond} (${len(args) - 1}, ${len(args)})"
        args.append(self.slice.limit + 1)
        try:
            if self.conditions.narrowing and self.sort.field in self.listing.walked:
                return await self._near_or_narrowed(place, args)
            page = f"{self._matching}{place} ORDER BY {self._order(self.sort)} LIMIT ${len(args)}"
            return await self._rows(self._whole(page), args)
        except asyncpg.DataError as error:
            raise InvalidPageToken from error  # the value of a forged token does not fit the column

    async def _near_or_narrowed(self, place: str, args: Sequence[Any]) -> tuple[Sequence[Any], bool]:
        """A page of rows that are either frequent or rare, which a plan for all values cannot know.

        If they are frequent, the next rows in the order of the list are enough to fill the page. Otherwise, all of them
        are found by the index of the filter, and sorted.
        """
        listing, last = self.listing, f"${len(args)}"
        table, order = listing.table, f"ORDER BY {self._order(self.sort)}"
        relation, others = listing.source.split(" ", 1)
        base = Conditions(self.conditions.texts).on(table)
        walk = f"SELECT * FROM {relation} {table} WHERE {base}{place} {order} LIMIT {_NEAR}"
        filter_ = self.conditions.filter.replace("{t}", table)
        found = f"SELECT {table}.id FROM ({walk}) {others} WHERE {filter_} {order} LIMIT {last}"
        count = "(SELECT count(*) FROM near)"
        ids = (
            f"SELECT near.id FROM near WHERE {count} = {last} UNION ALL"
            f" (SELECT {table}.id{self._matching}{place} AND {count} < {last} {order} LIMIT {last})"
        )
        return await self._rows(self._of(ids), args, before=f"WITH near AS MATERIALIZED ({found}) ")

    async def _counted(self, page: str, total: str, *, before: str = "") -> tuple[Sequence[Any], int]:
        """The rows, each of which has the total. For a page beyond the end, without rows, it is counted again."""
        args = [*self.conditions.args, self.slice.limit, self.slice.offset]
        rows, _ = await self._rows(page, args, before=before, more_columns=f", ({total}) AS total")
        if rows:
            return rows, rows[0]["total"]
        return rows, await self._total(before + total) if self.slice.offset else 0

    async def _total(self, statement: str) -> int:
        count: int = (await self.database.fetch(statement, *self.conditions.args))[0][0]
        return count

    @property
    def _matching(self) -> str:
        source = self.listing.source
        if narrowing := self.conditions.narrowing:
            # OFFSET 0 keeps the other conditions outside, so that no other index seems to be as good as that of these.
            relation, others = source.split(" ", 1)
            source = f"(SELECT * FROM {relation} WHERE {' AND '.join(narrowing)} OFFSET 0) {others}"
        return f" FROM {source} WHERE {self.conditions.on(self.listing.table)}"

    def _whole(self, page: str) -> str:
        """The page with what is joined to its rows. These are found first, as are those of a narrowed filter."""
        is_apart = self.listing.joined or self.conditions.narrowing
        return self._of(f"SELECT {self.listing.table}.id{page}") if is_apart else page

    def _of(self, ids: str) -> str:
        listing, order = self.listing, self._order(self.sort)
        return f" FROM {listing.source} {listing.joined} WHERE {listing.table}.id = ANY(ARRAY({ids})) ORDER BY {order}"

    def _order(self, sort: Sort) -> str:
        direction = _direction(sort)
        return f"{self.listing.sort_columns[sort.field]} {direction}, {self.listing.table}.id {direction}"

    async def _rows(
        self, page: str, args: Sequence[Any], *, before: str = "", more_columns: str = ""
    ) -> tuple[Sequence[Any], bool]:
        """The rows of the page that fit, and whether more rows follow. `page` is the rest of a SELECT of the columns,
        with the parameters `args`. Raises InvalidRequest for a page that has to be refused.

        The first statement leaves out values so large that a page of them would not fit. Usually it leaves out nothing,
        and its result is the page: adding up sizes would double the work of the database.
        """
        listing, part = self.listing, self.slice
        largest = part.max_bytes // (part.limit + 1) - OBJECT_BYTES * listing.objects
        if largest >= 0 and not listing.has_nulls:
            columns = listing.small.replace("$largest", f"${len(args) + 1}")
            limits = [largest // len(listing.large)] if listing.large else []
            rows = await self.database.fetch(f"{before}SELECT {columns}{more_columns}{page}", *args, *limits)
            if not any(None in listing.large_of(row) for row in rows):
                return rows[: part.limit], len(rows) > part.limit
        value, size = listing.sort_columns[self.sort.field], listing.size
        sized = f"SELECT {select_list(listing.columns)}, {value} AS sorted_by, {size} AS bytes{page}"
        direction = _direction(self.sort)
        statement = before + fitting(sized, listing.columns, direction, part, more_columns, first=len(args) + 1)
        # A worker encodes megabytes without interruption, so that many large pages at a time would delay others.
        large = self.database.share("large pages", _LARGE_PAGES)
        return checked(await large.fetch(statement, *args, part.limit, part.max_bytes), part)


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


async def keyset_page(
    database: Database,
    select: str,
    conditions: Conditions,
    sort: Sort,
    slice: Slice,
    *columns: str,
    item: Callable[[Any], T],
    cursor: Callable[[Any], Cursor],
) -> Page[T]:
    """A page by cursor of a list that is no Listing. `columns`: what tells the rows apart, the second one being the id
    of the cursor."""
    if slice.after:
        values = ", ".join(map(conditions.parameter, (slice.after.value, slice.after.id)[: len(columns)]))
        conditions.texts.append(f"({', '.join(columns)}) {'<' if sort.descending else '>'} ({values})")
    order = ", ".join(f"{column} {_direction(sort)}" for column in columns)
    page = f"WHERE {conditions.on('')} ORDER BY {order} LIMIT {conditions.parameter(slice.limit + 1)}"
    rows = await conditions.limit(database).fetch(select + page, *conditions.args)
    items = tuple(map(item, rows[: slice.limit]))
    return Page(items, next=cursor(rows[slice.limit - 1]) if len(rows) > slice.limit else None)


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
