"""The connection pool on a real PostgreSQL: bounded, fair, and intact after every kind of failure."""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import signal
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import asyncpg
import pytest
from structlog.testing import capture_logs
from tests.postgres import PATIENT

from registry_grpc.adapters.postgres.database import Database, DatabaseOptions
from registry_grpc.domain.errors import ConcurrentChange, Overloaded, Reason, Unavailable

SLEEP = "SELECT pg_sleep(0.3)"


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    database = Database(database_url, replace(PATIENT, size=2, queue=3))
    yield database
    await database.close()


async def _backends(database: Database) -> set[int]:
    """The connections of two concurrent statements."""
    rows = await asyncio.gather(*(database.fetchrow("SELECT pg_backend_pid() AS pid, pg_sleep(0.5)") for _ in range(2)))
    return {row["pid"] for row in rows if row}


async def test_connections_are_used_again_and_never_more_than_allowed(database: Database) -> None:
    first = await _backends(database)
    results = await asyncio.gather(*(database.fetchrow("SELECT pg_backend_pid() AS pid") for _ in range(5)))

    assert len(first) == 2
    assert {row["pid"] for row in results if row} <= first


async def test_more_than_may_wait_are_refused_at_once(database: Database) -> None:
    await _backends(database)
    running = [asyncio.create_task(database.fetch(SLEEP)) for _ in range(5)]
    await asyncio.sleep(0.05)

    with pytest.raises(Overloaded):
        await database.fetch("SELECT 1")

    assert len(await asyncio.gather(*running)) == 5
    assert await database.fetch("SELECT 1")


async def test_a_cancelled_waiter_gives_its_turn_to_the_next(database: Database) -> None:
    await _backends(database)
    holders = [asyncio.create_task(database.fetch(SLEEP)) for _ in range(2)]
    await asyncio.sleep(0.05)
    gives_up = asyncio.create_task(database.fetch("SELECT 'first'"))
    stays = asyncio.create_task(database.fetchrow("SELECT 'second' AS name"))
    await asyncio.sleep(0.05)
    gives_up.cancel()

    row = await asyncio.wait_for(stays, 2)

    assert row is not None
    assert row["name"] == "second"
    await asyncio.gather(*holders)
    assert len(await _backends(database)) == 2


async def test_a_cancelled_waiter_does_not_count_as_waiting(database: Database) -> None:
    await _backends(database)
    holders = [asyncio.create_task(database.fetch(SLEEP)) for _ in range(2)]
    await asyncio.sleep(0.05)
    for _ in range(2):
        waiting = [asyncio.create_task(database.fetch("SELECT 1")) for _ in range(3)]
        await asyncio.sleep(0.01)
        assert not any(task.done() for task in waiting)
        for task in waiting:
            task.cancel()
        await asyncio.gather(*waiting, return_exceptions=True)
    await asyncio.gather(*holders)


async def test_a_connection_is_handed_on_when_its_receiver_gives_up_in_that_moment(database: Database) -> None:
    for _ in range(20):
        waiting = [asyncio.create_task(database.fetch("SELECT pg_sleep(0.002)")) for _ in range(5)]
        await asyncio.sleep(0.003)
        for task in waiting[2:]:
            task.cancel()
        await asyncio.gather(*waiting, return_exceptions=True)

    assert len(await asyncio.wait_for(_backends(database), 5)) == 2


async def test_a_statement_that_is_broken_off_takes_its_connection_along(database: Database) -> None:
    before = await _backends(database)
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(database.fetch("SELECT pg_sleep(5)"), 0.1)

    after = await asyncio.wait_for(_backends(database), 5)

    assert len(after) == 2
    assert len(after & before) == 1


async def test_a_table_that_is_being_restored_is_unavailable(database: Database) -> None:
    before = await _backends(database)
    for statement in ("SELECT 1 FROM restored", "INSERT INTO restored VALUES (1)"):
        with pytest.raises(Unavailable) as refusal:
            await database.fetch(statement)
        assert refusal.value.reason is Reason.DATABASE_UNAVAILABLE
    assert await _backends(database) == before


