"""A PostgreSQL server for one test, which can be restored from a dump or a backup, failed over, and demoted."""

from __future__ import annotations

import asyncio
import contextlib
import shutil
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from urllib.parse import urlsplit

import asyncpg
from tests.postgres import url_of

from registry_grpc.adapters.postgres import migrate
from registry_grpc.devtools.embedded_postgres import EmbeddedPostgres, binary, embedded_postgres
from registry_grpc.devtools.free_port import free_port

_SMALL = {"shared_buffers": "16MB", "fsync": "off"}
_NAME = "registry"


class Servers:
    """A server with a migrated database. `url` leads to the server that accepts writes, also after a failover."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._running: dict[str, tuple[EmbeddedPostgres, contextlib.ExitStack]] = {}
        self._ports: dict[str, int] = {}

    async def __aenter__(self) -> Self:
        first, second = self._start("primary"), free_port()
        self._ports = {"primary": first.port, "standby": second}
        hosts = ",".join(f"127.0.0.1:{port}" for port in self._ports.values())
        self.url = (
            urlsplit(url_of(first.url, _NAME))
            ._replace(
                netloc=f"{urlsplit(first.url).netloc.rpartition('@')[0]}@{hosts}",
                query="target_session_attrs=read-write",
            )
            .geturl()
        )
        await self.run("primary", f"CREATE DATABASE {_NAME}", database="postgres")
        async with migrate.migration_connection(self.url) as connection:
            await migrate.up(connection, migrate.load_migrations())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for name in list(self._running):
            self._stop(name)

    def url_of(self, name: str, database: str = _NAME) -> str:
        return url_of(self._running[name][0].url, database)

    async def run(self, name: str, *statements: str, database: str = _NAME) -> Any:
        """Run the statements. Returns the value of the last one."""
        connection = await asyncpg.connect(self.url_of(name, database))
        try:
            return [await connection.fetchval(statement) for statement in statements][-1]
        finally:
            await connection.close()

    def restart(self) -> None:
        self.stop()
        self.start()

    def stop(self) -> None:
        self._stop("primary")

    def start(self) -> None:
        """Start it again, at the same address."""
        self._start("primary")

    # Dumps

    async def dump(self) -> None:
        await _program("pg_dump", "--format=custom", f"--file={self._folder / 'dump'}", self.url_of("primary"))

    async def restore(self, *options: str) -> None:
        await _program("pg_restore", *options, f"--dbname={self.url_of('primary')}", str(self._folder / "dump"))

    async def drop(self) -> None:
        """Replace the database by an empty one of the same name."""
        await self.run(
            "primary", f"DROP DATABASE {_NAME} WITH (FORCE)", f"CREATE DATABASE {_NAME}", database="postgres"
        )

    # Physical backups

    async def back_up(self, name: str = "backup", *options: str) -> None:
        """Copy the files into the folder of another server."""
        (self._folder / name).mkdir(mode=0o700)
        shutil.copy(self._folder / "primary" / "password", self._folder / name)
        data = f"--pgdata={self._folder / name / 'data'}"
        await _program("pg_basebackup", "--checkpoint=fast", data, f"--dbname={self.url_of('primary')}", *options)

    async def set_back(self) -> None:
        """Start the server on the files of the backup, as if its disk had been set back."""
        self._take_backup()
        self._start("primary")

    async def recover(self) -> None:
        """Recover to the time of the backup, which begins a new timeline."""
        self._take_backup()
        (self._folder / "primary" / "data" / "recovery.signal").touch()
        self._start("primary", restore_command="false", recovery_target="immediate", recovery_target_action="promote")

    def _take_backup(self) -> None:
        self._stop("primary")
        shutil.rmtree(self._folder / "primary")
        (self._folder / "backup").rename(self._folder / "primary")

    # Standbys

    async def add_standby(self) -> None:
        await self.back_up("standby", "--write-recovery-conf")
        self._start("standby")

    async def add_standby_and_cut_it_off(self) -> None:
        """Add a standby, and stop its replication."""
        await self.add_standby()
        await self.run("standby", "ALTER SYSTEM SET primary_conninfo = ''", "SELECT pg_reload_conf()")
        while await self.run("standby", "SELECT count(*) FROM pg_stat_wal_receiver"):  # noqa: ASYNC110
            await asyncio.sleep(0.02)

    async def fail_over(self) -> None:
        """Stop the primary and promote the standby."""
        self._stop("primary")
        await self.promote()

    async def promote(self) -> None:
        await self.run("standby", "SELECT pg_promote()")

    def demote(self) -> None:
        """Restart the primary as a standby."""
        self._stop("primary")
        (self._folder / "primary" / "data" / "standby.signal").touch()
        self._start("primary")

    def _start(self, name: str, **settings: str) -> EmbeddedPostgres:
        stack = contextlib.ExitStack()
        port = self._ports.get(name, 0)
        server = stack.enter_context(embedded_postgres(self._folder / name, port=port, settings=_SMALL | settings))
        self._running[name] = server, stack
        return server

    def _stop(self, name: str) -> None:
        self._running.pop(name)[1].close()


async def _program(name: str, *arguments: str) -> None:
    process = await asyncio.create_subprocess_exec(
        binary(name), *arguments, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
    )
    output, _ = await process.communicate()
    assert process.returncode == 0, output.decode()
