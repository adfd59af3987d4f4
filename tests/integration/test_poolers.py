"""PgBouncer in front of PostgreSQL: session mode with stock settings works, and other modes are refused."""

from __future__ import annotations

import asyncio
import contextlib
import uuid
from pathlib import Path

import asyncpg
import grpc
import pytest
from tests.integration.commands import command, free_ports, running, until_serving
from tests.pgbouncer import needs_pgbouncer, pgbouncer

from modelregistry.v1 import (
    inference_service_pb2,
    inference_service_pb2_grpc,
    registered_model_pb2,
    registered_model_pb2_grpc,
    serving_environment_pb2,
    serving_environment_pb2_grpc,
)
from registry_grpc.adapters.postgres import migrate, sessions
from registry_grpc.adapters.postgres.database import Database, DatabaseOptions
from registry_grpc.adapters.postgres.deployment_queue import PostgresDeploymentQueue
from registry_grpc.adapters.postgres.deployments import CHANNEL
from registry_grpc.domain.errors import Unavailable

pytestmark = [pytest.mark.slow, needs_pgbouncer]

NO_SESSIONS = pytest.mark.parametrize("mode", ["transaction", "statement"])


async def _use(channel: grpc.aio.Channel) -> None:
    """Write and read several kinds of objects at once, each with its own connections."""
    project = (("project-id", str(uuid.uuid4())),)
    models = registered_model_pb2_grpc.RegisteredModelServiceStub(channel)  # type: ignore[no-untyped-call]
    places = serving_environment_pb2_grpc.ServingEnvironmentServiceStub(channel)  # type: ignore[no-untyped-call]
    services = inference_service_pb2_grpc.ServingServiceStub(channel)  # type: ignore[no-untyped-call]
    for number in range(10):
        new = registered_model_pb2.NewRegisteredModel(name=f"model-{number}")
        request = registered_model_pb2.CreateRegisteredModelRequest(registered_model=new)
        await asyncio.gather(
            models.CreateRegisteredModel(request, metadata=project),
            places.ListServingEnvironments(serving_environment_pb2.ListServingEnvironmentsRequest(), metadata=project),
            services.ListInferenceServices(inference_service_pb2.ListInferenceServicesRequest(), metadata=project),
        )
    listed = await models.ListRegisteredModels(registered_model_pb2.ListRegisteredModelsRequest(), metadata=project)
    assert len(listed.registered_models) == 10


async def test_the_service_works_through_session_mode(empty_database_url: str, tmp_path: Path) -> None:
    port = free_ports(2)
    async with pgbouncer(empty_database_url) as url:
        settings = {"database_url": url, "worker_port": str(port), "workers": "2", "log_format": "text"}
        assert (await command("migrate", "up", **settings)).status == 0
        assert "pending" not in (await command("migrate", "status", **settings)).out
        assert "ok       database: PostgreSQL" in (await command("doctor", **settings)).out
        async with running(tmp_path / "log", "serve", **settings) as service:
            for offset in range(2):
                await until_serving(f"127.0.0.1:{port + offset}", service)
            async with contextlib.AsyncExitStack() as stack:
                channels = [
                    await stack.enter_async_context(grpc.aio.insecure_channel(f"127.0.0.1:{port + offset}"))
                    for offset in range(2)
                ]
                await asyncio.gather(*(_use(channel) for channel in channels for _ in range(20)))
            service.terminate()
            assert await service.ended() == 0, service.output


async def test_settings_hold_in_session_mode(fresh_database_url: str) -> None:
    """Even in a server process that served another session before."""
    for seconds in (1.0, 7.0):
        async with pgbouncer(fresh_database_url) as url:
            database = Database(url, DatabaseOptions(statement_timeout=seconds))
            row = await database.fetchrow(
                "SELECT current_setting('statement_timeout') AS timeout, current_setting('jit') AS jit, "
                "current_setting('plan_cache_mode') AS plans, current_setting('timezone') AS zone"
            )
            await database.close()
            assert row is not None
            assert tuple(row) == (f"{seconds:.0f}s", "off", "force_generic_plan", "UTC")


