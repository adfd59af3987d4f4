"""Runs statements on PostgreSQL over a bounded pool of connections.

A connection on which a statement did not end normally is closed and not reused.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from copy import copy
from dataclasses import dataclass
from typing import Any, Self, TypeVar

import asyncpg
import orjson
import structlog

from registry_grpc.adapters.postgres.errors import CONNECTION_LOST, translate, unavailable
from registry_grpc.adapters.postgres.pool import Pool
from registry_grpc.adapters.postgres.sessions import connect, keeps_sessions
from registry_grpc.domain.errors import Reason, RegistryError, Unavailable

T = TypeVar("T")

_log = structlog.get_logger("database")
_QUIET_SECONDS = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class DatabaseOptions:
    """Limits of the connections. Times are in seconds."""

    size: int = 16
    queue: int = 500
    """How many statements of each share may wait for a connection."""
    share: float = 0.4
    """The largest part of the connections that one share may use."""
    connect_timeout: float = 2.0
    statement_timeout: float = 5.0
    lock_timeout: float = 1.0
    application_name: str = "registry-grpc"


async def _prepare(connection: asyncpg.Connection[Any]) -> None:
    await connection.set_type_codec(
        "jsonb",
        schema="pg_catalog",
        encoder=lambda value: orjson.dumps(value).decode(),
        decoder=orjson.loads,
    )


class Database:
    """Runs statements. Raises errors of the domain (see errors.translate), except for faults of the code."""

    def __init__(self, dsn: str, options: DatabaseOptions | None = None) -> None:
        self._dsn = dsn
        self._options = options or DatabaseOptions()
        self._pool = Pool(self._connect, size=self._options.size, queue=self._options.queue)
        self._lane = self._pool.lane("", self._options.size)
        self._said: dict[str, float] = {}

    def share(self, name: str, most: int | None = None) -> Self:
        """The same database for one class of statements. When these wait, for example for a lock on their table, the
        statements of other shares do not. At most `most` run at a time; default: as many as the options say."""
        share = copy(self)
        share._lane = self._pool.lane(name, most or math.ceil(self._options.size * self._options.share))  # noqa: SLF001 - it is a Database, too
        return share

    async def fetch(self, statement: str, *args: Any) -> list[Any]:
        """All rows of the result."""
        return await self._run(lambda connection: connection.fetch(statement, *args))

    async def fetchrow(self, statement: str, *args: Any) -> Any | None:
        """The first row of the result, or None."""
        return await self._run(lambda connection: connection.fetchrow(statement, *args))

    async def execute(self, statement: str, *args: Any, deleting: bool = False) -> int:
        """The number of rows written. `deleting` decides the meaning of a violated foreign key."""
        tag = await self._run(lambda connection: connection.execute(statement, *args), deleting=deleting)
        return int(tag.rpartition(" ")[2])

    @asynccontextmanager
    async def transaction(self, *, deleting: bool = False) -> AsyncIterator[asyncpg.Connection[Any]]:
        """A connection in a transaction, which is committed if the block ends without an error."""
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
        """A connection outside of the pool, for LISTEN and advisory locks."""
        connection = await self._connect()
        try:
            yield connection
        finally:
            connection.terminate()

    async def ping(self) -> None:
        """Raises Unavailable if the database does not answer or is read-only."""
        row = await self.fetchrow("SELECT current_setting('transaction_read_only')::boolean AS is_read_only")
        if row is None or row["is_read_only"]:
            raise Unavailable(Reason.DATABASE_READ_ONLY)

    async def keeps_sessions(self) -> bool:
        """False behind a pooler in transaction or statement mode. Raises Unavailable."""
        with self._connecting():
            return await keeps_sessions(self._dsn, timeout=self._options.connect_timeout)

    async def close(self) -> None:
        """Close all free connections. Those in use are closed when they are given back."""
        await self._pool.close()

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
        return await self._pool.acquire(self._lane)

    def _give_back(self, connection: asyncpg.Connection[Any]) -> None:
        self._pool.give_back(self._lane, connection)

    async def _connect(self) -> asyncpg.Connection[Any]:
        options = self._options
        with self._connecting():
            connection = await connect(
                self._dsn,
                {
                    "statement_timeout": int(options.statement_timeout * 1000),
                    "lock_timeout": int(options.lock_timeout * 1000),
                    "idle_in_transaction_session_timeout": 30_000,
                    "timezone": "UTC",
                    "jit": "off",
                    # Pages are in memory or on SSDs, where random reads cost hardly more than sequential ones.
                    "random_page_cost": 1.1,
                    # All statements are prepared. Planning a list again for its limit and offset takes longer than
                    # reading it, and finds the same plan: see tests/integration/query_plans.
                    "plan_cache_mode": "force_generic_plan",
                    # A generic plan of a list may use parallel workers, but a page is not worth starting them.
                    "max_parallel_workers_per_gather": 0,
                },
                application_name=options.application_name,
                timeout=options.connect_timeout,
                command_timeout=options.statement_timeout + 1,
                statement_cache_size=500,
                max_cached_statement_lifetime=0,
            )
            await _prepare(connection)
        return connection

    @contextmanager
    def _connecting(self) -> Iterator[None]:
        try:
            yield
        except (*CONNECTION_LOST, asyncpg.PostgresError) as error:
            self._say_why(error)
            raise unavailable() from error

    def _give_back_after(self, error: BaseException, connection: asyncpg.Connection[Any]) -> None:
        """Reuse the connection if PostgreSQL refused the statement, and close it if the statement was broken off. Also
        close it if it is read-only: it may stay so although the server is no longer a standby."""
        if not isinstance(error, asyncpg.PostgresError | RegistryError) or isinstance(
            error, asyncpg.ReadOnlySQLTransactionError
        ):
            connection.terminate()
        self._give_back(connection)

    def _raise_translated(self, error: BaseException, *, deleting: bool) -> None:
        """Raise the error of the domain. Returns if there is none: then the caller has to raise the error itself."""
        if isinstance(error, Exception) and (translated := translate(error, deleting=deleting)):
            if isinstance(translated, Unavailable):
                self._say_why(error)
            raise translated from error

    def _say_why(self, error: Exception) -> None:
        """Log the cause, because callers are only told that the database is unavailable. Once per second and cause."""
        cause, now = type(error).__name__, asyncio.get_running_loop().time()
        if now - self._said.get(cause, -_QUIET_SECONDS) < _QUIET_SECONDS:
            return
        self._said[cause] = now
        # The texts of other errors may contain the connection's URL.
        text = str(error) if isinstance(error, asyncpg.PostgresError | asyncpg.InternalClientError | OSError) else ""
        _log.warning("the database is unavailable", cause=cause, text=text)
