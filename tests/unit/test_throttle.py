"""The throttle lets a burst through, then a steady rate, and nothing while the server asks to wait."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable

from registry_grpc.adapters.kserve.throttle import Limits, Throttle


async def seconds(doing: Awaitable[object]) -> float:
    loop = asyncio.get_running_loop()
    began = loop.time()
    await doing
    return loop.time() - began


async def test_a_burst_is_not_held_up() -> None:
    throttle = Throttle(Limits(requests_per_second=0.001, burst=5))
    assert await seconds(asyncio.gather(*(throttle.turn() for _ in range(5)))) < 30


async def test_after_the_burst_the_rate_holds() -> None:
    throttle = Throttle(Limits(requests_per_second=50, burst=2))
    assert 0.08 <= await seconds(asyncio.gather(*(throttle.turn() for _ in range(7)))) < 10


async def test_a_cancelled_waiter_gives_its_turn_back() -> None:
    throttle = Throttle(Limits(requests_per_second=10, burst=1))
    await throttle.turn()
    waiting = [asyncio.create_task(throttle.turn()) for _ in range(100)]
    await asyncio.sleep(0)
    for task in waiting:
        task.cancel()
    await asyncio.gather(*waiting, return_exceptions=True)
    assert await seconds(throttle.turn()) < 2


async def test_many_that_begin_to_watch_do_not_keep_a_request_waiting() -> None:
    throttle = Throttle(Limits(requests_per_second=100, burst=1))
    watching = [asyncio.create_task(throttle.turn()) for _ in range(50)]
    await asyncio.sleep(0)
    async with throttle.slot():
        assert sum(task.done() for task in watching) < 10
    await asyncio.gather(*watching)


async def test_nobody_passes_while_the_server_asks_to_wait() -> None:
    throttle = Throttle(Limits(requests_per_second=1000, burst=10))
    throttle.close_for(0.2)
    throttle.close_for(0.05)
    assert await seconds(throttle.turn()) >= 0.15
