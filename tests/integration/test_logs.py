"""What processes say when they start and stop, and when the database goes away and comes back."""

from __future__ import annotations

import asyncio
import contextlib
import json
from pathlib import Path
from typing import Any
from uuid import uuid4

import grpc
import pytest
from structlog.testing import capture_logs
from tests.e2e import processes
from tests.integration.commands import Running, command, free_ports, running, until_serving
from tests.integration.test_server import models
from tests.servers import Servers

from registry_grpc.adapters.postgres.database import Database, DatabaseOptions
from registry_grpc.adapters.postgres.registered_models import PostgresRegisteredModelRepository
from registry_grpc.domain.errors import Unavailable
from registry_grpc.domain.paging import NEWEST_FIRST, Slice
from registry_grpc.domain.registered_model import RegisteredModelFilter

pytestmark = pytest.mark.slow

PASSWORD = "the-passw0rd"


def lines_of(process: Running) -> list[dict[str, Any]]:
    """Its log, of which every line is JSON."""
    return [json.loads(line) for line in process.output.splitlines(keepends=True) if line.endswith("\n")]


def count(process: Running, event: str) -> int:
    return sum(line["event"] == event for line in lines_of(process))


async def until_told(process: Running, event: str) -> None:
    assert await asyncio.to_thread(processes.wait_until, lambda: count(process, event) > 0, 30), process.output


async def test_a_database_that_goes_away_and_comes_back_is_told_once_by_each_process(tmp_path: Path) -> None:
    address = f"unix:{tmp_path}/worker.sock"
    async with Servers(tmp_path / "servers") as servers:
        url = servers.url_of("primary")
        async with (
            running(tmp_path / "worker", "worker", "--listen", address, database_url=url) as worker,
            running(tmp_path / "controller", "controller", database_url=url) as controller,
            grpc.aio.insecure_channel(address) as channel,
        ):
            await until_serving(address, worker)
            await until_told(controller, "leadership.gained")
            await models(channel)
            servers.stop()
            codes = [await _code(channel) for _ in range(100)]
            assert set(codes) == {grpc.StatusCode.UNAVAILABLE}
            await until_told(controller, "database.away")
            servers.start()
            async with asyncio.timeout(60):
                while await _code(channel) is not grpc.StatusCode.OK:  # noqa: ASYNC110
                    await asyncio.sleep(0.05)
            await until_told(controller, "database.back")
            for process in (worker, controller):
                process.terminate()
                assert await process.ended() == 0, process.output
    for process in (worker, controller):
        told = [line["event"] for line in lines_of(process) if line["event"].startswith("database.")]
        assert told == ["database.away", "database.back"], process.output
        assert "background.failed" not in process.output
    # One for each period of ten seconds. The others are counted.
    assert 1 <= count(worker, "rpc.unavailable") <= 8
    lost = [(line["level"], line["reason"]) for line in lines_of(controller) if line["event"] == "leadership.lost"]
    assert lost == [("warning", "the database session was lost"), ("info", "it was given up")]


async def _code(channel: grpc.aio.Channel) -> grpc.StatusCode:
    try:
        await models(channel)
    except grpc.aio.AioRpcError as error:
        return error.code()
    return grpc.StatusCode.OK


async def test_a_start_and_a_stop_with_settings_and_without_secrets(fresh_database_url: str, tmp_path: Path) -> None:
    port = free_ports(1)
    settings = {"database_url": fresh_database_url, "worker_port": str(port), "workers": "1", "log_level": "info"}
    async with running(tmp_path / "log", "serve", **settings) as service:
        await until_serving(f"127.0.0.1:{port}", service)
        service.terminate()
        assert await service.ended() == 0, service.output
    started = {line["process"]: line for line in lines_of(service) if line["event"] == "process.started"}
    assert started.keys() == {"serve", "worker-0"}
    assert started["worker-0"]["version"]
    shown = started["worker-0"]["settings"]
    assert (shown["worker_port"], shown["database_url"], shown["audit_days"]) == (port, "**********", 365)
    stopped = {line["process"]: line["reason"] for line in lines_of(service) if line["event"] == "process.stopping"}
    assert stopped == {"serve": "SIGTERM", "worker-0": "SIGTERM"}


async def test_why_a_process_cannot_start_is_a_line_of_its_log() -> None:
    failed = await command("serve", port="none", database_url=f"postgresql://registry:{PASSWORD}/x@host/db")
    (line,) = map(json.loads, failed.err.splitlines())
    assert (failed.status, failed.out, line["event"], line["process"]) == (1, "", "process.failed", "serve")
    assert {text.partition(":")[0] for text in line["text"].splitlines()} == {"REGISTRY_PORT", "REGISTRY_DATABASE_URL"}
    assert PASSWORD not in failed.err


async def test_the_c_library_of_grpc_is_silent(fresh_database_url: str, tmp_path: Path) -> None:
    """It would write about what clients send."""
    port = free_ports(1)
    address = f"127.0.0.1:{port}"
    async with running(tmp_path / "log", "worker", "--listen", address, database_url=fresh_database_url) as worker:
        await until_serving(address, worker)
        for data in (b"GET / HTTP/1.1\r\n\r\n", b"\x16\x03\x01", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + b"\xff" * 100):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(data)
            writer.write_eof()
            with contextlib.suppress(ConnectionError):
                await reader.read()
            writer.close()
        worker.terminate()
        assert await worker.ended() == 0
    assert {line["event"] for line in lines_of(worker)} >= {"process.started", "worker.ready", "process.stopping"}


async def test_slow_statements_have_the_name_of_who_runs_them(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    database = Database(database_url, DatabaseOptions(slow_statement=0.2, statement_timeout=1))

    class PostgresSleepers:
        def __init__(self) -> None:
            self._database = database

        async def sleep(self, seconds: float) -> None:
            await self._database.fetch("SELECT pg_sleep($1)", seconds)

        async def sleep_in_a_transaction(self) -> None:
            async with self._database.transaction() as connection:
                await connection.execute("SELECT pg_sleep(0.3)")

    # As if it was a module of the adapter.
    monkeypatch.setitem(globals(), "__name__", "registry_grpc.adapters.postgres.sleepers")
    try:
        with capture_logs() as lines:
            await PostgresSleepers().sleep(0.3)
            await PostgresSleepers().sleep(0)
            await PostgresSleepers().sleep_in_a_transaction()
            with pytest.raises(Unavailable):
                await PostgresSleepers().sleep(3)
    finally:
        await database.close()
    slow = [line for line in lines if line["event"] == "database.slow_statement"]
    assert [line["name"].rpartition(".")[2] for line in slow] == ["sleep", "sleep_in_a_transaction", "sleep"]
    assert [line["seconds"] >= 0.2 for line in slow] == [True] * 3
    assert slow[0]["statement"] == "SELECT pg_sleep($1)"
    refused = [line for line in lines if line["event"] == "database.statement_refused"]
    assert [line["cause"] for line in refused] == ["QueryCanceledError"]


async def test_a_slow_list_has_the_name_of_its_repository(database_url: str) -> None:
    """Not that of the module which all lists share."""
    database = Database(database_url, DatabaseOptions(slow_statement=0))
    try:
        with capture_logs() as lines:
            await PostgresRegisteredModelRepository(database).list(
                uuid4(), RegisteredModelFilter(), NEWEST_FIRST, Slice(limit=1)
            )
    finally:
        await database.close()
    assert {line["name"] for line in lines if "m.id AS id" in line["statement"]} == {
        "PostgresRegisteredModelRepository.list"
    }
