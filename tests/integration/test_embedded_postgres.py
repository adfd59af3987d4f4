"""The embedded PostgreSQL survives accidents on a developer's machine."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import asyncpg
import pytest

from registry_grpc.devtools.embedded_postgres import EmbeddedPostgres, EmbeddedPostgresError, binary, embedded_postgres

pytestmark = pytest.mark.slow

SMALL = {"shared_buffers": "8MB", "fsync": "off"}
APPLICATION = """
import sys, time
from pathlib import Path
from registry_grpc.devtools.embedded_postgres import embedded_postgres

with embedded_postgres(Path(sys.argv[1]), settings={"shared_buffers": "8MB"}) as server:
    try:
        print(server.pid, flush=True)
        time.sleep(60)
    except KeyboardInterrupt:
        time.sleep(0.5)  # drains
        print("alive" if Path(f"/proc/{server.pid}").exists() else "gone", flush=True)
"""


def query(url: str, sql: str) -> str:
    command = [str(binary("psql")), url, "--tuples-only", "--no-align", "--command", sql]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


def start_application(folder: Path) -> tuple[subprocess.Popen[str], int]:
    application = subprocess.Popen(
        [sys.executable, "-c", APPLICATION, folder], stdout=subprocess.PIPE, text=True, start_new_session=True
    )
    assert application.stdout is not None
    return application, int(application.stdout.readline())


def wait_until_gone(pid: int) -> None:
    deadline = time.monotonic() + 20
    while Path(f"/proc/{pid}").exists():
        assert time.monotonic() < deadline, f"process {pid} is still there"
        time.sleep(0.02)


def wait_until_ended(server: EmbeddedPostgres) -> None:
    deadline = time.monotonic() + 20
    while server.runs:
        assert time.monotonic() < deadline
        time.sleep(0.02)


async def test_data_stay_and_both_addresses_work(tmp_path: Path) -> None:
    with embedded_postgres(tmp_path, settings=SMALL) as server:
        query(server.url, "CREATE TABLE kept AS SELECT 42 AS answer")
    with embedded_postgres(tmp_path, settings=SMALL) as server:
        assert query(server.url, "SELECT answer FROM kept") == "42"
        assert query(server.socket_url, "SELECT answer FROM kept") == "42"
        connection = await asyncpg.connect(server.socket_url)
        assert await connection.fetchval("SELECT answer FROM kept") == 42
        await connection.close()
    assert "database system is shut down" in (tmp_path / "server.log").read_text().splitlines()[-1]


def test_the_defaults_are_crash_safe(tmp_path: Path) -> None:
    with embedded_postgres(tmp_path) as server:
        settings = query(
            server.url,
            "SELECT current_setting('fsync'), current_setting('full_page_writes'), current_setting('shared_buffers'),"
            " current_setting('max_connections'), current_setting('listen_addresses')",
        )
    assert settings == "on|on|256MB|100|127.0.0.1"


def test_a_password_is_needed(tmp_path: Path) -> None:
    with embedded_postgres(tmp_path, settings=SMALL) as server:
        without = f"postgresql://postgres@127.0.0.1:{server.port}/postgres"
        with pytest.raises(subprocess.CalledProcessError):
            query(without, "SELECT 1")


def test_a_folder_too_deep_for_a_socket_is_no_obstacle(tmp_path: Path) -> None:
    folder = tmp_path / ("deep" * 20) / ("deep" * 20)
    with embedded_postgres(folder, settings=SMALL) as server:
        assert query(server.socket_url, "SELECT 1") == "1"


@pytest.mark.parametrize("name", ["a b", "h#h", "p%20p", "a&b=c", "q?q", "plus+", "a,b", "ü"])
async def test_any_name_of_a_folder_will_do(name: str, tmp_path: Path) -> None:
    with embedded_postgres(tmp_path / name, settings=SMALL) as server:
        assert query(server.socket_url, "SELECT 1") == "1"
        connection = await asyncpg.connect(server.socket_url)
        assert await connection.fetchval("SELECT 1") == 1
        await connection.close()


def test_a_folder_is_used_by_one_at_a_time(tmp_path: Path) -> None:
    first, second = embedded_postgres(tmp_path, settings=SMALL), embedded_postgres(tmp_path, settings=SMALL)
    with first, pytest.raises(EmbeddedPostgresError, match="in use by another process"), second:
        pass


def test_a_port_that_is_taken_is_reported(tmp_path: Path) -> None:
    with embedded_postgres(tmp_path / "one", settings=SMALL) as server:
        second = embedded_postgres(tmp_path / "two", port=server.port, settings=SMALL)
        with pytest.raises(EmbeddedPostgresError, match="Address already in use"), second:
            pass


def test_a_killed_server_recovers(tmp_path: Path) -> None:
    with embedded_postgres(tmp_path, settings=SMALL) as server:
        query(server.url, "CREATE TABLE kept AS SELECT 42 AS answer")
        os.kill(server.pid, signal.SIGKILL)
    assert (tmp_path / "data" / "postmaster.pid").exists()
    with embedded_postgres(tmp_path, settings=SMALL) as server:
        assert query(server.url, "SELECT answer FROM kept") == "42"


def test_a_stale_pid_file_with_the_number_of_another_process_is_no_obstacle(tmp_path: Path) -> None:
    with embedded_postgres(tmp_path, settings=SMALL) as server:
        os.kill(server.pid, signal.SIGKILL)
    pid_file = tmp_path / "data" / "postmaster.pid"
    other = subprocess.Popen(["sleep", "60"])
    try:
        lines = pid_file.read_text().splitlines()
        pid_file.write_text("\n".join([str(other.pid), *lines[1:]]) + "\n")
        with embedded_postgres(tmp_path, settings=SMALL) as server:
            assert query(server.url, "SELECT 1") == "1"
        assert other.poll() is None
    finally:
        other.kill()
        other.wait()


def test_a_server_that_ended_is_started_again_at_its_addresses(tmp_path: Path) -> None:
    folder = tmp_path / ("deep" * 20) / ("deep" * 20)  # its socket is in another folder, and must stay there
    with embedded_postgres(folder, settings=SMALL) as server:
        query(server.url, "CREATE TABLE kept AS SELECT 42 AS answer")
        urls, pid = (server.url, server.socket_url), server.pid
        os.kill(server.pid, signal.SIGKILL)
        wait_until_ended(server)
        server.restart()
        assert (server.url, server.socket_url) == urls
        assert server.pid != pid
        assert [query(url, "SELECT answer FROM kept") for url in urls] == ["42", "42"]
    assert not server.runs


async def test_a_start_waits_until_a_killed_server_has_ended(tmp_path: Path) -> None:
    """Its processes end after their statements, and PostgreSQL does not start before that."""
    with embedded_postgres(tmp_path, settings=SMALL) as server:
        connection = await asyncpg.connect(server.url)
        busy = asyncio.create_task(connection.execute("SET statement_timeout = 2000; DO 'BEGIN LOOP END LOOP; END'"))
        await asyncio.sleep(0.5)
        os.kill(server.pid, signal.SIGKILL)
        wait_until_ended(server)
        server.restart()
        assert query(server.url, "SELECT 1") == "1"
        with pytest.raises(asyncpg.PostgresError):
            await busy
        connection.terminate()


def test_a_server_that_cannot_be_restarted_is_reported(tmp_path: Path) -> None:
    with embedded_postgres(tmp_path, settings=SMALL) as server:
        os.kill(server.pid, signal.SIGKILL)
        wait_until_ended(server)
        (tmp_path / "data" / "PG_VERSION").write_text("1")
        with pytest.raises(EmbeddedPostgresError, match="incompatible with server"):
            server.restart()


@pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")
def test_a_killed_server_that_nobody_has_waited_for_is_no_obstacle(tmp_path: Path) -> None:
    with embedded_postgres(tmp_path, settings=SMALL) as server:
        port, user = server.port, Path(f"/proc/{server.pid}").stat().st_uid
        os.kill(server.pid, signal.SIGKILL)
    # A process that has ended keeps its id, and accepts signals, until its parent waits for it.
    zombie = subprocess.Popen(["true"], user=user)
    try:
        while ") Z " not in Path(f"/proc/{zombie.pid}/stat").read_text():
            time.sleep(0.01)
        # The lock file of the socket is in a new folder each time if root runs the server as another user.
        left = [tmp_path / "data" / "postmaster.pid", tmp_path / f".s.PGSQL.{port}.lock"]
        for pid_file in [path for path in left if path.exists()]:
            lines = pid_file.read_text().splitlines()
            pid_file.write_text("\n".join([str(zombie.pid), *lines[1:]]) + "\n")
        with embedded_postgres(tmp_path, port=port, settings=SMALL) as server:
            assert query(server.url, "SELECT 1") == "1"
    finally:
        zombie.wait()


def test_an_interrupted_first_start_is_begun_again(tmp_path: Path) -> None:
    (tmp_path / "data.unfinished").mkdir()
    (tmp_path / "data.unfinished" / "PG_VERSION").touch()
    with embedded_postgres(tmp_path, settings=SMALL) as server:
        assert query(server.url, "SELECT 1") == "1"


@pytest.mark.skipif(sys.platform != "linux", reason="the server's end with a killed application needs Linux")
def test_a_killed_application_takes_its_server_along(tmp_path: Path) -> None:
    application, server = start_application(tmp_path)
    with application:
        application.kill()
    with embedded_postgres(tmp_path, settings=SMALL) as restarted:  # starts at once, and waits for the old one
        assert query(restarted.url, "SELECT 1") == "1"
    wait_until_gone(server)


@pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")
def test_ctrl_c_leaves_the_server_to_the_application(tmp_path: Path) -> None:
    application, server = start_application(tmp_path)
    with application:
        os.killpg(application.pid, signal.SIGINT)
        output, _ = application.communicate(timeout=30)
    assert output == "alive\n"
    wait_until_gone(server)
