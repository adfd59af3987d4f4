"""Turns: who waits, and who comes next."""

from __future__ import annotations

import asyncio
from uuid import UUID, uuid4

import pytest

from registry_grpc.services.turns import Turns

CROWD, ONE = uuid4(), uuid4()


async def test_groups_take_turns() -> None:
    turns, order = Turns(1), list[UUID]()

    async def work(group: UUID) -> None:
        await turns.take(group, 60)
        order.append(group)
        await asyncio.sleep(0)
        turns.give_back()

    await asyncio.gather(*(work(group) for group in (CROWD, CROWD, CROWD, CROWD, ONE)))
    assert order == [CROWD, CROWD, ONE, CROWD, CROWD]


async def test_no_turn_in_time_leaves_the_turns_of_others() -> None:
    turns = Turns(1)
    await turns.take(ONE, 60)
    with pytest.raises(TimeoutError):
        await turns.take(ONE, 0)
    waiting = asyncio.create_task(turns.take(CROWD, 60))
    await asyncio.sleep(0)
    waiting.cancel()
    await asyncio.gather(waiting, return_exceptions=True)
    turns.give_back()
    await turns.take(ONE, 0)


async def test_a_turn_that_is_granted_to_somebody_who_leaves_is_given_back() -> None:
    turns = Turns(1)
    await turns.take(ONE, 60)
    leaving = asyncio.create_task(turns.take(ONE, 60))
    await asyncio.sleep(0)
    turns.give_back()
    leaving.cancel()
    await asyncio.gather(leaving, return_exceptions=True)
    await turns.take(ONE, 0)
