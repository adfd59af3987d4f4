"""Runs `registry-grpc` like an operator: processes with their own environment."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import shutil
import signal
import socket
import sys
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc

from registry_grpc.adapters.postgres import migrate
from registry_grpc.shipped import MIGRATIONS

PATIENCE = 30.0
SERVING = health_pb2.HealthCheckResponse.SERVING
NOT_SERVING = health_pb2.HealthCheckResponse.NOT_SERVING


@dataclass(frozen=True)
class Program:
    """An installed registry-grpc; by default that of this checkout."""

    command: tuple[str, ...] = (sys.executable, "-m", "registry_grpc")
    folder: Path | None = None
    """The folder in which it runs."""
    modules: tuple[Path, ...] = ()
    """The folders of its packages, if they are not those that the tests use."""
    environment: Mapping[str, str] | None = None
    """The variables that it has beside settings; by default those of the tests."""


THIS = Program()


def environment_of(program: Program, **settings: str) -> dict[str, str]:
    """An environment without the settings of the developer. Warnings are errors here too."""
    inherited = os.environ if program.environment is None else program.environment
    own = {name: value for name, value in inherited.items() if not name.startswith(("REGISTRY_", "KUBECONFIG"))}
    if program is not THIS:
        own["PYTHONPATH"] = os.pathsep.join(map(str, program.modules))
    return own | {f"REGISTRY_{name.upper()}": value for name, value in settings.items()} | {"PYTHONWARNINGS": "error"}


@dataclass(frozen=True)
class Outcome:
    """The result of a command."""

    status: int
    out: str
    err: str

    @property
    def failure(self) -> str:
        """Why it has failed. A process that serves says so in its log, of which every line is JSON."""
        if not self.err.startswith("{"):
            return self.err
        (failed,) = [line for line in map(json.loads, self.err.splitlines()) if line["event"] == "process.failed"]
        return f"{failed['text']}\n"


async def command(*arguments: str, **settings: str) -> Outcome:
    """Run a command to its end."""
    return await command_of(THIS, *arguments, **settings)


async def command_of(program: Program, *arguments: str, **settings: str) -> Outcome:
    process = await asyncio.create_subprocess_exec(
        *program.command,
        *arguments,
        env=environment_of(program, **settings),
        cwd=program.folder,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        out, err = await asyncio.wait_for(process.communicate(), PATIENCE)
    except TimeoutError:
        process.kill()
        await process.wait()
        raise
    return Outcome(process.returncode or 0, out.decode(), err.decode())


@dataclass(frozen=True)
class Running:
    """A command that runs until it is stopped."""

    process: asyncio.subprocess.Process
    log: Path

    @property
    def output(self) -> str:
        return self.log.read_text()

    def terminate(self) -> None:
        self.process.send_signal(signal.SIGTERM)

    async def ended(self) -> int:
        return await asyncio.wait_for(self.process.wait(), PATIENCE)


def running(log: Path, *arguments: str, **settings: str) -> contextlib.AbstractAsyncContextManager[Running]:
    """A command of this checkout."""
    return running_of(THIS, log, *arguments, **settings)


@contextlib.asynccontextmanager
async def running_of(program: Program, log: Path, *arguments: str, **settings: str) -> AsyncIterator[Running]:
    """Start a command, which writes both outputs to the log. In the end it is stopped, by force if necessary."""
    with log.open("wb") as output:
        process = await asyncio.create_subprocess_exec(
            *program.command,
            *arguments,
            env=environment_of(program, **settings),
            cwd=program.folder,
            stdout=output,
            stderr=output,
        )
    try:
        yield Running(process, log)
    finally:
        if process.returncode is None:
            process.terminate()
            try:
                await asyncio.wait_for(process.wait(), PATIENCE)
            except TimeoutError:
                process.kill()
                await process.wait()


def free_ports(count: int) -> int:
    """The first of this many consecutive free ports."""
    while True:
        with contextlib.ExitStack() as stack, contextlib.suppress(OSError, OverflowError):
            first: int = stack.enter_context(socket.create_server(("127.0.0.1", 0))).getsockname()[1]
            for further in range(1, count):
                stack.enter_context(socket.create_server(("127.0.0.1", first + further)))
            return first


async def health(channel: grpc.aio.Channel) -> int:
    """The health status of the whole server."""
    check = health_pb2_grpc.HealthStub(channel).Check  # type: ignore[attr-defined]
    answer = await check(health_pb2.HealthCheckRequest(), timeout=5)
    status: int = answer.status
    return status


async def until_serving(address: str, process: Running) -> None:
    """Wait until a worker serves at the address. Fails with its log if the process ends instead."""
    async with asyncio.timeout(PATIENCE), grpc.aio.insecure_channel(address) as channel:
        while True:
            assert process.process.returncode is None, process.output
            with contextlib.suppress(grpc.aio.AioRpcError):
                if await health(channel) == SERVING:
                    return
            await asyncio.sleep(0.05)


def with_a_later_migration(folder: Path) -> Path:
    """A folder with the migrations and one after them, without which workers work."""
    migrations = folder / "migrations"
    shutil.copytree(MIGRATIONS, migrations)
    newest = migrate.load_migrations()[-1].version
    for direction in ("up", "down"):
        (migrations / f"{newest + 1}_faster.{direction}.sql").write_text("-- migrate:no-transaction\nSELECT 1;")
    return migrations
