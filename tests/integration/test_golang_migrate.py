"""The real golang-migrate tool and this project's runner alternate on one database."""

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
    connection = await asyncpg.connect(empty_database_url)  # without the lock, because the tool takes it
    yield connection
    await connection.close()


async def test_the_tool_knows_the_migrations_of_this_runner(connection: asyncpg.Connection, tool: Tool) -> None:
    await migrate.up(connection, MIGRATIONS)
    assert tool("version").stderr.strip() == str(NEWEST)
    assert "no change" in tool("up").stderr


async def test_this_runner_knows_the_migrations_of_the_tool(connection: asyncpg.Connection, tool: Tool) -> None:
    tool("up", "4")
    status = await migrate.status(connection, MIGRATIONS)
    assert (status.current, status.pending) == (SchemaVersion(MIGRATIONS[3].version, dirty=False), MIGRATIONS[4:])
    assert await migrate.up(connection, MIGRATIONS) == list(MIGRATIONS[4:])


@pytest.mark.parametrize(
    ("versions", "stopped_at", "message"),
    [
        (0, "indexes", "CREATE INDEX CONCURRENTLY cannot"),
        (1, "version_project", "invalid transaction termination"),
    ],
)
async def test_this_runner_goes_on_where_the_tool_cannot(
    connection: asyncpg.Connection, tool: Tool, versions: int, stopped_at: str, message: str
) -> None:
    """The tool sends a file as a whole (docs/migration-from-go.md)."""
    several = next(migration for migration in MIGRATIONS if migration.name == stopped_at)
    await migrate.up(connection, MIGRATIONS, steps=3)
    await connection.execute(
        "INSERT INTO registered_model (id, project_id, name) VALUES (gen_random_uuid(), gen_random_uuid(), 'm')"
    )
    await connection.execute(
        "INSERT INTO model_version (id, registered_model_id, name)"
        " SELECT gen_random_uuid(), id, 'v' FROM registered_model LIMIT $1",
        versions,
    )
    with pytest.raises(subprocess.CalledProcessError) as failed:
        tool("up")
    assert message in failed.value.stderr
    assert await migrate.current_version(connection) == SchemaVersion(several.version, dirty=True)
    assert await migrate.up(connection, MIGRATIONS) == list(MIGRATIONS[MIGRATIONS.index(several) :])
    assert await migrate.current_version(connection) == SchemaVersion(NEWEST, dirty=False)


async def test_they_undo_and_redo_each_others_steps(connection: asyncpg.Connection, tool: Tool) -> None:
    tool("up", "2")
    assert await migrate.up(connection, MIGRATIONS, steps=2) == list(MIGRATIONS[2:4])
    tool("down", "2")
    assert await migrate.current_version(connection) == SchemaVersion(MIGRATIONS[1].version, dirty=False)
    assert await migrate.down(connection, MIGRATIONS) == [MIGRATIONS[1]]
    tool("up", "3")
    undone = await migrate.down(connection, MIGRATIONS, steps=len(MIGRATIONS))
    assert undone == list(reversed(MIGRATIONS[:4]))
    assert await migrate.current_version(connection) is None


async def test_they_never_run_at_the_same_time(tool: Tool, empty_database_url: str) -> None:
    async with migrate.migration_connection(empty_database_url):
        with pytest.raises(subprocess.TimeoutExpired):
            tool("up", "1", timeout=1)
    tool("up", "1")
