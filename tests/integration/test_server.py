"""How workers and their supervisor start and end, and what their logs must not contain."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
import os
import signal
import uuid
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import asyncpg
import grpc
import pytest
import pytest_asyncio
from grpc_health.v1 import health_pb2, health_pb2_grpc
from structlog.testing import capture_logs
from tests.e2e import processes
from tests.integration.commands import (
    NOT_SERVING,
    SERVING,
    Running,
    command,
    free_ports,
    health,
    running,
    until_serving,
    with_a_later_migration,
)

from modelregistry.v1 import model_version_pb2, model_version_pb2_grpc, registered_model_pb2, registered_model_pb2_grpc
from registry_grpc import server
from registry_grpc.adapters.postgres import migrate

PROJECT = (("project-id", "11111111-1111-1111-1111-111111111111"),)
LOWEST = migrate.LOWEST_VERSION
NEWEST = migrate.load_migrations()[-1].version
PASSWORD = "the-passw0rd"
_WAITING = """
SELECT count(*) FROM pg_locks
WHERE NOT granted AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
"""
KEY = base64.b64encode(b"0123456789abcdef" * 2).decode()


@pytest_asyncio.fixture(loop_scope="session")
async def database(fresh_database_url: str) -> AsyncIterator[asyncpg.Connection[Any]]:
    connection = await asyncpg.connect(fresh_database_url)
    yield connection
    await connection.close()


@pytest_asyncio.fixture(loop_scope="session")
async def locked_models(database: asyncpg.Connection[Any]) -> AsyncIterator[asyncpg.Connection[Any]]:
    """Requests for models wait until this connection's transaction is rolled back."""
    await database.execute("BEGIN; LOCK TABLE registered_model IN ACCESS EXCLUSIVE MODE")
    yield database
    await database.execute("ROLLBACK")


def models(channel: grpc.aio.Channel, timeout: float = 20) -> Any:
    """A running request for the models."""
    stub = registered_model_pb2_grpc.RegisteredModelServiceStub(channel)  # type: ignore[no-untyped-call]
    request = registered_model_pb2.ListRegisteredModelsRequest()
    return stub.ListRegisteredModels(request, metadata=PROJECT, timeout=timeout)


async def until_a_lock_is_awaited(database_url: str) -> None:
    """Wait until a request waits for the lock."""
    connection = await asyncpg.connect(database_url)
    try:
        async with asyncio.timeout(20):
            while not await connection.fetchval(_WAITING):  # noqa: ASYNC110 - PostgreSQL does not tell
                await asyncio.sleep(0.02)
    finally:
        await connection.close()


@pytest.mark.slow
async def test_a_stopped_worker_reports_it_and_finishes_running_requests(
    fresh_database_url: str, locked_models: asyncpg.Connection[Any], tmp_path: Path
) -> None:
    address = f"unix:{tmp_path}/worker.sock"
    arguments = ("worker", "--listen", address)
    async with (
        running(tmp_path / "log", *arguments, database_url=fresh_database_url, drain_delay="1") as worker,
        grpc.aio.insecure_channel(address) as channel,
    ):
        await until_serving(address, worker)
        watch = health_pb2_grpc.HealthStub(channel).Watch  # type: ignore[attr-defined]
        statuses = watch(health_pb2.HealthCheckRequest())
        assert (await statuses.read()).status == SERVING
        in_flight = asyncio.ensure_future(models(channel))
        await until_a_lock_is_awaited(fresh_database_url)

        worker.terminate()
        assert (await asyncio.wait_for(statuses.read(), 5)).status == NOT_SERVING
        assert await health(channel) == NOT_SERVING  # it still answers, because load balancers need time to turn away
        assert not in_flight.done()
        await locked_models.execute("ROLLBACK")
        assert (await in_flight).total_size == 0
        statuses.cancel()
        assert await worker.ended() == 0, worker.output


@pytest.mark.slow
async def test_a_request_that_outlasts_the_grace_is_given_up(
    fresh_database_url: str, locked_models: asyncpg.Connection[Any], tmp_path: Path
) -> None:
    address = f"unix:{tmp_path}/worker.sock"
    times = {"drain_delay": "0", "shutdown_grace": "0.2"}
    async with (
        running(tmp_path / "log", "worker", "--listen", address, database_url=fresh_database_url, **times) as worker,
        grpc.aio.insecure_channel(address) as channel,
    ):
        await until_serving(address, worker)
        in_flight = asyncio.ensure_future(models(channel))
        await until_a_lock_is_awaited(fresh_database_url)
        worker.terminate()
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await in_flight
        assert caught.value.code() in {grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.CANCELLED}
        assert await worker.ended() == 0, worker.output


