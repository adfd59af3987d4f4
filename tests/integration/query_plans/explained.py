"""A database that reports the plan of every statement that it runs, with the rows of each node.

The plans come from PostgreSQL's auto_explain, so that they are those of the service: with its connections, prepared
statements and generic plans. Statements of triggers and foreign keys are reported, too.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, TypeVar

import asyncpg
import orjson

from registry_grpc.adapters.postgres.database import Database, DatabaseOptions

# The last one because, on a busy machine, the plans of a statement may be read for longer than the service allows a
# transaction to wait for its next one.
_SETTINGS = """
LOAD 'auto_explain';
SET auto_explain.log_level = 'notice';
SET auto_explain.log_format = 'json';
SET auto_explain.log_min_duration = 0;
SET auto_explain.log_analyze = on;
SET auto_explain.log_timing = off;
SET auto_explain.log_nested_statements = on;
SET idle_in_transaction_session_timeout = 0;
"""
# asyncpg asks once per connection for the types of arrays.
_OF_THE_DRIVER = ("typeinfo_tree", "current_setting('jit')")

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Node:
    """A node of a plan. `rows` is the number of rows that it passed on, or read and discarded."""

    name: str
    rows: float


@dataclass(frozen=True, slots=True)
class Plan:
    """The plan of a statement."""

    statement: str
    nodes: tuple[Node, ...]


class ExplainedDatabase(Database):
    """Has one connection, so that everything runs in a transaction that is rolled back."""

    def __init__(self, dsn: str) -> None:
        # Longer than the second after which autovacuum gives way to a statement that waits for its lock, like ANALYZE.
        super().__init__(dsn, DatabaseOptions(size=1, statement_timeout=60, lock_timeout=60))
        self._told: list[Plan] = []

    @asynccontextmanager
    async def explained(self) -> AsyncIterator[list[Plan]]:
        """At its end, fills the list with the plans of the statements in the block, and rolls back their changes."""
        plans: list[Plan] = []
        connection = await self.borrow()
        self.give_back(connection)
        transaction = connection.transaction()
        await transaction.start()
        self._told.clear()
        try:
            yield plans
        finally:
            # Ends the last statement, because PostgreSQL reports a plan when it is no longer used.
            await transaction.rollback()
            plans += self._told

    async def _run(
        self,
        work: Callable[[asyncpg.Connection[Any]], Awaitable[T]],
        *,
        deleting: bool = False,
        kind: str = "read",
    ) -> T:
        """In a savepoint, because after a refusal others may follow, which are transactions of their own elsewhere."""

        async def saved(connection: asyncpg.Connection[Any]) -> T:
            async with connection.transaction():
                return await work(connection)

        return await super()._run(saved, deleting=deleting, kind=kind)

    @asynccontextmanager
    async def snapshot(self) -> AsyncIterator[asyncpg.Connection[Any]]:
        """In the transaction of `explained`."""
        connection = await self.borrow()
        self.give_back(connection)
        try:
            yield connection
        finally:
            await connection.execute("CLOSE ALL")  # so that PostgreSQL reports the plans of cursors that were left

    @asynccontextmanager
    async def unexplained(self) -> AsyncIterator[asyncpg.Connection[Any]]:
        """A connection for preparations inside of `explained`. Plans of its statements are not reported."""
        connection = await self.borrow()
        self.give_back(connection)
        await connection.execute("SET LOCAL auto_explain.log_min_duration = -1")
        yield connection
        await connection.execute("SET LOCAL auto_explain.log_min_duration = 0")

    async def _connect(self) -> asyncpg.Connection[Any]:
        connection = await super()._connect()
        await connection.execute(_SETTINGS)
        connection.add_log_listener(self._hear)
        return connection

    def _hear(self, _connection: object, message: Any) -> None:
        _, _, told = message.message.partition("plan:\n")
        if told and not any(mark in told for mark in _OF_THE_DRIVER):
            plan = orjson.loads(told)
            self._told.append(Plan(plan["Query Text"], tuple(_nodes(plan["Plan"]))))


def _nodes(told: dict[str, Any]) -> Iterator[Node]:
    place = told.get("Relation Name") or told.get("Index Name")
    removed = sum(rows for what, rows in told.items() if what.startswith("Rows Removed by "))
    yield Node(
        name=told["Node Type"] + (f" on {place}" if place else ""),
        rows=(told["Actual Rows"] + removed) * told["Actual Loops"],
    )
    for part in told.get("Plans", ()):
        yield from _nodes(part)