async def test_a_refused_statement_keeps_its_connection(database: Database) -> None:
    before = await _backends(database)
    with pytest.raises(Exception, match="division by zero"):
        await database.fetch("SELECT 1 / 0")

    assert await _backends(database) == before


async def test_a_transaction_is_rolled_back_by_an_error(database: Database) -> None:
    async def fails(connection: Any) -> None:
        await connection.execute("CREATE TABLE rolled_back (id int)")
        raise Overloaded

    with pytest.raises(Overloaded):
        async with database.transaction() as connection:
            await fails(connection)

    row = await database.fetchrow("SELECT to_regclass('rolled_back') AS found")
    assert row is not None
    assert row["found"] is None


async def test_connections_that_the_server_ended_are_replaced(database: Database) -> None:
    before = await _backends(database)
    async with database.session() as connection:
        for pid in before:
            await connection.fetchval("SELECT pg_terminate_backend($1)", pid)
    await asyncio.sleep(0.1)

    assert not await _backends(database) & before


async def test_a_connection_that_may_only_read_is_not_used_again(database: Database) -> None:
    before = await _backends(database)
    await database.fetch("CREATE TABLE IF NOT EXISTS written (id int)")
    for _ in before:
        # Like a connection that was made while the server was a standby.
        await database.fetch("SELECT set_config('default_transaction_read_only', 'on', false)")
    outcomes = await asyncio.gather(
        *(database.execute("INSERT INTO written VALUES (1)") for _ in before), return_exceptions=True
    )
    assert Unavailable in {type(outcome) for outcome in outcomes}
    for _ in range(len(before)):
        with contextlib.suppress(Unavailable):
            await database.execute("INSERT INTO written VALUES (1)")
    assert await database.execute("INSERT INTO written VALUES (1)") == 1


async def test_a_table_that_was_changed_meanwhile_is_a_concurrent_change(database: Database) -> None:
    await database.fetch("CREATE TABLE growing (id int)")
    statement = "SELECT * FROM growing"
    async with database.transaction() as connection:
        await connection.fetch(statement)
    async with database.session() as connection:
        await connection.execute("ALTER TABLE growing ADD COLUMN name text")
    with pytest.raises(ConcurrentChange):
        async with database.transaction() as connection:
            await connection.fetch(statement)
    async with database.transaction() as connection:
        assert await connection.fetch(statement) == []


@pytest.mark.slow
@pytest.mark.parametrize(
    "error",
    [
        asyncpg.InternalClientError("cannot switch to state 12; another operation (2) is in progress"),
        asyncpg.ProtocolError("unexpected message"),
        asyncpg.InterfaceError("another operation is in progress"),
    ],
    ids=lambda error: type(error).__name__,
)
async def test_a_connection_in_a_broken_state_is_thrown_away(database: Database, error: Exception) -> None:
    before = await _backends(database)
    used: list[int] = []

    async def breaks() -> None:
        async with database.transaction() as connection:
            used.append(await connection.fetchval("SELECT pg_backend_pid()"))
            raise error

    with pytest.raises(Unavailable) as refusal:
        await breaks()

    assert refusal.value.reason is Reason.DATABASE_UNAVAILABLE
    assert set(used) <= before
    assert not set(used) & await _backends(database)


async def test_two_statements_at_once_on_one_connection_break_it(database: Database) -> None:
    """asyncpg itself raises this error."""
    before = await _backends(database)
    with pytest.raises(Unavailable):
        async with database.transaction() as connection:
            await asyncio.gather(connection.fetch(SLEEP), connection.fetch(SLEEP))

    after = await _backends(database)
    assert len(after) == 2
    assert len(after & before) == 1


@pytest.fixture
async def lockable(database_url: str) -> AsyncIterator[asyncpg.Connection[Any]]:
    """A session of another program, with its own table."""
    connection = await asyncpg.connect(database_url)
    await connection.execute("DROP TABLE IF EXISTS lockable; CREATE TABLE lockable (id int)")
    yield connection
    await connection.close()


