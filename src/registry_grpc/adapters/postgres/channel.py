"""Listens to a NOTIFY channel, with one session per process for everybody who waits."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncGenerator
from contextvars import Context
from typing import Any

import asyncpg

from registry_grpc.adapters.postgres.database import Database
from registry_grpc.adapters.postgres.epoch import EPOCH
from registry_grpc.domain.errors import Overloaded, Reason, RegistryError, Unavailable

MOST_WAITING = 1000
"""The limit per process. It exists because everybody who waits also polls."""
_HEARTBEAT_SECONDS = 1.0
_RECONNECT_SECONDS = 1.0
_JITTER = 0.2


class Channel:
    """Wakes everybody who waits for a payload. The session is opened for the first one and closed after the last one.

    PostgreSQL does not keep notifications for a lost session, and sends none when the database is restored. So
    everybody is also woken when the session is opened again, when the epoch changes, and every few seconds.
    """

    def __init__(
        self,
        database: Database,
        name: str,
        *,
        poll_seconds: float,
        beat: str = EPOCH,
        beat_seconds: float = _HEARTBEAT_SECONDS,
    ) -> None:
        """`beat` is a statement that the session repeats while anybody waits. Its first column is the epoch."""
        self._database = database
        self._name = name
        self._poll_seconds = poll_seconds
        self._beat = beat
        self._beat_seconds = beat_seconds
        self._waiting: dict[asyncio.Event, str] = {}
        self._listening: asyncio.Task[None] | None = None
        self._is_closed = False

    async def wake_ups(self, payload: str = "") -> AsyncGenerator[None, None]:
        """Yields at the start and whenever this payload (or any, if it is empty) may have been notified.

        Raises Overloaded when too many are waiting, and Unavailable once the channel is closed.
        """
        if len(self._waiting) >= MOST_WAITING:
            raise Overloaded
        woken = asyncio.Event()
        self._waiting[woken] = payload
        if self._listening is None:
            # It outlives the call that needs it first, so its lines in the log are not of that call.
            self._listening = asyncio.create_task(self._listen(), context=Context())
        try:
            while not self._is_closed:
                woken.clear()
                yield None
                await _set_within(woken, self._poll_seconds * random.uniform(1 - _JITTER, 1 + _JITTER))  # noqa: S311
            raise Unavailable(Reason.SHUTTING_DOWN)
        finally:
            del self._waiting[woken]
            if not self._waiting:
                self._listening.cancel()
                self._listening = None

    def close(self) -> None:
        """End every `wake_ups` with Unavailable."""
        self._is_closed = True
        self._wake_all()

    async def _listen(self) -> None:
        """Open the session again whenever it is lost. Meanwhile, those who wait are only woken by the clock."""
        while True:
            try:
                async with self._database.session() as session:
                    await self._hear(session)
            except (RegistryError, asyncpg.PostgresError, asyncpg.InterfaceError, OSError):
                await asyncio.sleep(_RECONNECT_SECONDS)

    async def _hear(self, session: Any) -> None:
        is_lost = asyncio.Event()
        session.add_termination_listener(lambda _: is_lost.set())
        await session.add_listener(self._name, self._wake)
        known = ""
        while not is_lost.is_set():
            # It raises if the server has vanished without closing the connection.
            epoch = await session.fetchval(self._beat)
            if epoch != known:
                self._wake_all()
            known = epoch
            await _set_within(is_lost, self._beat_seconds)

    def _wake(self, _session: Any, _pid: int, _channel: str, text: object) -> None:
        for woken, payload in self._waiting.items():
            if payload in {"", text}:
                woken.set()

    def _wake_all(self) -> None:
        for woken in self._waiting:
            woken.set()


async def _set_within(event: asyncio.Event, seconds: float) -> bool:
    try:
        async with asyncio.timeout(seconds):
            return await event.wait()
    except TimeoutError:
        return False
