"""The real PgBouncer in front of the run's PostgreSQL. Tests that need it are skipped if it is not installed."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import socket
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest

PROGRAM = shutil.which("pgbouncer", path=f"{os.environ.get('PATH', os.defpath)}:/usr/sbin:/usr/local/sbin")
needs_pgbouncer = pytest.mark.skipif(PROGRAM is None, reason="no pgbouncer (apt-get install pgbouncer)")
_NOBODY = 65534


@contextlib.asynccontextmanager
async def pgbouncer(url: str, **settings: str) -> AsyncIterator[str]:
    """The same database behind a PgBouncer with its stock settings, except for these."""
    assert PROGRAM is not None
    at = urlsplit(url)
    with tempfile.TemporaryDirectory(prefix="pgbouncer-") as name:
        folder = Path(name)
        with socket.create_server(("127.0.0.1", 0)) as found:
            port = found.getsockname()[1]
        users, configuration, log = folder / "users.txt", folder / "pgbouncer.ini", folder / "log"
        users.write_text(f'"{at.username}" "{at.password or ""}"\n')
        lines = {"listen_addr": "127.0.0.1", "listen_port": str(port), "unix_socket_dir": "", "auth_type": "md5"}
        lines |= {"auth_file": str(users), **settings}
        configuration.write_text(
            f"[databases]\n* = host={at.hostname} port={at.port}\n[pgbouncer]\n"
            + "".join(f"{key} = {value}\n" for key, value in lines.items())
        )
        nobody = None
        if os.geteuid() == 0:  # PgBouncer refuses it
            nobody = _NOBODY
            for path in (folder, users, configuration):
                os.chown(path, _NOBODY, _NOBODY)
        with log.open("wb") as output:
            process = await asyncio.create_subprocess_exec(
                PROGRAM, str(configuration), stdout=output, stderr=output, user=nobody, group=nobody
            )
        try:
            await _until_it_listens(port, process, log)
            yield at._replace(netloc=f"{at.username}:{at.password or ''}@127.0.0.1:{port}").geturl()
        finally:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.wait()


async def _until_it_listens(port: int, process: asyncio.subprocess.Process, log: Path) -> None:
    async with asyncio.timeout(10):
        while True:
            assert process.returncode is None, log.read_text()  # noqa: ASYNC240
            with contextlib.suppress(OSError):
                _, writer = await asyncio.open_connection("127.0.0.1", port)
                writer.close()
                return
            await asyncio.sleep(0.05)
