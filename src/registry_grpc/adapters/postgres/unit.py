"""The writes of one call as one transaction, which begins with the first of them.

`Database` finds the unit of the present call in `UNIT`, so that repositories need not know whether there is one.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from contextvars import ContextVar
from typing import Any, Protocol, cast

import asyncpg

from registry_grpc.adapters.postgres.sessions import take_news


class Lender(Protocol):
    """Lends connections of a pool."""

    async def borrow(self) -> asyncpg.Connection[Any]: ...

    def give_back(self, connection: asyncpg.Connection[Any]) -> None: ...


class Unit:
    """The transaction of one call. `begin` is done first in it."""

    def __init__(self, begin: Callable[[asyncpg.Connection[Any]], Awaitable[None]]) -> None:
        self._begin = begin
        self._lender: Lender
        self._transaction: asyncpg.transaction.Transaction
        self.connection: asyncpg.Connection[Any] | None = None
        """Its connection while the transaction is open. Reads use it too, because they must see what was written."""
        self.is_over = False
        """Whether later writes no longer belong to it."""

    @asynccontextmanager
    async def step(self, lender: Lender) -> AsyncIterator[asyncpg.Connection[Any]]:
        """One write, or several that belong together. If it fails, only this step is taken back: a use case may try it
        again. If it was the first one, the transaction ends, because the use case may then call the cluster."""
        if self.connection is not None:
            news: list[object] = cast("Any", self.connection).news
            known = len(news)
            try:
                async with self.connection.transaction():
                    yield self.connection
            except BaseException:
                del news[known:]
                raise
            return
        self.connection = await lender.borrow()
        self._lender, self._transaction = lender, self.connection.transaction()
        try:
            await self._transaction.start()
            await self._begin(self.connection)
            yield self.connection
        except BaseException as error:
            await self.roll_back(error)
            raise

    async def commit(self) -> None:
        """To be called while the transaction is open."""
        for tell in await self._end(self._transaction.commit):
            tell()

    async def roll_back(self, error: BaseException) -> None:
        """Does nothing if no transaction is open. A connection on which something was broken off is closed."""
        if self.connection is None:
            return
        if isinstance(error, Exception):
            with suppress(Exception):  # the connection was lost
                await self._end(self._transaction.rollback)
        else:
            self.connection.terminate()
            await self._end(None)

    async def _end(self, how: Callable[[], Awaitable[None]] | None) -> list[Callable[[], None]]:
        """Returns what the transaction has to tell."""
        connection, self.connection = self.connection, None
        if connection is None:
            return []
        news = take_news(connection)
        try:
            if how is not None:
                await how()
        except BaseException:
            connection.terminate()
            raise
        finally:
            self._lender.give_back(connection)
        return news


UNIT: ContextVar[Unit | None] = ContextVar("unit", default=None)
