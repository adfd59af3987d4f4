"""The real golang-migrate tool and this project's runner take turns on one database."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import asyncpg
import pytest

from registry_grpc.adapters.postgres import migrate
from registry_grpc.adapters.postgres.migrate import SchemaVersion
from registry_grpc.shipped import MIGRATIONS as FOLDER

pytestmark = [pytest.mark.golang, pytest.mark.timeout(600)]  # the first run compiles the tool

MODULE = "github.com/golang-migrate/migrate/v4/cmd/migrate"
VERSION = "v4.20.1"
MIGRATIONS = migrate.load_migrations()
NEWEST = MIGRATIONS[-1].version

Tool = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(scope="session")
def tool_path() -> Path:
    """The tool, compiled once per machine and version."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "registry-grpc"
    tool = cache / f"golang-migrate-{VERSION}" / "migrate"
    if not tool.exists():
        if shutil.which("go") is None:
            pytest.skip("needs the Go toolchain")
        environment = {**os.environ, "GOBIN": str(tool.parent)}
        subprocess.run(["go", "install", "-tags", "postgres", f"{MODULE}@{VERSION}"], env=environment, check=True)
    return tool


@pytest.fixture
def tool(tool_path: Path, empty_database_url: str) -> Tool:
    """Run the tool on this test's database."""

    def run(*arguments: str, timeout: float = 60) -> subprocess.CompletedProcess[str]:
        database = f"{empty_database_url}?sslmode=disable"
        command = [str(tool_path), "-path", str(FOLDER), "-database", database, *arguments]
        return subprocess.run(command, capture_output=True, text=True, check=True, timeout=timeout)

    return run


@pytest.fixture
async def connection(empty_database_url: str) -> AsyncIterator[asyncpg.Connection]:
    connection = await asyncpg.connect(empty_database_url)  # without the lock, which the tool takes
    yield connection
    await connection.close()


async def test_the_tool_sees_what_this_runner_applied(connection: asyncpg.Connection, tool: Tool) -> None:
    await migrate.up(connection, MIGRATIONS)
    assert tool("version").stderr.strip() == str(NEWEST)
    assert "no change" in tool("up").stderr


async def test_this_runner_sees_what_the_tool_applied(connection: asyncpg.Connection, tool: Tool) -> None:
    tool("up")
    status = await migrate.status(connection, MIGRATIONS)
    assert (status.current, status.pending) == (SchemaVersion(NEWEST, dirty=False), ())
    assert await migrate.up(connection, MIGRATIONS) == []


async def test_they_undo_and_redo_each_others_steps(connection: asyncpg.Connection, tool: Tool) -> None:
    tool("up", "2")
    assert await migrate.up(connection, MIGRATIONS) == list(MIGRATIONS[2:])
    tool("down", "3")
    assert await migrate.current_version(connection) == SchemaVersion(MIGRATIONS[-4].version, dirty=False)
    assert await migrate.down(connection, MIGRATIONS) == [MIGRATIONS[-4]]
    tool("up")
    undone = await migrate.down(connection, MIGRATIONS, steps=len(MIGRATIONS))
    assert undone == list(reversed(MIGRATIONS))
    assert await migrate.current_version(connection) is None
    tool("up")
    tool("down", "-all")
    assert await migrate.current_version(connection) is None


async def test_they_never_run_at_the_same_time(tool: Tool, empty_database_url: str) -> None:
    async with migrate.migration_connection(empty_database_url):
        with pytest.raises(subprocess.TimeoutExpired):
            tool("up", timeout=1)
    tool("up")
