"""The statement of a list: conditions, order, a page by offset or by cursor, and the total, in one round trip."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar
from uuid import UUID

import asyncpg

from registry_grpc.adapters.postgres.database import Database
from registry_grpc.domain.errors import InvalidPageToken
from registry_grpc.domain.paging import Cursor, Page, Slice, Sort

T = TypeVar("T")

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
        total: str,
        item: Callable[[Any], T],
    ) -> Page[T]:
        """`total` is a SELECT that counts, with the parameters of `conditions`."""
        if slice.by_cursor:
            return await self._after(database, conditions, sort, slice, item)
        args = list(conditions.args)
        statement = (
            f"SELECT {self.columns}, ({total}) AS total FROM {self.source} WHERE {conditions.on(self.table)}"
            f" ORDER BY {self._order(sort)} LIMIT ${len(args) + 1} OFFSET ${len(args) + 2}"
        )
        rows = await database.fetch(statement, *args, slice.limit, slice.offset)
        if rows:
            count = rows[0]["total"]
        elif slice.offset == 0:
            count = 0
        else:
            count = (await database.fetch(total, *args))[0][0]
        return Page(tuple(item(row) for row in rows), total=count)

    async def _after(
        self, database: Database, conditions: Conditions, sort: Sort, slice: Slice, item: Callable[[Any], T]
    ) -> Page[T]:
        if slice.after is not None:
            value, id_ = f"${len(conditions.args) + 1}", f"${len(conditions.args) + 2}"
            beyond = "<" if sort.descending else ">"
            conditions.texts.append(f"({self.sort_columns[sort.field]}, {self.table}.id) {beyond} ({value}, {id_})")
            conditions.args += [slice.after.value, slice.after.id]
        statement = (
            f"SELECT {self.columns} FROM {self.source} WHERE {conditions.on(self.table)}"
            f" ORDER BY {self._order(sort)} LIMIT {slice.limit + 1}"
        )
        try:
            rows = await database.fetch(statement, *conditions.args)
        except asyncpg.DataError as error:
            raise InvalidPageToken from error  # the value of a made-up token does not fit the column
        items = [item(row) for row in rows]
        has_more = len(items) > slice.limit
        return Page(tuple(items[: slice.limit]), next=_cursor(items[slice.limit - 1], sort) if has_more else None)

    def _order(self, sort: Sort) -> str:
        direction = "DESC" if sort.descending else "ASC"
        return f"{self.sort_columns[sort.field]} {direction}, {self.table}.id {direction}"


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
