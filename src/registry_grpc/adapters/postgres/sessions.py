"""Connects to PostgreSQL. The service needs sessions, in which settings, prepared statements, LISTEN and advisory locks
last as long as the connection.

Therefore a pooler must not be in transaction mode. In session mode, PgBouncer with its stock settings refuses most
startup parameters, so settings are made by a statement.
"""

from __future__ import annotations

import contextlib
import math
import sys
import time
from collections.abc import Callable, Mapping
from types import FrameType
from typing import Any, cast
from uuid import uuid4

import asyncpg
import structlog

from registry_grpc.adapters.spans import add, current

_log = structlog.get_logger("database")

NOT_A_SESSION = "the database is behind a pooler that does not keep sessions (transaction or statement mode)"
ADVICE = "set pool_mode = session in PgBouncer for this database, or connect to PostgreSQL itself"
_PROCESS = "SELECT pg_backend_pid()"
_TRIES = 5
_PROCESS_NAME = uuid4().hex[:16]
# The errors of a statement that was prepared on one server connection and is run on another.
_SHARED_OUT = (asyncpg.InvalidSQLStatementNameError, asyncpg.DuplicatePreparedStatementError)
_PACKAGE = __name__.rpartition(".")[0]
_BETWEEN = frozenset(f"{_PACKAGE}.{name}" for name in ("sessions", "database", "unit", "listing", "deployment_record"))
"""Modules whose statements are those of the methods that call them."""
_LONGEST_STATEMENT = 200


class _Session(asyncpg.Connection):
    slow_statement = math.inf
    """Statements that take more seconds are logged."""
    news: list[Callable[[], None]]
    """What to tell if the transaction is committed."""

    def _get_unique_id(self, prefix: str) -> str:
        """Names of prepared statements that no other process uses. If a pooler mixes up sessions, the name is unknown
        then, instead of running another process's statement, whose rows would be taken for the answer."""
        return f"{super()._get_unique_id(prefix)}{_PROCESS_NAME}"  # type: ignore[misc]

    async def execute(self, query: str, *args: Any, timeout: float | None = None) -> str:
        """Without arguments, such as COMMIT, it does not come to `_do_execute`."""
        began, error = time.monotonic(), ""
        try:
            return await super().execute(query, *args, timeout=timeout)
        except BaseException as raised:
            error = self._failed(raised)
            raise
        finally:
            if not args:
                self._tell(query, began, error, query.split(maxsplit=1)[0].rstrip(";"))

    async def _do_execute(self, query: str, *args: Any, **options: Any) -> Any:
        began, error = time.monotonic(), ""
        try:
            return await super()._do_execute(query, *args, **options)  # type: ignore[misc]
        except BaseException as raised:
            error = self._failed(raised)
            raise
        finally:
            self._tell(query, began, error)

    def _failed(self, error: BaseException) -> str:
        """The name of the error. A server that did not answer in time would not answer a ROLLBACK either, for which the
        caller would wait once more."""
        if isinstance(error, TimeoutError):
            self.terminate()
        return type(error).__name__

    def _tell(self, query: str, began: float, error: str, name: str = "") -> None:
        """`name` is that of the span, by default the name of who runs the statement."""
        seconds = time.monotonic() - began
        if (span := current()) is not None:
            add(span, name or _name_of_caller(), seconds, {"db.system.name": "postgresql"}, error)
        if seconds > self.slow_statement:
            text = " ".join(query.split())[:_LONGEST_STATEMENT]
            _log.warning("database.slow_statement", name=_name_of_caller(), seconds=round(seconds, 3), statement=text)


def _name_of_caller() -> str:
    """The method of a repository that awaits the statement."""
    frame: FrameType | None = sys._getframe()  # noqa: SLF001 - found when it is needed, names cost nothing before
    while frame is not None:
        module = frame.f_globals.get("__name__", "")
        if module.startswith(_PACKAGE) and module not in _BETWEEN:
            return frame.f_code.co_qualname
        frame = frame.f_back
    return ""


def take_news(connection: Any) -> list[Callable[[], None]]:
    """What the transaction has to tell if it is committed; nothing of it is left for the next one."""
    news: list[Callable[[], None]]
    news, connection.news = connection.news, []
    return news


async def connect(
    dsn: str,
    settings: Mapping[str, object],
    *,
    application_name: str = "registry-grpc",
    slow_statement: float = math.inf,
    **options: Any,
) -> asyncpg.Connection[Any]:
    """`options` are asyncpg's. Statements that take more seconds than `slow_statement` are logged."""
    connection: Any = await asyncpg.connect(
        dsn, connection_class=_Session, server_settings={"application_name": application_name}, **options
    )
    connection.news = []
    try:
        if settings:
            statement = ";".join(f"SET {name} = '{value}'" for name, value in settings.items())
            await connection.execute(statement, timeout=options.get("timeout"))
        connection.slow_statement = slow_statement
    except BaseException:
        connection.terminate()
        raise
    return cast("asyncpg.Connection[Any]", connection)


async def keeps_sessions(dsn: str, *, timeout: float) -> bool:
    """Whether each of two connections has its own server process, which is the same in all its statements."""
    one = await connect(dsn, {}, timeout=timeout, command_timeout=timeout)
    other = None
    try:
        own = await one.fetchval(_PROCESS)
        if own == one.get_server_pid():
            return True  # there is no pooler, which would tell another process id
        with contextlib.suppress(TimeoutError):  # in transaction mode, a second connection would be possible
            other = await connect(dsn, {}, timeout=timeout, command_timeout=timeout)
            for _ in range(_TRIES):  # other clients may use the shared connections meanwhile
                if await other.fetchval(_PROCESS) == own or await one.fetchval(_PROCESS) != own:
                    return False
    except _SHARED_OUT:
        return False
    finally:
        one.terminate()
        if other is not None:
            other.terminate()
    return True
