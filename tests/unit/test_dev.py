"""`registry-grpc dev` restarts a part that has ended, as soon as that is possible."""

from __future__ import annotations

import asyncio
import contextlib
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs
from tests.certificates import Authority

from registry_grpc.devtools import dev
from registry_grpc.devtools.demo_issuer import PROJECT
from registry_grpc.devtools.embedded_postgres import EmbeddedPostgresError
from registry_grpc.devtools.envoy import EnvoyError
from registry_grpc.settings import AuthKind, ClusterKind, Settings

PLENTY = 10**12


class Disk:
    """A disk whose free space a test sets."""

    def __init__(self) -> None:
        self.free = PLENTY


@pytest.fixture
def disk(monkeypatch: pytest.MonkeyPatch) -> Disk:
    disk = Disk()
    monkeypatch.setattr(dev, "_free_bytes", lambda _folder: disk.free)
    monkeypatch.setattr(dev, "_PAUSE_SECONDS", 0.001)
    monkeypatch.setattr(dev, "_DATABASE_CHECK_SECONDS", 0.001)
    return disk


class Server:
    """A database that has ended and then fails to start a few times."""

    def __init__(self, disk: Disk, failures: int) -> None:
        self._disk = disk
        self._failures = failures
        self.runs = False
        self.tries = 0

    def restart(self) -> None:
        self.tries += 1
        if self.tries <= self._failures or self._disk.free < PLENTY:
            raise EmbeddedPostgresError("it was killed")
        self.runs = True


async def keep(server: Server) -> None:
    """Keep the database running until it runs again."""
    database: Any = server
    keeping = asyncio.create_task(dev._keep_database(database, Path("/data")))
    async with asyncio.timeout(10):
        while not server.runs and not keeping.done():  # noqa: ASYNC110
            await asyncio.sleep(0.001)
    keeping.cancel()
    await asyncio.gather(keeping, return_exceptions=True)
    if not keeping.cancelled() and (error := keeping.exception()):
        raise error


async def test_a_database_that_is_killed_while_it_starts_is_started_again(disk: Disk) -> None:
    server = Server(disk, failures=2)
    await keep(server)
    assert server.tries == 3


async def test_a_database_that_never_starts_ends_it(disk: Disk) -> None:
    with pytest.raises(EmbeddedPostgresError, match="it was killed"):
        await keep(Server(disk, failures=1000))


async def test_on_a_full_disk_nothing_is_tried_until_there_is_room(disk: Disk) -> None:
    server = Server(disk, failures=0)
    disk.free = 5 * 2**20
    with capture_logs() as lines:
        keeping = asyncio.create_task(keep(server))
        await asyncio.sleep(0.05)
        assert server.tries == 0
        disk.free = PLENTY
        await keeping
    assert server.tries == 1
    (told,) = [line for line in lines if line["event"] == "disk.full"]
    assert (str(told["folder"]), told["free_mib"], told["awaited_mib"]) == ("/data", 5, 64)


async def test_a_disk_that_fills_up_meanwhile_counts_for_no_try(disk: Disk, monkeypatch: pytest.MonkeyPatch) -> None:
    server = Server(disk, failures=0)
    room = iter([PLENTY, 0] * 5)  # before and after each of five tries
    monkeypatch.setattr(dev, "_free_bytes", lambda _folder: next(room, PLENTY))
    disk.free = 0
    keeping = asyncio.create_task(keep(server))
    async with asyncio.timeout(10):
        while server.tries < 5:  # noqa: ASYNC110
            await asyncio.sleep(0.001)
    disk.free = PLENTY
    await keeping


async def test_the_gateway_is_kept_as_well(disk: Disk) -> None:
    tries = 0

    async def start() -> None:
        nonlocal tries
        tries += 1
        if tries < 3:
            raise [EnvoyError("killed"), OSError("no space left on device")][tries - 1]

    await dev._start_again("the gateway", Path("/data"), start)
    assert tries == 3


