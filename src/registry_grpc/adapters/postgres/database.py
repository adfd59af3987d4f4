"""Runs statements on PostgreSQL over a bounded pool of connections.

A connection on which a statement did not end normally is closed and not reused.
"""

from __future__ import annotations

import math
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from copy import copy
from dataclasses import dataclass
from functools import cache
from typing import Any, Self, TypeVar

import asyncpg
import orjson
import structlog

from registry_grpc.adapters.metrics import (
    CONNECTIONS_LIMIT,
    CONNECTIONS_USED,
    CONNECTIONS_WAITED_FOR,
    DATABASE_ERRORS,
    statement_timer,
)
from registry_grpc.adapters.postgres.columns import actor_is, said_of_call
from registry_grpc.adapters.postgres.errors import CONNECTION_LOST, translate, unavailable
from registry_grpc.adapters.postgres.pool import Pool
from registry_grpc.adapters.postgres.sessions import connect, keeps_sessions, take_news
from registry_grpc.adapters.postgres.unit import UNIT, Unit
from registry_grpc.domain.actor import NAMELESS
from registry_grpc.domain.errors import FilterTooExpensive, Overloaded, Reason, RegistryError, Unavailable

T = TypeVar("T")
Run = Callable[..., Awaitable[Any]]
"""`write` of a Database, or the fetchrow of a connection in a transaction."""

_log = structlog.get_logger("database")
_SLOW_FILTERS = 3  # at a time, per worker
_PART_FOR_SLOW_FILTERS = 0.4
_SET_ACTOR = f"SELECT {actor_is('$1')}"


@dataclass(frozen=True, slots=True, kw_only=True)
class DatabaseOptions:
    """Limits of the connections. Times are in seconds."""

    size: int = 16
    queue: int = 500
    """How many statements of each share may wait for a connection."""
    share: float = 0.4
    """The largest part of the connections that one share may use."""
    connect_timeout: float = 2.0
    """How long a call waits for a new connection, and for one that others use."""
    statement_timeout: float = 5.0
    lock_timeout: float = 1.0
    slow_statement: float = math.inf
    """Statements that take longer are logged."""
    application_name: str = "registry-grpc"


@cache
def _named(statement: str, place: int) -> str:
    """Sets the actor in the statement itself, whose triggers run when it ends: a round trip of its own would cost more.
    This is one more column of a RETURNING list, and one more table of a FROM list."""
    return f"{statement}, {actor_is(f'${place}')}"


def _open_unit() -> Unit | None:
    unit = UNIT.get()
    return None if unit is None or unit.is_over else unit


async def _begun(_connection: asyncpg.Connection[Any]) -> None:
    """The transaction of the unit has begun before it."""


class _Presence:
    """Logs once when the database is away, and once when it is back, by what connecting to it comes to."""

    def __init__(self) -> None:
        self._away_since: float | None = None
        self._successes = 0

    @contextmanager
    def connecting(self) -> Iterator[None]:
        """Raises Unavailable."""
        successes = self._successes
        try:
            yield
        except (*CONNECTION_LOST, asyncpg.PostgresError) as error:
            DATABASE_ERRORS.labels(type(error).__name__).inc()
            # One that began before the last success does not know that the database is back.
            if self._away_since is None and successes == self._successes:
                self._away_since = time.monotonic()
                _log.warning("database.away", **_said_of(error))
            raise unavailable() from error
        self._successes += 1
        if self._away_since is not None:
            _log.info("database.back", after_seconds=round(time.monotonic() - self._away_since, 1))
            self._away_since = None


