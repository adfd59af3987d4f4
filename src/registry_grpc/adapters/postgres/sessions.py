"""Connects to PostgreSQL. The service needs sessions, in which settings, prepared statements, LISTEN and advisory locks
last as long as the connection.

Therefore a pooler must not be in transaction mode. In session mode, PgBouncer with its stock settings refuses most
startup parameters, so settings are made by a statement.
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
# The errors of a statement that was prepared on one server connection and is run on another.
_SHARED_OUT = (asyncpg.InvalidSQLStatementNameError, asyncpg.DuplicatePreparedStatementError)


class _Session(asyncpg.Connection):
    def _get_unique_id(self, prefix: str) -> str:
        """Names of prepared statements that no other process uses. If a pooler mixes up sessions, the name is unknown
        then, instead of running another process's statement, whose rows would be taken for the answer."""
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