async def test_a_lock_only_delays_requests_that_need_its_table(
    database_url: str, lockable: asyncpg.Connection[Any]
) -> None:
    database = Database(database_url, replace(PATIENT, size=5, queue=40))
    locked, others = database.share("locked"), [database.share("one"), database.share("two"), database]
    async with lockable.transaction():
        await lockable.execute("LOCK TABLE lockable IN ACCESS EXCLUSIVE MODE")
        waiting = [asyncio.create_task(locked.fetch("SELECT * FROM lockable")) for _ in range(42)]
        await _until_waiting(lockable, 2)

        for _ in range(5):
            await asyncio.gather(*(other.fetch("SELECT 1") for other in others))
        with pytest.raises(Overloaded):
            await locked.fetch("SELECT * FROM lockable")
        assert not any(task.done() for task in waiting)
    assert await asyncio.gather(*waiting) == [[]] * 42
    await database.close()


@pytest.mark.slow
async def test_nobody_waits_in_turn_for_a_lock_that_others_wait_for(
    database_url: str, lockable: asyncpg.Connection[Any]
) -> None:
    database = Database(database_url, replace(PATIENT, size=2, connect_timeout=3))
    locked, other = database.share("locked"), database.share("other")
    async with lockable.transaction():
        await lockable.execute("LOCK TABLE lockable IN ACCESS EXCLUSIVE MODE")
        calls = {asyncio.create_task(locked.fetch("SELECT * FROM lockable")) for _ in range(20)}
        async with asyncio.timeout(30):
            while sum(call.done() for call in calls) < 19:
                assert await other.fetch("SELECT 1")
        refused = {call for call in calls if call.done()}
        assert {type(call.exception()) for call in refused} == {Overloaded}
    assert await asyncio.gather(*calls - refused) == [[]]
    await database.close()


async def test_shares_that_wait_leave_one_connection_to_each_other_share(
    database_url: str, lockable: asyncpg.Connection[Any]
) -> None:
    database = Database(database_url, replace(PATIENT, size=4, share=1))
    first, second, third = (database.share(name) for name in ("first", "second", "third"))
    async with lockable.transaction():
        await lockable.execute("LOCK TABLE lockable IN ACCESS EXCLUSIVE MODE")
        waiting = [
            asyncio.create_task(share.fetch("SELECT * FROM lockable")) for share in (first, second) for _ in range(9)
        ]
        await _until_waiting(lockable, 2)

        assert await third.fetch("SELECT 1")
        assert await database.fetch("SELECT 1")
        assert not any(task.done() for task in waiting)
    assert await asyncio.gather(*waiting) == [[]] * 18
    await database.close()


async def test_one_name_is_one_share(database: Database) -> None:
    await _backends(database)
    shares = [database.share("same") for _ in range(2)]
    assert len(await _backends(shares[0])) == 1
    running = [asyncio.create_task(share.fetchrow("SELECT pg_backend_pid() AS pid")) for share in shares * 2]
    assert len({row["pid"] for row in await asyncio.gather(*running) if row}) == 1


async def test_a_share_can_be_smaller_than_others(database_url: str) -> None:
    """As for large pages, which a worker encodes one by one."""
    database = Database(database_url, replace(PATIENT, size=8))
    running = [database.share("large", 2).fetchrow("SELECT pg_backend_pid() AS pid, pg_sleep(0.05)") for _ in range(6)]
    assert len({row["pid"] for row in await asyncio.gather(*running) if row}) == 2
    await database.close()


async def test_waiting_longer_than_the_lock_timeout_is_unavailable(
    database_url: str, lockable: asyncpg.Connection[Any]
) -> None:
    database = Database(database_url, DatabaseOptions(size=1, connect_timeout=60, lock_timeout=0.05))
    before = await database.fetch("SELECT pg_backend_pid()")
    async with lockable.transaction():
        await lockable.execute("LOCK TABLE lockable IN ACCESS EXCLUSIVE MODE")
        with pytest.raises(Unavailable):
            await database.fetch("SELECT * FROM lockable")

    assert await database.fetch("SELECT * FROM lockable") == []
    assert await database.fetch("SELECT pg_backend_pid()") == before
    await database.close()