def _said_of(error: Exception) -> dict[str, str]:
    """Why the database is unavailable, which callers are not told. The texts of other errors may contain the URL."""
    is_told = isinstance(error, asyncpg.PostgresError | asyncpg.InternalClientError | OSError)
    return {"cause": type(error).__name__, "text": str(error) if is_told else ""}


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
        size, queue, patience = self._options.size, self._options.queue, self._options.connect_timeout
        self._pool = Pool(self._connect, size=size, queue=queue, patience=patience)
        self._lane = self._pool.lane("other", self._options.size)
        self._presence = _Presence()
        self._filter_seconds: float | None = None
        """How long a statement with a filter of a caller may take; None for other statements."""

    def share(self, name: str, most: int | None = None) -> Self:
        """The same database for one class of statements. When these wait, for example for a lock on their table, the
        statements of other shares do not. At most `most` run at a time; default: as many as the options say."""
        share = copy(self)
        share._lane = self._pool.lane(name, most or math.ceil(self._options.size * self._options.share))  # noqa: SLF001 - it is a Database, too
        return share

    def for_filter(self, *, is_indexed: bool) -> Self:
        """The same database for statements with a filter of a caller, which raise FilterTooExpensive if they take too
        long. Those without an index get less time, and few connections, so that no caller can hold many."""
        share = copy(self) if is_indexed else self.share("slow filters", _SLOW_FILTERS)
        seconds = self._options.statement_timeout
        share._filter_seconds = seconds if is_indexed else seconds * _PART_FOR_SLOW_FILTERS  # noqa: SLF001 - as share
        return share

    async def fetch(self, statement: str, *args: Any) -> list[Any]:
        """All rows of the result."""
        return await self._run(lambda connection: connection.fetch(statement, *args))

    async def fetchrow(self, statement: str, *args: Any) -> Any | None:
        """The first row of the result, or None."""
        return await self._run(lambda connection: connection.fetchrow(statement, *args))

    async def write(self, statement: str, *args: Any, deleting: bool = False) -> Any | None:
        """The first row of the result of a statement that writes in the caller's name, or None. It ends with a list
        after RETURNING or FROM. `deleting` decides the meaning of a violated foreign key."""
        named, said = _named(statement, len(args) + 1), said_of_call()
        return await self._write(lambda connection: connection.fetchrow(named, *args, said), deleting=deleting)

    async def execute(self, statement: str, *args: Any) -> int:
        """The number of rows written, of which no event is recorded."""
        tag = await self._write(lambda connection: connection.execute(statement, *args))
        return int(tag.rpartition(" ")[2])

    @asynccontextmanager
    async def transaction(self, *, deleting: bool = False) -> AsyncIterator[asyncpg.Connection[Any]]:
        """A connection in a transaction, which is committed if the block ends without an error: at once, or with the
        other writes of the call if these are a unit."""
        if (unit := _open_unit()) is not None:
            async with self._step(unit, deleting=deleting) as connection:
                yield connection
            return
        with self._timed("transaction"):
            connection = await self.borrow()
            try:
                async with connection.transaction():
                    if (said := said_of_call()) != NAMELESS:
                        await connection.fetchval(_SET_ACTOR, said)
                    yield connection
            except BaseException as error:
                take_news(connection)
                self._give_back_after(error, connection)
                self._raise_translated(error, deleting=deleting)
                raise
            news = take_news(connection)
            self.give_back(connection)
        for tell in news:
            tell()

    @asynccontextmanager
    async def unit(self) -> AsyncIterator[asyncpg.Connection[Any]]:
        """A transaction to which all statements of the block belong, of whichever share: a part of the call's unit if
        there is one."""
        async with self.transaction() as connection:
            if _open_unit() is not None:
                yield connection
                return
            unit = Unit(_begun)
            unit.connection = connection
            before = UNIT.set(unit)
            try:
                yield connection
            finally:
                UNIT.reset(before)

    @asynccontextmanager
    async def session(self) -> AsyncIterator[asyncpg.Connection[Any]]:
        """A connection outside of the pool, for LISTEN and advisory locks."""
        connection = await self._connect()
        try:
            yield connection
        except Exception as error:
            self._raise_translated(error, deleting=False)
            raise
        finally:
            connection.terminate()

    @asynccontextmanager
    async def snapshot(self) -> AsyncIterator[asyncpg.Connection[Any]]:
        """A connection outside of the pool that sees the database as it is now until the block ends, and cannot
        write."""
        async with self.session() as session, session.transaction(isolation="repeatable_read", readonly=True):
            yield session

    async def commit(self, unit: Unit) -> None:
        """Commit an open unit. Raises Unavailable if it is not known whether it was committed."""
        try:
            await unit.commit()
        except Exception as error:
            self._raise_translated(error, deleting=False)
            raise

    async def ping(self) -> None:
        """Raises Unavailable if the database does not answer or is read-only."""
        row = await self.fetchrow("SELECT current_setting('transaction_read_only')::boolean AS is_read_only")
        if row is None or row["is_read_only"]:
            raise Unavailable(Reason.DATABASE_READ_ONLY)

    async def keeps_sessions(self) -> bool:
        """False behind a pooler in transaction or statement mode. Raises Unavailable."""
        with self._presence.connecting():
            return await keeps_sessions(self._dsn, timeout=self._options.connect_timeout)

    def measure(self) -> None:
        """Tell the metrics how many connections are in use."""
        CONNECTIONS_USED.set(self._pool.used)
        CONNECTIONS_LIMIT.set(self._options.size)
        CONNECTIONS_WAITED_FOR.set(self._pool.waiting)

    async def close(self) -> None:
        """Close all free connections. Those in use are closed when they are given back."""
        await self._pool.close()

    async def _write(self, work: Callable[[asyncpg.Connection[Any]], Awaitable[T]], *, deleting: bool = False) -> T:
        if (unit := _open_unit()) is None:
            return await self._run(work, deleting=deleting, kind="write")
        async with self._step(unit, deleting=deleting) as connection:
            return await work(connection)

    @asynccontextmanager
    async def _step(self, unit: Unit, *, deleting: bool) -> AsyncIterator[asyncpg.Connection[Any]]:
        try:
            async with unit.step(self) as connection:
                yield connection
        except BaseException as error:
            self._raise_translated(error, deleting=deleting)
            raise

    def _limited(
        self, work: Callable[[asyncpg.Connection[Any]], Awaitable[T]]
    ) -> Callable[[asyncpg.Connection[Any]], Awaitable[T]]:
        """The work, with the time of a filter if that is shorter than other statements have."""
        seconds = self._filter_seconds
        if seconds is None or seconds == self._options.statement_timeout:
            return work

        async def limited(connection: asyncpg.Connection[Any]) -> T:
            async with connection.transaction():
                await connection.execute(f"SET LOCAL statement_timeout = {int(seconds * 1000)}")
                return await work(connection)

        return limited

    async def _run(
        self,
        work: Callable[[asyncpg.Connection[Any]], Awaitable[T]],
        *,
        deleting: bool = False,
        kind: str = "read",
    ) -> T:
        with self._timed(kind):
            if (unit := UNIT.get()) is not None and unit.connection is not None:
                try:
                    return await work(unit.connection)
                except Exception as error:
                    self._raise_translated(error, deleting=deleting)
                    raise
            connection = await self.borrow()
            try:
                result = await self._limited(work)(connection)
            except BaseException as error:
                self._give_back_after(error, connection)
                self._raise_translated(error, deleting=deleting)
                raise
            self.give_back(connection)
            return result

    @contextmanager
    def _timed(self, kind: str) -> Iterator[None]:
        began = time.perf_counter()
        try:
            yield
        finally:
            statement_timer(self._lane.name, kind).observe(time.perf_counter() - began)

    async def borrow(self) -> asyncpg.Connection[Any]:
        """A connection, which has to be given back. Raises Overloaded, Unavailable."""
        try:
            return await self._pool.acquire(self._lane)
        except Overloaded:
            DATABASE_ERRORS.labels("Overloaded").inc()
            raise

    def give_back(self, connection: asyncpg.Connection[Any]) -> None:
        self._pool.give_back(self._lane, connection)

    async def _connect(self) -> asyncpg.Connection[Any]:
        options = self._options
        with self._presence.connecting():
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
                    # The event log says that the registry has made a change, and not another program.
                    "registry.actor": NAMELESS,
                },
                application_name=options.application_name,
                slow_statement=options.slow_statement,
                timeout=options.connect_timeout,
                command_timeout=options.statement_timeout + 1,
                statement_cache_size=500,
                max_cached_statement_lifetime=0,
            )
            await _prepare(connection)
        return connection

    def _give_back_after(self, error: BaseException, connection: asyncpg.Connection[Any]) -> None:
        """Reuse the connection if PostgreSQL refused the statement, and close it if the statement was broken off. Also
        close it if it is read-only: it may stay so although the server is no longer a standby. If there was no answer,
        there will be none on the others either."""
        if isinstance(error, TimeoutError):
            self._pool.drop_free()
        if not isinstance(error, asyncpg.PostgresError | RegistryError) or isinstance(
            error, asyncpg.ReadOnlySQLTransactionError
        ):
            connection.terminate()
        self.give_back(connection)

    def _raise_translated(self, error: BaseException, *, deleting: bool) -> None:
        """Raise the error of the domain. Returns if there is none: then the caller has to raise the error itself."""
        if self._filter_seconds is not None and isinstance(error, asyncpg.QueryCanceledError):
            raise FilterTooExpensive(self._filter_seconds) from error
        if isinstance(error, Exception) and (translated := translate(error, deleting=deleting)):
            if isinstance(translated, Unavailable):
                DATABASE_ERRORS.labels(type(error).__name__).inc()
                # If it is lost, the next connection fails too; if not, it was only this one.
                write = _log.debug if isinstance(error, CONNECTION_LOST) else _log.warning
                write("database.statement_refused", **_said_of(error))
            raise translated from error
