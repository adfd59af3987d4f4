"""A pool of connections with lanes: classes of statements that cannot keep each other waiting.

asyncpg's own pool resets the session in a round trip after every use, which costs about as much as the query of a read.
The service sets no session state, so no reset is needed.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any

import asyncpg

from registry_grpc.adapters.postgres.errors import unavailable
from registry_grpc.domain.errors import Overloaded


class Lane:
    """A class of statements, with its own queue, that uses at most `most` connections at a time."""

    def __init__(self, name: str, most: int) -> None:
        self.name = name
        self.most = most
        self.used = 0
        self.waiting: deque[asyncio.Future[None]] = deque()


class Pool:
    """At most `size` connections. One is reserved for each lane that uses none, but at most half of them. In each lane,
    at most `queue` wait for one, for at most `patience` seconds."""

    def __init__(
        self, connect: Callable[[], Awaitable[asyncpg.Connection[Any]]], *, size: int, queue: int, patience: float
    ) -> None:
        self._connect = connect
        self._size = size
        self._queue = queue
        self._patience = patience
        self._free: list[asyncpg.Connection[Any]] = []
        self._seeking: deque[asyncio.Future[asyncpg.Connection[Any]]] = deque()
        self._connecting: set[asyncio.Task[asyncpg.Connection[Any]]] = set()
        self._used = 0
        self._idle_lanes = 0
        self._lanes: dict[str, Lane] = {}
        self._in_turn: list[Lane] = []
        self._closed = False

    @property
    def used(self) -> int:
        """How many connections are in use."""
        return self._used

    @property
    def waiting(self) -> int:
        """How many wait for one."""
        return sum(len(lane.waiting) for lane in self._in_turn)

    def lane(self, name: str, most: int) -> Lane:
        """The lane with this name, which is created if it does not exist."""
        if name not in self._lanes:
            self._lanes[name] = Lane(name, most)
            self._in_turn.append(self._lanes[name])
            self._idle_lanes += 1
        return self._lanes[name]

    async def acquire(self, lane: Lane) -> asyncpg.Connection[Any]:
        """Raises Overloaded if too many wait in the lane already or if it waits too long, Unavailable if it waits when
        another one finds that the database is away, and the errors of `connect`."""
        if not lane.waiting and self._has_room(lane):
            self._take_place(lane)
        elif len(lane.waiting) < self._queue:
            await self._wait(lane)
        else:
            raise Overloaded
        while self._free:
            connection = self._free.pop()
            if not connection.is_closed():
                return connection
        try:
            return await self._new_or_given_back()
        except BaseException:
            self._leave_place(lane)
            raise

    def give_back(self, lane: Lane, connection: asyncpg.Connection[Any]) -> None:
        """Give a connection back, which is used again unless it is closed."""
        if not connection.is_closed():
            self._offer(connection)
        self._leave_place(lane)

    def drop_free(self) -> None:
        """Close all free connections at once, because the server does not answer."""
        while self._free:
            self._free.pop().terminate()

    async def close(self) -> None:
        """Close all free connections. Those in use are closed when they are given back."""
        self._closed = True
        for connecting in self._connecting:
            connecting.cancel()
        while self._free:
            await self._free.pop().close(timeout=2)

    async def _new_or_given_back(self) -> asyncpg.Connection[Any]:
        """A new connection or one that is given back, whichever comes first: behind a pooler without a free connection,
        connecting takes until one is free."""
        sought: asyncio.Future[asyncpg.Connection[Any]] = asyncio.get_running_loop().create_future()
        self._seeking.append(sought)
        if len(self._connecting) < len(self._seeking):
            connecting = asyncio.ensure_future(self._connect())
            self._connecting.add(connecting)
            connecting.add_done_callback(self._connected)
        try:
            return await sought
        except asyncio.CancelledError:
            if sought in self._seeking:
                self._seeking.remove(sought)
            elif not sought.cancelled() and sought.exception() is None:
                self._offer(sought.result())  # it arrived in the moment when the request was cancelled
            raise

    def _connected(self, connecting: asyncio.Task[asyncpg.Connection[Any]]) -> None:
        self._connecting.discard(connecting)
        if connecting.cancelled():  # by `close`
            if sought := self._next_seeking():
                sought.cancel()
        elif error := connecting.exception():
            nobody_has_one = len(self._seeking) == self._used
            if sought := self._next_seeking():
                sought.set_exception(error)
            if nobody_has_one:
                self._refuse_waiting()
        else:
            self._offer(connecting.result())

    def _offer(self, connection: asyncpg.Connection[Any]) -> None:
        if self._closed:
            connection.terminate()
        elif sought := self._next_seeking():
            sought.set_result(connection)
        else:
            self._free.append(connection)

    def _next_seeking(self) -> asyncio.Future[asyncpg.Connection[Any]] | None:
        while self._seeking:
            if not (sought := self._seeking.popleft()).done():
                return sought
        return None

    def _refuse_waiting(self) -> None:
        """In turn, a few at a time, each would wait for an attempt to connect of its own, which may take seconds."""
        for lane in self._in_turn:
            for future in lane.waiting:
                if not future.done():
                    future.set_exception(unavailable())
            lane.waiting.clear()

    def _has_room(self, lane: Lane) -> bool:
        if lane.used == 0:
            return self._used < self._size
        return lane.used < lane.most and self._used + min(self._idle_lanes, self._size // 2) < self._size

    def _take_place(self, lane: Lane) -> None:
        self._idle_lanes -= lane.used == 0
        lane.used += 1
        self._used += 1

    def _leave_place(self, lane: Lane) -> None:
        lane.used -= 1
        self._used -= 1
        self._idle_lanes += lane.used == 0
        self._call_next()

    def _call_next(self) -> None:
        """Give the free place to the longest waiting request of the lane that was served least recently."""
        for lane in self._in_turn:
            while lane.waiting and self._has_room(lane):
                future = lane.waiting.popleft()
                if not future.done():
                    self._take_place(lane)
                    future.set_result(None)
                    self._in_turn.remove(lane)
                    self._in_turn.append(lane)
                    return

    async def _wait(self, lane: Lane) -> None:
        loop = asyncio.get_running_loop()
        future: asyncio.Future[None] = loop.create_future()
        lane.waiting.append(future)
        timer = loop.call_later(self._patience, _refuse, lane, future)
        try:
            await future
        except asyncio.CancelledError:
            if future.cancelled():
                with suppress(ValueError):
                    lane.waiting.remove(future)  # otherwise it would count as waiting until its turn
            elif future.exception() is None:
                self._leave_place(lane)  # the place was given in the moment when the request was cancelled
            raise
        finally:
            timer.cancel()


def _refuse(lane: Lane, future: asyncio.Future[None]) -> None:
    """When all statements of a lane wait for a lock, each in turn would find that out by a wait of its own."""
    if not future.done():
        lane.waiting.remove(future)
        future.set_exception(Overloaded())
