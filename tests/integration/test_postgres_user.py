"""Root can run the embedded PostgreSQL, which refuses to run as root, with any set of capabilities that allows it."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from registry_grpc.devtools.embedded_postgres import binary, embedded_postgres

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform != "linux" or os.geteuid() != 0, reason="only root on Linux needs another user"),
]

NOBODY = 65534
SMALL = {"shared_buffers": "8MB", "fsync": "off"}
APPLICATION = """
import asyncio, sys, time
from pathlib import Path
import asyncpg
from registry_grpc.devtools.embedded_postgres import embedded_postgres

async def count(url):
    connection = await asyncpg.connect(url)
    await connection.execute("CREATE TABLE IF NOT EXISTS starts (); INSERT INTO starts DEFAULT VALUES")
    print(await connection.fetchval("SELECT count(*) FROM starts"), server.pid, flush=True)
    await connection.close()

with embedded_postgres(Path(sys.argv[1]), settings={"shared_buffers": "8MB", "fsync": "off"}) as server:
    asyncio.run(count(server.socket_url))
    time.sleep(float(sys.argv[2]))
"""
BECOME_ANOTHER = ("-all", "+chown", "+kill", "+setgid", "+setuid")
NAMESPACES_ONLY = ("-all", "+setfcap")


@pytest.fixture(scope="module")
def programs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """PostgreSQL's package as below /root with umask 077: only root can enter its folder and read its files."""
    folder = tmp_path_factory.mktemp("site-packages")
    folder.chmod(0o700)
    package = binary("postgres").parent.parent.parent
    shutil.copytree(package, folder / package.name)
    if (libraries := package.with_name(f"{package.name}.libs")).exists():
        shutil.copytree(libraries, folder / libraries.name)
    for path in folder.rglob("*"):
        path.chmod(path.stat().st_mode & 0o700)
    return folder


def start(
    folder: Path, programs: Path, *capabilities: str, seconds: float = 0.0, path: Path | None = None
) -> subprocess.Popen[str]:
    """Start the application with these capabilities and a minimal environment."""
    setpriv = shutil.which("setpriv")
    if not setpriv:
        pytest.skip("setpriv is not installed")
    prefix = [setpriv, f"--bounding-set={','.join(capabilities)}", "--"] if capabilities else []
    if prefix and subprocess.run([*prefix, "true"], check=False, capture_output=True).returncode != 0:
        pytest.skip("root may not give up capabilities here (CAP_SETPCAP)")
    return subprocess.Popen(
        [*prefix, sys.executable, "-c", APPLICATION, folder, str(seconds)],
        env={"PYTHONPATH": os.pathsep.join([str(programs), *sys.path])} | ({"PATH": str(path)} if path else {}),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        umask=0o077,
    )


def starts(application: subprocess.Popen[str]) -> str:
    """Wait for the application's end. Returns how often it has run on its data."""
    output, errors = application.communicate(timeout=60)
    assert application.returncode == 0, errors
    return output.split()[0]


def only(folder: Path, *names: str) -> Path:
    """A folder for PATH with only these programs."""
    folder.mkdir()
    for name in names:
        if not (program := shutil.which(name)):
            pytest.skip(f"{name} is not installed")
        (folder / name).symlink_to(program)
    return folder


def owners(folder: Path) -> set[int]:
    return {path.lstat().st_uid for path in (folder, *folder.rglob("*"))}


def has_ended(pid: int) -> bool:
    """Whether a process is gone or a zombie."""
    try:
        return ") Z " in Path(f"/proc/{pid}/stat").read_text()
    except FileNotFoundError:
        return True


@pytest.mark.parametrize(
    ("name", "capabilities"),
    [
        ("data", ()),
        ("data", ("-dac_override", "-dac_read_search")),
        *((name, BECOME_ANOTHER) for name in ("data", "a b, ü", "deep/" * 30)),
    ],
    ids=str,
)
def test_where_only_root_can_enter(name: str, capabilities: tuple[str, ...], programs: Path, tmp_path: Path) -> None:
    folder = tmp_path / name
    assert [starts(start(folder, programs, *capabilities)) for _ in range(2)] == ["1", "2"]
    assert owners(folder) == {0}


def test_without_user_namespaces(programs: Path, tmp_path: Path) -> None:
    path = only(tmp_path / "bin", "setpriv")
    assert starts(start(tmp_path / "data", programs, *BECOME_ANOTHER, path=path)) == "1"