@pytest.mark.slow
async def test_a_request_ends_with_its_callers_deadline(
    fresh_database_url: str, locked_models: asyncpg.Connection[Any], tmp_path: Path
) -> None:
    """The statement ends too. Otherwise it would hold the only connection, and the next request would wait."""
    address = f"unix:{tmp_path}/worker.sock"
    one = {"database_connections": "1", "log_level": "debug"}
    async with (
        running(tmp_path / "log", "worker", "--listen", address, database_url=fresh_database_url, **one) as worker,
        grpc.aio.insecure_channel(address) as channel,
    ):
        await until_serving(address, worker)
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await models(channel, timeout=0.5)
        assert caught.value.code() == grpc.StatusCode.DEADLINE_EXCEEDED
        await locked_models.execute("ROLLBACK")
        assert (await models(channel)).total_size == 0
        worker.terminate()
        assert await worker.ended() == 0, worker.output
    ended = [line for line in lines_of(worker) if line["event"] == "rpc.ended"]
    assert "DEADLINE_EXCEEDED" in {line["code"] for line in ended}


def lines_of(process: Running) -> list[dict[str, Any]]:
    """The log of the process, of which every line is JSON."""
    return [json.loads(line) for line in process.output.splitlines(keepends=True) if line.endswith("\n")]


def waiting(process: Running) -> list[str]:
    """What the process says that it waits for."""
    return [line["text"] for line in lines_of(process) if line["event"] == "schema.awaited"]


async def until_told(process: Running, count: int) -> str:
    """The last of so many lines."""
    assert await asyncio.to_thread(processes.wait_until, lambda: len(waiting(process)) == count, 30), process.output
    return waiting(process)[-1]


def too_old(version: object) -> str:
    text = f"the schema of the database has version {version}, but at least {LOWEST} is needed"
    return f"{text}: run `registry-grpc migrate up`"


@pytest.mark.slow
async def test_workers_wait_for_a_schema_that_is_too_old_or_half_way(
    database: asyncpg.Connection[Any], fresh_database_url: str, tmp_path: Path
) -> None:
    """In a rollout, they may start before the migration has run. They say so once."""
    await migrate.set_version(database, LOWEST - 1, dirty=False)
    port = free_ports(1)
    settings = {"database_url": fresh_database_url, "worker_port": str(port), "workers": "1"}
    async with running(tmp_path / "log", "serve", **settings) as supervisor:
        assert await until_told(supervisor, 1) == too_old(LOWEST - 1)
        await migrate.set_version(database, LOWEST, dirty=True)
        assert (await until_told(supervisor, 2)).startswith(f"the schema of the database is dirty at {LOWEST}")
        await migrate.set_version(database, NEWEST, dirty=False)
        await until_serving(f"127.0.0.1:{port}", supervisor)
        assert len(waiting(supervisor)) == 2
        assert "process.ended" not in supervisor.output


async def test_what_is_waited_for_is_said_once(monkeypatch: pytest.MonkeyPatch) -> None:
    problems = iter(["too old", "too old", "dirty", "dirty"])

    async def check(*_arguments: object) -> None:
        for problem in problems:
            raise server._SchemaUnfit(problem)

    monkeypatch.setattr(server, "_check_database", check)
    monkeypatch.setattr(server, "_SCHEMA_CHECK_SECONDS", 0)
    database: Any = None
    with capture_logs() as logs:
        await server._until_schema_fits(database, database)
    assert [line["text"] for line in logs] == ["too old", "dirty"]


@pytest.mark.slow
async def test_a_controller_waits_for_the_schema_until_it_is_stopped(empty_database_url: str, tmp_path: Path) -> None:
    settings = {"database_url": empty_database_url, "cluster": "kubeconfig", "kubeconfig": "/nowhere"}
    async with running(tmp_path / "log", "controller", **settings) as controller:
        assert await until_told(controller, 1) == too_old("none")
        controller.terminate()
        assert await controller.ended() == -signal.SIGTERM


@pytest.mark.slow
async def test_a_worker_that_waits_does_not_outlive_its_supervisor(empty_database_url: str, tmp_path: Path) -> None:
    settings = {"database_url": empty_database_url, "worker_port": str(free_ports(1)), "workers": "1"}
    async with running(tmp_path / "log", "serve", **settings) as supervisor:
        await until_told(supervisor, 1)
        (worker,) = processes.workers(supervisor.process.pid)
        supervisor.process.kill()
        assert await asyncio.to_thread(processes.wait_until, lambda: not worker.runs, 10)


