"""Connections to PostgreSQL: a bounded free list with a bounded queue.

asyncpg's own pool resets the session with a round trip after every use, which costs about as much as the query of a
read. Nothing here sets session state, so connections go back as they are. A connection on which a statement did not
end normally is closed, not reused.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, TypeVar

import asyncpg
import orjson
import structlog

from registry_grpc.adapters.postgres.errors import CONNECTION_LOST, translate, unavailable
from registry_grpc.domain.errors import Overloaded, RegistryError, Unavailable

T = TypeVar("T")

_log = structlog.get_logger("database")
_QUIET_SECONDS = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class DatabaseOptions:
    """Times are seconds."""

    size: int = 10
    queue: int = 500
    connect_timeout: float = 2.0
    statement_timeout: float = 5.0
    application_name: str = "registry-grpc"


async def _prepare(connection: asyncpg.Connection[Any]) -> None:
    await connection.set_type_codec(
        "jsonb",
        schema="pg_catalog",
        encoder=lambda value: orjson.dumps(value).decode(),
        decoder=orjson.loads,
    )


class Database:
    """Runs statements; every error it raises is the domain's (see errors.translate), but for faults of the code."""

    def __init__(self, dsn: str, options: DatabaseOptions | None = None) -> None:
        self._dsn = dsn
        self._options = options or DatabaseOptions()
        self._free: list[asyncpg.Connection[Any]] = []
        self._open = 0
        self._waiting: deque[asyncio.Future[asyncpg.Connection[Any] | None]] = deque()
        self._closed = False
        self._said: dict[str, float] = {}

    async def fetch(self, statement: str, *args: Any) -> list[Any]:
        """All rows."""
        return await self._run(lambda connection: connection.fetch(statement, *args))

    async def fetchrow(self, statement: str, *args: Any) -> Any | None:
        """The first row, or None."""
        return await self._run(lambda connection: connection.fetchrow(statement, *args))

    async def execute(self, statement: str, *args: Any, deleting: bool = False) -> int:
        """How many rows were written. `deleting` says how to read a broken foreign key."""
        tag = await self._run(lambda connection: connection.execute(statement, *args), deleting=deleting)
        return int(tag.rpartition(" ")[2])

    @asynccontextmanager
    async def transaction(self, *, deleting: bool = False) -> AsyncIterator[asyncpg.Connection[Any]]:
        """A connection inside a transaction, committed when the block ends without an error."""
        connection = await self._acquire()
        try:
            async with connection.transaction():
                yield connection
        except BaseException as error:
            self._give_back_after(error, connection)
            self._raise_translated(error, deleting=deleting)
            raise
        self._give_back(connection)

    @asynccontextmanager
    async def session(self) -> AsyncIterator[asyncpg.Connection[Any]]:
        """A connection of its own outside of the pool, for LISTEN and advisory locks."""
        connection = await self._connect()
        try:
            yield connection
        finally:
            connection.terminate()

    async def ping(self) -> None:
        """Raises Unavailable when the database does not answer."""
        await self.fetchrow("SELECT 1")

    async def close(self) -> None:
        """Close all free connections; those in use are closed when they come back."""
        self._closed = True
        while self._free:
            await self._free.pop().close(timeout=2)
            self._open -= 1

    async def _run(self, work: Callable[[asyncpg.Connection[Any]], Awaitable[T]], *, deleting: bool = False) -> T:
        connection = await self._acquire()
        try:
            result = await work(connection)
        except BaseException as error:
            self._give_back_after(error, connection)
            self._raise_translated(error, deleting=deleting)
            raise
        self._give_back(connection)
        return result

    async def _acquire(self) -> asyncpg.Connection[Any]:
        while True:
            while self._free:
                connection = self._free.pop()
                if not connection.is_closed():
                    return connection
                self._open -= 1
            if self._open < self._options.size:
                return await self._open_one()
            if len(self._waiting) >= self._options.queue:
                raise Overloaded
            if (handed := await self._wait()) is not None:
                return handed

    async def _open_one(self) -> asyncpg.Connection[Any]:
        self._open += 1
        try:
            return await self._connect()
        except BaseException:
            self._open -= 1
            self._wake(None)
            raise

    async def _wait(self) -> asyncpg.Connection[Any] | None:
        """Wait for a connection that comes back; None says that there is room to open one."""
        future: asyncio.Future[asyncpg.Connection[Any] | None] = asyncio.get_running_loop().create_future()
        self._waiting.append(future)
        try:
            return await future
        except asyncio.CancelledError:
            if future.done() and not future.cancelled():
                # The connection was handed over in the moment the request gave up: pass it on.
                if (connection := future.result()) is not None:
                    self._give_back(connection)
                else:
                    self._wake(None)
            else:
                self._waiting.remove(future)  # or it would count as waiting until a connection comes back
            raise

    async def _connect(self) -> asyncpg.Connection[Any]:
        options = self._options
        try:
            connection: asyncpg.Connection[Any] = await asyncpg.connect(
                self._dsn,
                timeout=options.connect_timeout,
                command_timeout=options.statement_timeout + 1,
                statement_cache_size=500,
                max_cached_statement_lifetime=0,
                server_settings={
                    "application_name": options.application_name,
                    "statement_timeout": str(int(options.statement_timeout * 1000)),
                    "idle_in_transaction_session_timeout": "30000",
                    "timezone": "UTC",
                    "jit": "off",
                    # Pages come from memory or from SSDs, which do not care for their order.
                    "random_page_cost": "1.1",
                    # Statements are few and prepared. Planning a list anew for its limit and offset takes longer than
                    # reading it, and finds no other plan: see tests/integration/query_plans.
                    "plan_cache_mode": "force_generic_plan",
                    # Planned for any limit, a list may seem worth it; to start processes for a page is not.
                    "max_parallel_workers_per_gather": "0",
                },
            )
            await _prepare(connection)
        except (*CONNECTION_LOST, asyncpg.PostgresError) as error:
            self._say_why(error)
            raise unavailable() from error
        return connection

    def _give_back(self, connection: asyncpg.Connection[Any]) -> None:
        if connection.is_closed():
            self._open -= 1
            self._wake(None)
        elif self._closed:
            self._open -= 1
            connection.terminate()
        elif not self._wake(connection):
            self._free.append(connection)

    def _give_back_after(self, error: BaseException, connection: asyncpg.Connection[Any]) -> None:
        """A statement that PostgreSQL refused leaves the connection good; a broken-off one does not. One that may only
        read is as bad: it may have been made while the server was a standby, and would stay so."""
        if not isinstance(error, asyncpg.PostgresError | RegistryError) or isinstance(
            error, asyncpg.ReadOnlySQLTransactionError
        ):
            connection.terminate()
        self._give_back(connection)

    def _wake(self, connection: asyncpg.Connection[Any] | None) -> bool:
        while self._waiting:
            future = self._waiting.popleft()
            if not future.done():
                future.set_result(connection)
                return True
        return False

    def _raise_translated(self, error: BaseException, *, deleting: bool) -> None:
        """Raise the domain's word for the error; return when there is none, and the error is to be raised as it is."""
        if isinstance(error, Exception) and (translated := translate(error, deleting=deleting)):
            if isinstance(translated, Unavailable):
                self._say_why(error)
            raise translated from error

    def _say_why(self, error: Exception) -> None:
        """In the log; callers are told only that the database is unavailable. While it is, once a second and cause."""
        cause, now = type(error).__name__, asyncio.get_running_loop().time()
        if now - self._said.get(cause, -_QUIET_SECONDS) < _QUIET_SECONDS:
            return
        self._said[cause] = now
        # Texts of other errors may quote the connection's URL.
        text = str(error) if isinstance(error, asyncpg.PostgresError | OSError) else ""
        _log.warning("the database is unavailable", cause=cause, text=text)
