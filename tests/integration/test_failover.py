"""The service on servers that are or become read-only: standbys, a demoted primary, a server that is set to read
only."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from uuid import uuid4

import pytest
import pytest_asyncio
from tests.contract.conftest import repositories_on
from tests.contract.intents import deployed
from tests.contract.surroundings import Surroundings
from tests.fakes.builders import a_model
from tests.integration.commands import command
from tests.postgres import PATIENT
from tests.refusals import refused
from tests.servers import Servers

from registry_grpc.adapters.postgres.database import Database
from registry_grpc.adapters.postgres.deployment_queue import PostgresDeploymentQueue
from registry_grpc.domain.errors import Reason, Unavailable
from registry_grpc.ports.deployments import DeploymentQueue

pytestmark = pytest.mark.slow


@pytest_asyncio.fixture(loop_scope="session")
async def servers(tmp_path: Path) -> AsyncIterator[Servers]:
    async with Servers(tmp_path) as servers:
        yield servers


@asynccontextmanager
async def on(url: str) -> AsyncIterator[Database]:
    database = Database(url, PATIENT)
    try:
        yield database
    finally:
        await database.close()


async def write(database: Database) -> None:
    await repositories_on(database).models.create(a_model(uuid4()))


async def takes_writes(database: Database) -> None:
    await database.ping()
    await write(database)


async def takes_none(database: Database) -> None:
    """Assert that the database refuses writes but can be read."""
    with refused(Unavailable, Reason.DATABASE_READ_ONLY):
        await database.ping()
    with refused(Unavailable, Reason.DATABASE_READ_ONLY):
        await write(database)
    assert await database.fetch("SELECT id FROM registered_model")


async def nobody_leads(database: Database) -> None:
    queue: DeploymentQueue = PostgresDeploymentQueue(database)
    async with queue.leadership() as states:
        assert [state async for state in states] == []


async def until(holds: Callable[[], Awaitable[None]]) -> None:
    """Repeat the check while it is Unavailable, because old connections are still in use."""
    async with asyncio.timeout(60):
        while True:
            with suppress(Unavailable):
                return await holds()
            await asyncio.sleep(0.05)


async def test_a_standby_is_read_and_written_to_when_it_is_promoted(servers: Servers) -> None:
    async with on(servers.url_of("primary")) as primary:
        await takes_writes(primary)
        around = await Surroundings.stored(repositories_on(primary), uuid4())
        deployment = await deployed(repositories_on(primary), around)
        await servers.add_standby()
        async with on(servers.url_of("standby")) as standby:
            events = repositories_on(standby).deployments.events
            await takes_none(standby)
            await nobody_leads(standby)
            doctor = await command("doctor", database_url=servers.url_of("standby"))
            assert doctor.status == 1
            assert " is read-only: it is a standby, or set to read only -> promote it, or" in doctor.out
            [there] = await repositories_on(primary).deployments.events(deployment.project_id, deployment.id, 0, 10)
            [here] = await events(deployment.project_id, deployment.id, 0, 10)
            assert here == there, "a token of one holds on the other"

            # The first checkpoint of the new timeline may be minutes away.
            checkpointer = await servers.run(
                "standby", "SELECT pid FROM pg_stat_activity WHERE backend_type = 'checkpointer'"
            )
            os.kill(checkpointer, signal.SIGSTOP)
            await servers.promote()
            await takes_writes(standby)
            [promoted] = await events(deployment.project_id, deployment.id, 0, 10)
            assert promoted.resume_token != here.resume_token
            os.kill(checkpointer, signal.SIGCONT)
            await servers.run("standby", "CHECKPOINT")
            assert await events(deployment.project_id, deployment.id, promoted.resume_token, 10) == []
            async with PostgresDeploymentQueue(standby).leadership() as states:
                assert await anext(states)


async def test_a_demoted_primary_is_left_for_the_new_one(servers: Servers) -> None:
    await servers.add_standby()
    async with on(servers.url) as database:
        await takes_writes(database)
        servers.demote()
        with refused(Unavailable, Reason.DATABASE_UNAVAILABLE):
            await database.ping()
        async with on(servers.url_of("primary")) as demoted:
            await takes_none(demoted)
            await servers.promote()
            await until(lambda: takes_writes(database))
            await takes_none(demoted)


async def test_a_server_that_is_set_to_read_only_and_back(servers: Servers) -> None:
    """The same connections are used before and after the change."""
    async with on(servers.url_of("primary")) as database, PostgresDeploymentQueue(database).leadership() as leading:
        await takes_writes(database)
        assert await anext(leading)
        await servers.run("primary", "ALTER SYSTEM SET default_transaction_read_only = on", "SELECT pg_reload_conf()")
        assert [state async for state in leading][-1:] in ([], [True])
        await takes_none(database)
        await nobody_leads(database)
        await servers.run(
            "primary",
            "SET default_transaction_read_only = off",
            "ALTER SYSTEM RESET default_transaction_read_only",
            "SELECT pg_reload_conf()",
        )
        await until(lambda: takes_writes(database))
