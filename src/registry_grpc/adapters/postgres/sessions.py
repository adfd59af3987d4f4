"""Connections that are sessions: settings, prepared statements, LISTEN and advisory locks live as long as they do.

A pooler in between must not share them out by transactions. One in session mode refuses most parameters of a startup,
as PgBouncer does as it is installed, so settings follow in a statement.
"""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from typing import Any, cast
from uuid import uuid4

import asyncpg

NOT_A_SESSION = "the database is behind a pooler that does not keep sessions (transaction or statement mode)"
ADVICE = "set pool_mode = session in PgBouncer for this database, or connect to PostgreSQL itself"
_PROCESS = "SELECT pg_backend_pid()"
_TRIES = 5
_PROCESS_NAME = uuid4().hex[:16]
# What a statement is answered that was prepared on one connection and is run on another.
_SHARED_OUT = (asyncpg.InvalidSQLStatementNameError, asyncpg.DuplicatePreparedStatementError)


class _Session(asyncpg.Connection):
    def _get_unique_id(self, prefix: str) -> str:
        """The names of prepared statements, unlike those of any other process: where sessions are mixed up, a name is
        unknown then, and not another process's statement, whose rows would be taken for the answer."""
        return f"{super()._get_unique_id(prefix)}{_PROCESS_NAME}"  # type: ignore[misc]


async def connect(
    dsn: str, settings: Mapping[str, object], *, application_name: str = "registry-grpc", **options: Any
) -> asyncpg.Connection[Any]:
    """`options` are asyncpg's."""
    connection = await asyncpg.connect(
        dsn, connection_class=_Session, server_settings={"application_name": application_name}, **options
    )
    try:
        if settings:
            statement = ";".join(f"SET {name} = '{value}'" for name, value in settings.items())
            await connection.execute(statement, timeout=options.get("timeout"))
    except BaseException:
        connection.terminate()
        raise
    return cast("asyncpg.Connection[Any]", connection)


async def keeps_sessions(dsn: str, *, timeout: float) -> bool:
    """Whether two connections have a server process each, and the same one in all their statements."""
    one = await connect(dsn, {}, timeout=timeout, command_timeout=timeout)
    other = None
    try:
        own = await one.fetchval(_PROCESS)
        if own == one.get_server_pid():
            return True  # nothing is in between: poolers tell numbers of their own
        with contextlib.suppress(TimeoutError):  # a pool that is full keeps sessions
            other = await connect(dsn, {}, timeout=timeout, command_timeout=timeout)
            for _ in range(_TRIES):  # others may use what is shared out meanwhile
                if await other.fetchval(_PROCESS) == own or await one.fetchval(_PROCESS) != own:
                    return False
    except _SHARED_OUT:
        return False
    finally:
        one.terminate()
        if other is not None:
            other.terminate()
    return True