def test_certificates_that_cannot_be_used_are_refused_at_the_start(tmp_path: Path) -> None:
    authority = Authority()
    authority.mount(tmp_path)
    assert dev._switches(Settings()) == []
    assert dev._switches(Settings(gateway_tls=tmp_path)) == ["tls"]
    assert dev._switches(Settings(gateway_tls=tmp_path, gateway_mtls=True)) == ["tls", "mtls"]
    (tmp_path / "ca.crt").unlink()
    with pytest.raises(dev._DevError, match=r"needs tls\.crt, tls\.key and ca\.crt that fit together: .*No such file"):
        dev._switches(Settings(gateway_tls=tmp_path, gateway_mtls=True))
    (tmp_path / "tls.key").unlink()
    (tmp_path / "tls.key").write_bytes(authority.issue("another")[1])
    with pytest.raises(dev._DevError, match=r"REGISTRY_GATEWAY_TLS: .*MISMATCH"):
        dev._switches(Settings(gateway_tls=tmp_path))


def test_no_process_finds_the_cluster_of_an_earlier_run(tmp_path: Path) -> None:
    (stale := tmp_path / "cluster" / "registry-access.yaml").parent.mkdir()
    stale.write_text("server: https://127.0.0.1:1")
    settings = Settings(cluster=ClusterKind.SIMULATED)
    specs = dev._specs(dev._Run(settings, tmp_path, "postgresql://", None, (0, 1)), [])
    assert specs[-1].environment["REGISTRY_KUBECONFIG"] == str(stale)
    assert not stale.exists()


def test_a_run_that_starts_on_a_full_disk_waits(disk: Disk, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The disk is full at the beginning, and again while the database is made."""
    free = iter([0, PLENTY, 0, 0, PLENTY])
    failures = iter([EmbeddedPostgresError("initdb failed: No space left on device")])
    monkeypatch.setattr(dev, "_free_bytes", lambda _folder: next(free, PLENTY))

    @contextlib.contextmanager
    def database(_folder: Path) -> Iterator[None]:
        for failure in failures:
            raise failure
        yield

    ran = []

    async def run(*_arguments: object) -> None:
        ran.append(True)

    monkeypatch.setattr(dev, "embedded_postgres", database)
    monkeypatch.setattr(dev, "_run", run)
    with capture_logs() as lines:
        dev.run_dev(Settings(data_dir=tmp_path / "data"))
    assert (ran, [line["event"] for line in lines]) == ([True], ["disk.full"] * 2)


def _greeting(settings: Settings, folder: Path, database_url: str) -> str:
    run = dev._Run(settings, folder, database_url, None, (1, 2))
    return dev._greeting(run, "http://127.0.0.1:1", database_url, "http://m")


def test_the_greeting_makes_a_token_if_one_is_required(tmp_path: Path) -> None:
    settings = Settings.model_construct(auth=AuthKind.REQUIRED, cluster=ClusterKind.NONE, gateway_tls=None)
    greeting = _greeting(settings, tmp_path, "postgresql://u:p@h/d")
    program = Path(sys.executable).with_name("registry-grpc")
    made = subprocess.run(
        ["sh", "-c", greeting.split("Try:\n")[1].replace(str(program), "echo").replace("curl -s", "echo")],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    assert f"-H Authorization: Bearer api-token create --project {PROJECT} --name first --role admin" in made


@pytest.mark.parametrize(("auth", "is_told"), [("off", True), ("required", False)])
def test_the_greeting_has_a_command_that_adds_samples(tmp_path: Path, auth: str, is_told: bool) -> None:
    """Not where it would need a token."""
    settings = Settings.model_construct(auth=AuthKind(auth), cluster=ClusterKind.SIMULATED, gateway_tls=None)
    greeting = _greeting(settings, tmp_path, "postgresql://")
    told = [line.removeprefix("samples") for line in greeting.splitlines() if line.startswith("samples")]
    program = str(Path(sys.executable).with_name("registry"))
    command = [program, "demo", "--url", "http://127.0.0.1:1", "--project", str(PROJECT)]
    assert [shlex.split(each) for each in told] == ([command] if is_told else [])
    assert Path(program).exists()
