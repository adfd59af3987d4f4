"""The contract of DeploymentQueue: who is woken, and who leads."""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from uuid import UUID, uuid4

import asyncpg
import pytest
from tests.contract.conftest import repositories_on
from tests.contract.intents import deployed
from tests.contract.queues import Queues, queues_on
from tests.contract.surroundings import Surroundings
from tests.fakes.repositories import Repositories
from tests.refusals import refused

from registry_grpc.adapters.postgres import deployment_queue
from registry_grpc.adapters.postgres import leadership as leadership_module
from registry_grpc.adapters.postgres.database import Database
from registry_grpc.adapters.postgres.deployment_queue import PostgresDeploymentQueue
from registry_grpc.domain.errors import Reason, Unavailable

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("no_other_deployments")]


@pytest.fixture
def repositories(queues: Queues) -> Repositories:
    return queues.repositories


async def test_controllers_wake_at_the_start_and_when_something_changes(queues: Queues, around: Surroundings) -> None:
    deployment = await deployed(queues.repositories, around)
    wake_ups = queues.queue.wake_ups()
    async with asyncio.timeout(20):
        await anext(wake_ups)
        await queues.elsewhere.mark_changed([deployment.id])
        await anext(wake_ups)
    await wake_ups.aclose()  # type: ignore[attr-defined]


async def test_listeners_are_woken_when_the_epoch_changes(
    own_database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(deployment_queue, "_POLL_EVENTS_SECONDS", 3600.0)
    queues = queues_on(own_database, repositories_on(own_database))
    news = PostgresDeploymentQueue(own_database).listen(uuid4())
    async with asyncio.timeout(20), aclosing(news):
        await anext(news)
        await anext(news)  # the session is open
        await queues.restore()
        await anext(news)


async def test_one_leads_and_another_after_it(queues: Queues) -> None:
    async with asyncio.timeout(20):
        async with queues.queue.leadership() as first, queues.elsewhere.leadership() as second:
            assert [await anext(first), await anext(second)] == [True, False]
            assert [await anext(first), await anext(second)] == [True, False]
        async with queues.elsewhere.leadership() as third:
            while not await anext(third):
                pass


async def test_a_leader_that_stands_still_is_replaced(own_database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its machine may be cut off, of which PostgreSQL would learn only hours later."""
    monkeypatch.setattr(leadership_module, "_LONGEST_SILENCE_SECONDS", 2)
    frozen, other = PostgresDeploymentQueue(own_database), PostgresDeploymentQueue(own_database)

    async def until_replaced() -> None:
        async with frozen.leadership() as first, other.leadership() as second:
            assert [await anext(first), await anext(second)] == [True, False]
            while not await anext(second):
                pass
            await anext(first)

    with pytest.raises(Unavailable):
        await asyncio.wait_for(until_replaced(), 20)


async def test_a_leadership_ends_with_the_history_that_it_began_in(queues: Queues) -> None:
    async with asyncio.timeout(20):
        async with queues.queue.leadership() as first, queues.elsewhere.leadership() as second:
            assert [await anext(first), await anext(second)] == [True, False]
            await queues.restore()
            assert [state async for state in first] == []
            assert [state async for state in second] == []
        async with queues.queue.leadership() as again:
            assert [await anext(again), await anext(again)] == [True, True]


async def test_nobody_leads_where_nothing_can_be_written_or_the_restore_is_not_through(
    own_database: Database, project_id: UUID
) -> None:
    """A standby would also give the lock. During a restore, the objects of missing deployments would be noted as
    orphans, and the writes of a pass would prevent the restore from creating foreign keys."""
    queues = queues_on(own_database, repositories_on(own_database))
    around = await Surroundings.stored(queues.repositories, project_id)
    deployment = await deployed(queues.repositories, around)
    await queues.queue.mark_changed([deployment.id])
    drop = "ALTER TABLE deployment_event DROP CONSTRAINT deployment_event_deployment_id_fkey"
    add = "ALTER TABLE deployment_event ADD FOREIGN KEY (deployment_id) REFERENCES deployment ON DELETE CASCADE"
    row = await own_database.fetchrow("SELECT current_database() AS name, id FROM registry_installation")
    assert row is not None
    for breaking, mending in (
        ("ALTER DATABASE {name} SET default_transaction_read_only = on", "ALTER DATABASE {name} RESET ALL"),
        ("DELETE FROM registry_installation", "INSERT INTO registry_installation (id) VALUES ('{id}')"),
        (drop, add),
    ):
        await own_database.fetch(breaking.format(**row))
        try:
            async with asyncio.timeout(20), queues.queue.leadership() as none:
                assert [state async for state in none] == []
            if "DATABASE" not in breaking:  # this setting only applies to new sessions
                assert await queues.queue.claim(9) == []
                assert await queues.queue.claim_one(deployment.id) is None
                with refused(Unavailable, Reason.DATABASE_UNAVAILABLE):
                    await queues.repositories.deployments.events(project_id, deployment.id, 0, 9)
        finally:
            await own_database.fetch(mending.format(**row))
    assert len(await queues.claimed()) == 1


async def test_a_leader_notices_that_its_session_is_lost(own_database: Database) -> None:
    """Its lock is lost as well, so another one leads now."""
    queues = queues_on(own_database, repositories_on(own_database))
    async with asyncio.timeout(20), queues.queue.leadership() as first:
        assert await anext(first)
        await own_database.fetch(
            "SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory' AND granted "
            "AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"
        )
        with pytest.raises((asyncpg.PostgresError, asyncpg.InterfaceError, OSError)):
            await anext(first)
        async with queues.elsewhere.leadership() as second:
            assert await anext(second)