async def _until_waiting(connection: asyncpg.Connection[Any], count: int) -> None:
    """Wait until this many sessions wait for the lock."""
    statement = "SELECT count(*) FROM pg_locks WHERE relation = 'lockable'::regclass AND NOT granted"
    while await connection.fetchval(statement) < count:  # noqa: ASYNC110 - they wait in another process
        await asyncio.sleep(0.01)


async def test_a_statement_cut_off_by_the_server_is_unavailable(database: Database) -> None:
    running = asyncio.create_task(database.fetch("SELECT pg_sleep(6)"))
    async with database.session() as connection:
        while not await connection.fetchval(  # noqa: ASYNC110 - it shows up in another process
            "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity"
            " WHERE query = 'SELECT pg_sleep(6)' AND datname = current_database()"
        ):
            await asyncio.sleep(0.01)

    with pytest.raises(Unavailable) as refusal:
        await running

    assert refusal.value.reason is Reason.DATABASE_UNAVAILABLE
    assert await database.fetch("SELECT 1")


@pytest.mark.slow
@pytest.mark.parametrize("is_unit", [False, True], ids=["transaction", "unit"])
async def test_who_got_no_answer_does_not_wait_for_a_rollback_too(database_url: str, is_unit: bool) -> None:
    database = Database(database_url, replace(PATIENT, size=1, statement_timeout=0.5))

    async def write(process: int) -> None:
        async with database.unit() if is_unit else database.transaction() as connection:
            await connection.execute("SELECT 1")
            os.kill(process, signal.SIGSTOP)
            await (database.execute("SELECT 2") if is_unit else connection.execute("SELECT 2"))

    row = await database.fetchrow("SELECT pg_backend_pid() AS pid")
    assert row is not None
    try:
        async with asyncio.timeout(2.5):  # a statement has half a second, and asyncpg waits one more
            with pytest.raises(Unavailable):
                await write(row["pid"])
    finally:
        os.kill(row["pid"], signal.SIGCONT)
    assert await database.fetch("SELECT 1")
    await database.close()


@pytest.mark.slow
async def test_one_timeout_is_enough_for_all_connections(database_url: str) -> None:
    """Otherwise each free connection costs another caller the same time."""
    database = Database(database_url, replace(PATIENT, size=2, statement_timeout=1))
    processes = await _backends(database)
    for process in processes:
        os.kill(process, signal.SIGSTOP)
    try:
        with pytest.raises(Unavailable):
            await database.fetch("SELECT 1")
        assert await database.fetch("SELECT 1")
    finally:
        for process in processes:
            os.kill(process, signal.SIGCONT)
    await database.close()


@pytest.mark.parametrize("condition", ["disk_full", "io_error", "undefined_file"])
async def test_a_server_whose_disk_fails_is_unavailable(database: Database, condition: str) -> None:
    with pytest.raises(Unavailable):
        await database.fetch(f"DO $$ BEGIN RAISE EXCEPTION USING ERRCODE = '{condition}'; END $$")


async def test_a_server_that_is_not_there_is_unavailable_at_once() -> None:
    database = Database("postgresql://nobody@127.0.0.1:1/none", DatabaseOptions(size=1, queue=10))

    results = await asyncio.wait_for(
        asyncio.gather(*(database.fetch("SELECT 1") for _ in range(10)), return_exceptions=True), 2
    )

    assert [type(result) for result in results] == [Unavailable] * 10


async def test_why_it_is_unavailable_is_in_the_log_once(database_url: str) -> None:
    wrong = Database(re.sub(r"//postgres:[^@]+@", "//postgres:hidden@", database_url))
    with capture_logs() as lines:
        await asyncio.gather(*(wrong.fetch("SELECT 1") for _ in range(5)), return_exceptions=True)
    assert [(line["event"], line["cause"], line["text"]) for line in lines] == [
        (
            "database.away",
            "InvalidPasswordError",
            'password authentication failed for user "postgres"',
        )
    ]