async def test_leadership_and_wake_ups_work_in_session_mode(fresh_database_url: str) -> None:
    async with pgbouncer(fresh_database_url) as url, asyncio.timeout(10):
        database, other = Database(url), Database(url)
        first, second = PostgresDeploymentQueue(database), PostgresDeploymentQueue(other)
        async with second.leadership() as waits:
            async with first.leadership() as leads:
                assert await anext(leads)
                assert not await anext(waits)
            assert await anext(waits), "the lock went with its session"
        wake_ups = first.wake_ups()
        await anext(wake_ups)
        await anext(wake_ups)  # it listens
        heard = asyncio.create_task(anext(wake_ups))
        await other.fetch("SELECT pg_notify($1, '')", CHANNEL)
        await asyncio.wait_for(heard, 3)
        await wake_ups.aclose()
        await database.close()
        await other.close()


@NO_SESSIONS
@pytest.mark.parametrize("arguments", [("worker", "--listen", "127.0.0.1:0"), ("controller",), ("migrate", "up")])
async def test_other_modes_are_refused_at_start(mode: str, arguments: tuple[str, ...], fresh_database_url: str) -> None:
    async with pgbouncer(fresh_database_url, pool_mode=mode) as url:
        failed = await command(*arguments, database_url=url, cluster="kubeconfig")
    assert (failed.status, failed.failure) == (1, f"{sessions.NOT_A_SESSION}: {sessions.ADVICE}\n")


@NO_SESSIONS
async def test_doctor_reports_it(mode: str, fresh_database_url: str) -> None:
    async with pgbouncer(fresh_database_url, pool_mode=mode) as url:
        failed = await command("doctor", database_url=url)
    assert failed.status == 1
    assert f"MISSING  database: {sessions.NOT_A_SESSION} -> {sessions.ADVICE}" in failed.out


async def test_transaction_mode_is_found_out_while_others_use_the_pool(fresh_database_url: str) -> None:
    async def query(url: str) -> None:
        connection = await asyncpg.connect(url, statement_cache_size=0)
        with contextlib.suppress(asyncpg.PostgresError):
            while True:
                await connection.execute("SELECT pg_sleep(0.001 * random())")

    async with pgbouncer(fresh_database_url, pool_mode="transaction") as url:
        others = [asyncio.create_task(query(url)) for _ in range(10)]
        found = [await sessions.keeps_sessions(url, timeout=5) for _ in range(50)]
        for other in others:
            other.cancel()
        await asyncio.gather(*others, return_exceptions=True)
    assert not any(found)


async def test_sessions_that_are_mixed_up_later_make_errors_and_never_wrong_answers(fresh_database_url: str) -> None:
    """The mode of the pool is changed after a worker has started."""
    async with pgbouncer(fresh_database_url, pool_mode="transaction", default_pool_size="2") as url:
        databases = [Database(url, DatabaseOptions(size=4)) for _ in range(3)]

        async def ask(number: int) -> int | None:
            """Uses its own statement."""
            try:
                row = await databases[number % 3].fetchrow(f"SELECT {number} AS number")
            except Unavailable:
                return number
            return row["number"] if row else None

        for _ in range(20):
            numbers = list(range(30))
            assert await asyncio.gather(*map(ask, numbers)) == numbers
        for database in databases:
            await database.close()


async def test_adoption_and_the_migration_lock_work_in_session_mode(empty_database_url: str) -> None:
    async with pgbouncer(empty_database_url) as url:
        async with migrate.migration_connection(url):
            other = asyncio.create_task(command("migrate", "up", database_url=url))
            await asyncio.sleep(1)
            assert not other.done()
        assert (await other).status == 0
        assert (await command("migrate", "adopt", database_url=url)).status == 0
