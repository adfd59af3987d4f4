"""If `registry-grpc dev` cannot run, it tells why in one line."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import asyncpg
import pytest
from tests.integration.commands import THIS, Outcome, command, environment_of, free_ports
from tests.postgres import url_of

from registry_grpc.adapters.postgres import migrate

pytestmark = pytest.mark.slow

PASSWORD = "the-passw0rd"
STEPS = {"makes a database and starts PostgreSQL", "applies the migrations of the database"}


async def dev(folder: Path, **settings: str) -> Outcome:
    """Run it with an unusable folder or a wrong setting. It must end soon."""
    return await command("dev", **{"data_dir": str(folder), "port": "0"} | settings)


def assert_told(failed: Outcome, text: str, status: int = 1) -> None:
    assert failed.status == status
    assert set(failed.out.splitlines()) <= STEPS
    assert {json.loads(line)["event"] for line in failed.err.splitlines()} <= {"process.started", "process.failed"}
    assert text in failed.failure
    assert PASSWORD not in failed.err


async def test_a_database_that_does_not_answer(tmp_path: Path) -> None:
    url = f"postgresql://registry:{PASSWORD}@127.0.0.1:{free_ports(1)}/registry"
    assert_told(await dev(tmp_path, database_url=url), "the database does not answer: ")


async def test_a_wrong_password(fresh_database_url: str, tmp_path: Path) -> None:
    before, at, place = fresh_database_url.rpartition("@")
    url = f"{before.rpartition(':')[0]}:{PASSWORD}{at}{place}"
    assert_told(await dev(tmp_path, database_url=url), "password authentication failed")


async def test_a_database_that_is_not_there(postgres_server: str, tmp_path: Path) -> None:
    failed = await dev(tmp_path, database_url=url_of(postgres_server, "nowhere"))
    assert_told(failed, 'database "nowhere" does not exist')


async def test_a_parameter_the_server_does_not_know(fresh_database_url: str, tmp_path: Path) -> None:
    failed = await dev(tmp_path, database_url=f"{fresh_database_url}?foo=bar")
    assert_told(failed, 'the database refuses the migration: unrecognized configuration parameter "foo"')


@pytest.mark.parametrize(("version", "dirty", "text"), [(1, True, "is marked dirty"), (7, False, "is at version 7")])
async def test_a_schema_nobody_knows(
    version: int, dirty: bool, text: str, fresh_database_url: str, tmp_path: Path
) -> None:
    connection = await asyncpg.connect(fresh_database_url)
    await migrate.set_version(connection, version, dirty=dirty)
    await connection.close()
    assert_told(await dev(tmp_path, database_url=fresh_database_url), text)


async def test_no_migrations(fresh_database_url: str, tmp_path: Path) -> None:
    failed = await dev(tmp_path / "data", database_url=fresh_database_url, migrations_dir=str(tmp_path))
    assert_told(failed, f"{tmp_path} has no migrations")


async def test_a_data_folder_that_cannot_be_made() -> None:
    folder = Path("/proc/nope")
    assert_told(await dev(folder), "/proc/nope")


@pytest.mark.parametrize("inside", ["", "data", "data/lock/deeper", "data/postgres"])
async def test_a_data_folder_that_is_not_a_folder(inside: str, tmp_path: Path) -> None:
    folder = tmp_path / "data"
    wrong = tmp_path / (inside or "data")
    wrong.parent.mkdir(parents=True, exist_ok=True)
    wrong.touch()
    assert_told(await dev(folder if inside else folder / "deeper"), str(folder))


@pytest.mark.skipif(os.geteuid() != 0, reason="becomes another user")
async def test_a_data_folder_of_somebody_else(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    folder.mkdir(mode=0o700)
    # The capability lets the other user read this Python, which may be in root's home. It does not allow writing.
    as_nobody = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]
    as_nobody += ["--inh-caps=+dac_read_search", "--ambient-caps=+dac_read_search"]
    environment = environment_of(THIS, data_dir=str(folder)) | {"PYTHONDONTWRITEBYTECODE": "1"}
    process = await asyncio.create_subprocess_exec(
        *(*as_nobody, sys.executable, "-m", "registry_grpc", "dev"),
        env=environment,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, err = await asyncio.wait_for(process.communicate(), 30)
    assert_told(Outcome(process.returncode or 0, out.decode(), err.decode()), str(folder))


def test_ctrl_c_while_the_database_is_made(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    process = subprocess.Popen(
        [sys.executable, "-m", "registry_grpc", "dev"],
        env=environment_of(THIS, data_dir=str(folder), port="0"),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    while not (folder / "postgres" / "data.unfinished").exists():
        assert process.poll() is None
        time.sleep(0.01)
    os.killpg(process.pid, signal.SIGINT)
    out, err = process.communicate(timeout=30)
    assert_told(Outcome(process.returncode, out, err), "interrupted", status=130)
