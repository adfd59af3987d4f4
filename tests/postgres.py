"""PostgreSQL for tests: one server per pytest run, a migrated template in it, and databases copied from the template.

With pytest-xdist the controller starts the server and hands it to its workers; without, the first test that asks for a
database does. REGISTRY_TEST_DATABASE_URL names a server to use instead (a superuser's URL, PostgreSQL 15 or later; the
databases made on it are dropped again).
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import tempfile
import uuid
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol
from urllib.parse import urlsplit

import asyncpg
import pytest
import pytest_asyncio

from registry_grpc.adapters.postgres import migrate
from registry_grpc.adapters.postgres.database import DatabaseOptions
from registry_grpc.devtools.embedded_postgres import embedded_postgres

# The data is deleted after the run, so nothing has to reach the disk.
_FAST = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off", "max_connections": "200"}
PATIENT = DatabaseOptions(connect_timeout=60, statement_timeout=60, lock_timeout=60)
"""For tests that are not about time, so that they do not fail on a busy machine."""
_SERVER = pytest.StashKey["ServerForRun"]()
_RESOURCES = pytest.StashKey[contextlib.ExitStack]()


@dataclass(frozen=True, slots=True)
class ServerForRun:
    """The run's server, and the name of the migrated database on it from which the others are copied."""

    url: str
    template: str


class _Node(Protocol):
    """A worker, as xdist's controller knows it."""

    config: pytest.Config
    workerinput: dict[str, str]


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: _Node) -> None:
    """Pass the run's server to a worker that is about to start."""
    server = _server_for_run(node.config)
    node.workerinput.update(postgres_url=server.url, postgres_template=server.template)


def pytest_unconfigure(config: pytest.Config) -> None:
    """Stop what this process started."""
    if resources := config.stash.get(_RESOURCES, None):
        resources.close()


def _server_for_run(config: pytest.Config) -> ServerForRun:
    if (server := config.stash.get(_SERVER, None)) is None:
        resources = config.stash.setdefault(_RESOURCES, contextlib.ExitStack())
        server = config.stash[_SERVER] = resources.enter_context(_running_server())
    return server


@contextlib.contextmanager
def _running_server() -> Iterator[ServerForRun]:
    with contextlib.ExitStack() as stack:
        url = os.environ.get("REGISTRY_TEST_DATABASE_URL")
        if not url:
            folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="registry-tests-"))
            url = stack.enter_context(embedded_postgres(Path(folder) / "postgres", settings=_FAST)).url
        server = ServerForRun(url, template=f"registry_template_{uuid.uuid4().hex}")
        asyncio.run(_create_template(server))
        try:
            yield server
        finally:
            asyncio.run(_execute(server.url, f"DROP DATABASE {server.template}"))


async def _create_template(server: ServerForRun) -> None:
    await _execute(server.url, f"CREATE DATABASE {server.template}")
    async with migrate.migration_connection(url_of(server.url, server.template)) as connection:
        await migrate.up(connection, migrate.load_migrations())


@contextlib.asynccontextmanager
async def new_database(server: ServerForRun, template: str) -> AsyncIterator[str]:
    """Create a database from `template`, yield its URL, and drop it afterwards."""
    name = f"registry_{uuid.uuid4().hex}"
    await _execute(
        server.url, f"CREATE DATABASE {name} TEMPLATE {template} STRATEGY FILE_COPY"
    )  # half the time of the default
    try:
        yield url_of(server.url, name)
    finally:
        await _execute(server.url, f"DROP DATABASE {name} WITH (FORCE)")


def url_of(server_url: str, database: str) -> str:
    """The URL of another database on the server."""
    return urlsplit(server_url)._replace(path=f"/{database}").geturl()


async def _execute(url: str, statement: str) -> None:
    connection = await asyncpg.connect(url)
    try:
        await connection.execute(statement)
    finally:
        await connection.close()


@pytest.fixture(scope="session")
def server_for_run(request: pytest.FixtureRequest) -> ServerForRun:
    """The run's server and its migrated template."""
    handed_over: dict[str, str] | None = getattr(request.config, "workerinput", None)
    if handed_over is not None:
        return ServerForRun(handed_over["postgres_url"], handed_over["postgres_template"])
    return _server_for_run(request.config)


@pytest.fixture(scope="session")
def postgres_server(server_for_run: ServerForRun) -> str:
    """The URL of the run's server (its maintenance database), shared by all workers."""
    return server_for_run.url


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def database_url(server_for_run: ServerForRun) -> AsyncIterator[str]:
    """A migrated database for this worker. Its tests share it, so each uses its own projects."""
    async with new_database(server_for_run, server_for_run.template) as url:
        yield url


@pytest_asyncio.fixture(loop_scope="session")
async def fresh_database_url(server_for_run: ServerForRun) -> AsyncIterator[str]:
    """A migrated, empty database for this test only."""
    async with new_database(server_for_run, server_for_run.template) as url:
        yield url


@pytest_asyncio.fixture(loop_scope="session")
async def empty_database_url(server_for_run: ServerForRun) -> AsyncIterator[str]:
    """A database without tables for this test only."""
    async with new_database(server_for_run, "template0") as url:
        yield url
