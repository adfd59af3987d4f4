"""The pool when it cannot get another connection: a pooler is full, the server refuses, or others keep theirs."""

from __future__ import annotations

import asyncio
from typing import Any, cast

import asyncpg
import pytest

from registry_grpc.adapters.postgres.pool import Pool
from registry_grpc.domain.errors import Overloaded


class _Connection:
    is_terminated = False

    def is_closed(self) -> bool:
        return self.is_terminated

    def terminate(self) -> None:
        self.is_terminated = True

    async def close(self, timeout: float) -> None:
        self.is_terminated = True


class _Server:
    """Gives this many connections. Further calls wait."""

    def __init__(self, connections: int) -> None:
        self.left = connections
        self.asked = 0
        self.more = asyncio.Event()

    async def connect(self) -> asyncpg.Connection[Any]:
        self.asked += 1
        if self.left == 0:
            await self.more.wait()
        self.left -= 1
        return cast("asyncpg.Connection[Any]", _Connection())


async def test_a_connection_that_is_given_back_is_taken_instead_of_a_new_one() -> None:
    server = _Server(1)
    pool = Pool(server.connect, size=3, queue=9, patience=60)
    lane = pool.lane("", 3)
    only = await pool.acquire(lane)
    for _ in range(5):
        waiting = [asyncio.create_task(pool.acquire(lane)) for _ in range(2)]
        await asyncio.sleep(0)
        for taken in waiting:
            pool.give_back(lane, only)
            assert await taken is only
    assert server.asked == 3, "who waits for a connection already is not joined by more"

    server.left = 2
    server.more.set()
    await asyncio.sleep(0.01)
    pool.give_back(lane, only)
    taken_together = {id(await pool.acquire(lane)) for _ in range(3)}
    assert len(taken_together) == 3
    assert server.asked == 3


async def test_a_cancelled_waiter_passes_its_new_connection_on() -> None:
    server = _Server(1)
    pool = Pool(server.connect, size=3, queue=9, patience=60)
    lane = pool.lane("", 3)
    only = await pool.acquire(lane)
    gives_up, stays = (asyncio.create_task(pool.acquire(lane)) for _ in range(2))
    await asyncio.sleep(0)
    pool.give_back(lane, only)
    gives_up.cancel()
    assert await stays is only


async def test_waiting_for_a_connection_ends_when_the_pool_is_closed() -> None:
    pool = Pool(_Server(0).connect, size=3, queue=9, patience=60)
    seeking = asyncio.create_task(pool.acquire(pool.lane("", 3)))
    await asyncio.sleep(0)
    await pool.close()
    with pytest.raises(asyncio.CancelledError):
        await asyncio.wait_for(seeking, 2)


async def test_idle_lanes_keep_half_of_the_connections_at_most() -> None:
    pool = Pool(_Server(16).connect, size=16, queue=9, patience=60)
    first, second, *others = (pool.lane(f"lane {number}", 7) for number in range(15))
    held = [pool.acquire(first) for _ in range(7)]
    await asyncio.wait_for(asyncio.gather(*held), 1)  # all that it may have

    stuck = [asyncio.create_task(pool.acquire(lane)) for lane in (first, *[second] * 7)]
    await asyncio.sleep(0.01)
    assert [task.done() for task in stuck] == [False, True, *[False] * 6]
    for lane in others[:8]:
        await asyncio.wait_for(pool.acquire(lane), 1)  # although two lanes want all connections
    for task in stuck:
        task.cancel()


async def test_all_who_wait_learn_from_one_attempt_that_the_database_is_away() -> None:
    """A server that does not answer keeps each attempt waiting for seconds."""
    attempts: list[asyncio.Future[asyncpg.Connection[Any]]] = []

    async def connect() -> asyncpg.Connection[Any]:
        attempts.append(asyncio.get_running_loop().create_future())
        return await attempts[-1]

    pool = Pool(connect, size=3, queue=9, patience=60)
    lane, other = pool.lane("lane", 2), pool.lane("other", 2)
    calls = [asyncio.create_task(pool.acquire(each)) for each in (*[lane] * 6, *[other] * 3)]
    await asyncio.sleep(0.01)
    attempts[0].set_exception(OSError("away"))
    refused, _ = await asyncio.wait(calls, timeout=0.05)
    assert sorted(type(call.exception()).__name__ for call in refused) == ["OSError", *["Unavailable"] * 6]
    assert len(attempts) == 3
    assert pool.waiting == 0

    connection = cast("asyncpg.Connection[Any]", _Connection())
    attempts[1].set_result(connection)
    assert await next(call for call in calls if call not in refused) is connection
    calls += [asyncio.create_task(pool.acquire(lane)) for _ in range(2)]
    await asyncio.sleep(0.01)
    attempts[2].set_exception(OSError("too many connections"))
    await asyncio.sleep(0.01)
    assert pool.waiting == 1, "the connection that is in use will be given back"
    for call in calls:
        call.cancel()


async def test_who_waits_too_long_is_refused_and_leaves_no_trace() -> None:
    """As behind statements that wait for a locked table, a few at a time."""
    pool = Pool(_Server(2).connect, size=2, queue=3, patience=0.1)
    lane, other = pool.lane("lane", 1), pool.lane("other", 1)
    held = await pool.acquire(lane)
    async with asyncio.timeout(30):
        refused = await asyncio.gather(*(pool.acquire(lane) for _ in range(3)), return_exceptions=True)
        assert [type(each) for each in refused] == [Overloaded] * 3
        assert pool.waiting == 0
        pool.give_back(other, await pool.acquire(other))

        last = asyncio.create_task(pool.acquire(lane))
        await asyncio.sleep(0)
        pool.give_back(lane, held)
        assert await last is held
        pool.give_back(lane, held)
    assert pool.used == 0


async def test_nobody_needs_a_timer_who_does_not_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    pool = Pool(_Server(1).connect, size=1, queue=9, patience=60)
    lane = pool.lane("", 1)
    pool.give_back(lane, await pool.acquire(lane))
    monkeypatch.setattr(asyncio.get_running_loop(), "call_later", None)
    pool.give_back(lane, await pool.acquire(lane))


@pytest.mark.parametrize("ending", ["too long", "away", "given"])
async def test_a_waiter_that_is_cancelled_in_the_moment_of_its_answer_leaves_no_trace(ending: str) -> None:
    connecting: asyncio.Future[asyncpg.Connection[Any]] = asyncio.get_running_loop().create_future()

    async def connect() -> asyncpg.Connection[Any]:
        return await connecting

    pool = Pool(connect, size=1, queue=9, patience=0.05 if ending == "too long" else 60)
    lane = pool.lane("", 1)
    first = asyncio.create_task(pool.acquire(lane))
    waiting = asyncio.create_task(pool.acquire(lane))
    await asyncio.sleep(0)
    if ending == "given":
        connecting.set_result(cast("asyncpg.Connection[Any]", _Connection()))
        pool.give_back(lane, await first)
    elif ending == "away":
        connecting.set_exception(OSError("away"))
    async with asyncio.timeout(30):
        while pool.waiting:  # noqa: ASYNC110 - until just after the answer
            await asyncio.sleep(0)
    waiting.cancel()
    await asyncio.gather(waiting, return_exceptions=True)
    assert waiting.cancelled()
    if ending == "too long":
        first.cancel()
    await asyncio.gather(first, return_exceptions=True)
    assert (pool.used, lane.used, pool.waiting) == (0, 0, 0)