@pytest.mark.parametrize("dirty", [False, True], ids=["complete", "running"])
@pytest.mark.slow
async def test_a_migration_that_only_makes_faster_does_not_hold_workers_up(
    empty_database_url: str, tmp_path: Path, dirty: bool
) -> None:
    folder = with_a_later_migration(tmp_path)
    known = migrate.load_migrations(folder)
    lowest = [migration.version for migration in known].index(LOWEST)
    async with migrate.migration_connection(empty_database_url) as connection:
        await migrate.up(connection, known, steps=lowest + 1)
        if dirty:
            await migrate.set_version(connection, known[lowest + 1].version, dirty=True)
    address = f"unix:{tmp_path}/worker.sock"
    async with (
        running(
            tmp_path / "log",
            *("worker", "--listen", address),
            database_url=empty_database_url,
            migrations_dir=str(folder),
        ) as worker,
        grpc.aio.insecure_channel(address) as channel,
    ):
        await until_serving(address, worker)
        assert (await models(channel)).total_size == 0
        assert "schema.newer" not in worker.output


@pytest.mark.parametrize("dirty", [False, True], ids=["complete", "running"])
@pytest.mark.slow
async def test_a_newer_schema_is_logged_and_served(
    database: asyncpg.Connection[Any], fresh_database_url: str, tmp_path: Path, dirty: bool
) -> None:
    await migrate.set_version(database, NEWEST + 1, dirty=dirty)
    address = f"unix:{tmp_path}/worker.sock"
    async with running(tmp_path / "log", "worker", "--listen", address, database_url=fresh_database_url) as worker:
        await until_serving(address, worker)
        said = [line for line in lines_of(worker) if line["event"] == "schema.newer"]
    assert [(line["level"], line["schema"], line["known"]) for line in said] == [("warning", NEWEST + 1, NEWEST)]


@pytest.mark.slow
async def test_a_folder_without_migrations_is_refused(fresh_database_url: str, tmp_path: Path) -> None:
    failed = await command(
        *("worker", "--listen", f"unix:{tmp_path}/w.sock"),
        database_url=fresh_database_url,
        migrations_dir=str(tmp_path),
    )
    assert (failed.status, failed.failure) == (1, f"REGISTRY_MIGRATIONS_DIR: {tmp_path} has no migrations\n")


@pytest.mark.slow
async def test_a_database_that_refuses_the_connections_settings_is_unavailable(
    fresh_database_url: str, tmp_path: Path
) -> None:
    failed = await command(
        "worker", "--listen", f"unix:{tmp_path}/w.sock", database_url=f"{fresh_database_url}?no_such_setting=1"
    )
    assert failed.status == 1
    assert "Traceback" not in failed.err
    away = [line for line in map(json.loads, failed.err.splitlines()) if line["event"] == "database.away"]
    assert ["no_such_setting" in line["text"] for line in away] == [True]


