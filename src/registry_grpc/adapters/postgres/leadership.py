"""Lets one process of all lead, by an advisory lock."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing, asynccontextmanager
from typing import Any

import structlog

from registry_grpc.adapters.metrics import LEADER
from registry_grpc.adapters.postgres.database import Database
from registry_grpc.adapters.postgres.epoch import EPOCH

_log = structlog.get_logger("deployments")
_HEARTBEAT_SECONDS = 1.0
_LONGEST_SILENCE_SECONDS = 10
"""After which PostgreSQL ends the session of a leader whose process stands still, or whose machine is cut off."""
_GIVEN_UP = "it was given up"
_WRITABLE_EPOCH = f"{EPOCH} AND current_setting('transaction_read_only') = 'off'"


@asynccontextmanager
async def leadership(database: Database, lock: int, role: str) -> AsyncIterator[AsyncIterator[bool]]:
    """Compete for the lock. The iterator yields about every second whether this process has it, and ends when the
    database is read-only or was restored. `role` is for the log and the metrics."""
    # The lock belongs to the session: when the connection breaks, PostgreSQL gives it to the next one.
    async with database.session() as connection:
        await connection.execute(f"SET idle_session_timeout = '{_LONGEST_SILENCE_SECONDS}s'")
        async with aclosing(_leading(connection, lock, role)) as states:
            yield states


async def _leading(connection: Any, lock: int, role: str) -> AsyncGenerator[bool, None]:
    """The epoch is checked as well, because a standby would also give the lock."""
    leads, began_in = False, await connection.fetchval(_WRITABLE_EPOCH)
    epoch, why = began_in, "the database session was lost"
    try:
        while epoch is not None and epoch == began_in:
            if not leads and (leads := await connection.fetchval("SELECT pg_try_advisory_lock($1)", lock)):
                _log.info("leadership.gained", role=role)
            LEADER.labels(role).set(leads)
            yield leads
            await asyncio.sleep(_HEARTBEAT_SECONDS)
            epoch = await connection.fetchval(_WRITABLE_EPOCH)  # raises if the session, and with it the lock, is lost
        now = "is read-only or being restored" if epoch is None else "was restored or failed over"
        why = f"the database {now}"
    except (GeneratorExit, asyncio.CancelledError):
        why = _GIVEN_UP
        raise
    finally:
        LEADER.labels(role).set(0)
        if leads:
            write = _log.info if why == _GIVEN_UP else _log.warning
            write("leadership.lost", role=role, reason=why)