@pytest.mark.parametrize("capabilities", [(), BECOME_ANOTHER], ids=str)
def test_the_server_is_another_user_without_capabilities(
    capabilities: tuple[str, ...], programs: Path, tmp_path: Path
) -> None:
    with start(tmp_path, programs, *capabilities, seconds=60) as application:
        assert application.stdout is not None
        _, pid = application.stdout.readline().split()
        status = Path(f"/proc/{pid}/status").read_text()
        application.send_signal(signal.SIGINT)
    assert f"Uid:\t{NOBODY}\t{NOBODY}" in status
    assert "CapEff:\t0000000000000000" in status


def test_root_that_may_not_become_another_user_hides_in_a_namespace(programs: Path, tmp_path: Path) -> None:
    if subprocess.run(["unshare", "--user", "true"], check=False, capture_output=True).returncode != 0:
        pytest.skip("no user namespaces here")
    folder = tmp_path / "data"
    assert [starts(start(folder, programs, *NAMESPACES_ONLY)) for _ in range(2)] == ["1", "2"]
    # With enough capabilities, it uses the same data.
    assert [starts(start(folder, programs, *them)) for them in (BECOME_ANOTHER, NAMESPACES_ONLY)] == ["3", "4"]
    assert owners(folder) == {0}


def test_root_without_rights_gets_a_clear_error(programs: Path, tmp_path: Path) -> None:
    application = start(tmp_path, programs, "-all")
    _, errors = application.communicate(timeout=60)
    assert application.returncode != 0
    assert "set REGISTRY_DATABASE_URL" in errors


@pytest.mark.parametrize("capabilities", [(), BECOME_ANOTHER, NAMESPACES_ONLY], ids=str)
def test_a_killed_application_leaves_nothing_for_long(
    capabilities: tuple[str, ...], programs: Path, tmp_path: Path
) -> None:
    with start(tmp_path, programs, *capabilities, seconds=60) as application:
        assert application.stdout is not None
        _, pid = application.stdout.readline().split()
        os.kill(int(pid), signal.SIGSTOP)  # cannot end with its application
        application.kill()
    scratch = tmp_path / "scratch"
    copies = scratch.readlink() if scratch.is_symlink() else tmp_path / "none"
    again = start(tmp_path, programs, *capabilities)
    os.kill(int(pid), signal.SIGCONT)
    assert starts(again) == "2"
    assert has_ended(int(pid))
    assert not copies.exists()
    assert owners(tmp_path) == {0}


@pytest.mark.parametrize("capabilities", [(), BECOME_ANOTHER], ids=str)
def test_data_that_were_left_to_nobody_are_taken_back(
    capabilities: tuple[str, ...], tmp_path: Path, programs: Path
) -> None:
    folder = tmp_path / "data"
    assert starts(start(folder, programs)) == "1"
    for path in (folder, folder / "data", *(folder / "data").rglob("*")):  # like older versions
        os.chown(path, NOBODY, NOBODY)
    assert starts(start(folder, programs, *capabilities)) == "2"
    assert owners(folder) == {0}


def test_a_folder_of_another_user_stays_theirs(tmp_path: Path, programs: Path) -> None:
    folder = tmp_path / "data"
    folder.mkdir()
    os.chown(folder, 1, 1)
    assert [starts(start(folder, programs)) for _ in range(2)] == ["1", "2"]
    assert owners(folder) == {1}


def test_a_user_without_a_name_will_do(tmp_path: Path, programs: Path) -> None:
    """A folder mounted into a container may have an owner unknown there, but initdb needs the name of its user."""
    folder = tmp_path / "data"
    folder.mkdir()
    os.chown(folder, 54321, 54321)
    assert starts(start(folder, programs)) == "1"
    assert owners(folder) == {54321}


def test_other_users_than_root_need_no_other_user(tmp_path: Path) -> None:
    """In a user namespace, root is another user, who can enter its folders."""
    unshare = ["unshare", "--user", f"--map-user={NOBODY}", f"--map-group={NOBODY}", "--"]
    if subprocess.run([*unshare, "true"], check=False, capture_output=True).returncode != 0:
        pytest.skip("no user namespaces here")
    application = subprocess.Popen(
        [*unshare, sys.executable, "-c", APPLICATION, tmp_path / "data", "0"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert starts(application) == "1"


def test_a_start_that_fails_leaves_root_its_files(tmp_path: Path) -> None:
    with embedded_postgres(tmp_path, settings=SMALL):
        pass
    (tmp_path / "data" / "PG_VERSION").write_text("1")
    with pytest.raises(Exception, match="incompatible with server"), embedded_postgres(tmp_path, settings=SMALL):
        pass
    assert owners(tmp_path) == {0}
    assert not (tmp_path / "scratch").is_symlink()