@pytest.mark.parametrize(
    ("settings", "complaint"),
    [
        ({"cluster": "simulated"}, "REGISTRY_CLUSTER=simulated works with `registry-grpc dev` only\n"),
        ({"cluster": "kubeconfig", "kubeconfig": "/nowhere"}, "there is no kubeconfig /nowhere: set REGISTRY_KUBECONF"),
        ({"cluster": "in-cluster"}, "the configuration of the cluster cannot be read (in-cluster): "),
    ],
)
@pytest.mark.slow
async def test_a_controller_whose_cluster_cannot_be_used_is_refused(
    settings: dict[str, str], complaint: str, fresh_database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("KUBERNETES_SERVICE_HOST", raising=False)
    failed = await command("controller", database_url=fresh_database_url, **settings)
    assert failed.status == 1
    assert failed.failure.startswith(complaint)
    assert "Traceback" not in failed.err


@pytest.mark.slow
async def test_an_address_that_is_taken_is_refused(fresh_database_url: str) -> None:
    async def nothing(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.close()

    async with await asyncio.start_server(nothing, "127.0.0.1", 0) as taken:
        address = "{}:{}".format(*taken.sockets[0].getsockname())
        failed = await command("worker", "--listen", address, database_url=fresh_database_url)
    assert failed.status == 1
    assert f"cannot listen on {address}" in failed.failure
    assert "Traceback" not in failed.err


@pytest.mark.slow
async def test_the_supervisor_replaces_a_worker_and_stops_them_all(fresh_database_url: str, tmp_path: Path) -> None:
    first = free_ports(2)
    addresses = [f"127.0.0.1:{first}", f"127.0.0.1:{first + 1}"]
    settings = {"database_url": fresh_database_url, "worker_port": str(first), "workers": "2", "drain_delay": "0"}
    async with running(tmp_path / "log", "serve", **settings) as supervisor:
        for address in addresses:
            await until_serving(address, supervisor)
        before = processes.workers(supervisor.process.pid)
        victim = next(worker for worker in before if addresses[0] in worker.command)
        victim.send(signal.SIGKILL)
        await asyncio.to_thread(processes.wait_until, lambda: not victim.runs, 5)
        await until_serving(addresses[0], supervisor)
        after = processes.workers(supervisor.process.pid)
        assert len(after) == 2
        assert victim not in after
        assert len(set(before) & set(after)) == 1, "the other worker was left alone"
        (ended,) = [line for line in lines_of(supervisor) if line["event"] == "process.ended"]
        assert (ended["process"], ended["name"], ended["code"]) == ("serve", "worker-0", -signal.SIGKILL)

        supervisor.terminate()
        assert await supervisor.ended() == 0
        assert not [worker for worker in after if worker.runs]


@pytest.mark.slow
async def test_workers_do_not_outlive_their_supervisor(fresh_database_url: str, tmp_path: Path) -> None:
    port = free_ports(1)
    settings = {"database_url": fresh_database_url, "worker_port": str(port), "workers": "1", "drain_delay": "0"}
    async with running(tmp_path / "log", "serve", **settings) as supervisor:
        await until_serving(f"127.0.0.1:{port}", supervisor)
        (worker,) = processes.workers(supervisor.process.pid)
        os.kill(supervisor.process.pid, signal.SIGKILL)
        assert await asyncio.to_thread(processes.wait_until, lambda: not worker.runs, 15)


@pytest.mark.slow
async def test_no_secret_is_ever_logged(
    fresh_database_url: str, database: asyncpg.Connection[Any], tmp_path: Path
) -> None:
    role = f"registry_{uuid.uuid4().hex}"
    await database.execute(f"CREATE ROLE {role} LOGIN SUPERUSER PASSWORD '{PASSWORD}'")
    parts = urlsplit(fresh_database_url)
    url = parts._replace(netloc=f"{role}:{PASSWORD}@{parts.netloc.rpartition('@')[2]}").geturl()
    address = f"unix:{tmp_path}/worker.sock"
    settings = {"database_url": url, "encryption_keys": f"k1:{KEY}", "log_level": "debug", "log_format": "text"}
    try:
        async with (
            running(tmp_path / "log", "worker", "--listen", address, **settings) as worker,
            grpc.aio.insecure_channel(address) as channel,
        ):
            await until_serving(address, worker)
            await write_secrets(channel, "st0rage-key")
            # A missing column is an unexpected error, which is logged with its traceback.
            await database.execute("ALTER TABLE registered_model RENAME COLUMN description TO lost")
            with pytest.raises(grpc.aio.AioRpcError) as caught:
                await models(channel)
            assert caught.value.code() is grpc.StatusCode.INTERNAL
            await database.execute(f"ALTER ROLE {role} NOLOGIN")
            await database.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = $1", role)
            with contextlib.suppress(grpc.aio.AioRpcError):
                await models(channel)
            worker.terminate()
            assert await worker.ended() == 0, worker.output
            assert "Traceback" in worker.output
            for secret in (PASSWORD, KEY, "st0rage-key"):
                assert secret not in worker.output
    finally:
        await database.execute(f"DROP ROLE {role}")


async def write_secrets(channel: grpc.aio.Channel, secret: str) -> None:
    """One call succeeds, and one is refused."""
    registry = registered_model_pb2_grpc.RegisteredModelServiceStub(channel)  # type: ignore[no-untyped-call]
    created = await registry.CreateRegisteredModel(
        registered_model_pb2.CreateRegisteredModelRequest(registered_model={"name": "m"}), metadata=PROJECT
    )
    versions = model_version_pb2_grpc.ModelVersionServiceStub(channel)  # type: ignore[no-untyped-call]
    request = model_version_pb2.CreateModelVersionRequest(
        registered_model_id=created.registered_model.id,
        model_version={
            "name": "v",
            "uri": "s3://m/v",
            "model_framework": "sklearn",
            "model_framework_version": "1",
            "access_key": secret,
            "secret_key": secret,
        },
    )
    await versions.CreateModelVersion(request, metadata=PROJECT)
    with pytest.raises(grpc.aio.AioRpcError):
        await versions.CreateModelVersion(request, metadata=PROJECT)
