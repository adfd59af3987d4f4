"""The real service for the tests: `registry-grpc dev` as a process with its own port and data folder.

One stack serves all pytest-xdist workers of a run: the first worker that needs it starts it, the others find its
address in a file. File locks, which the kernel releases when a process dies, say who still uses it.
"""

from __future__ import annotations

import fcntl
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO, Final

START_SECONDS: Final = 110
STOP_SECONDS: Final = 20


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port


@dataclass(frozen=True)
class Addresses:
    """The addresses of a running stack."""

    base_url: str
    database_url: str = ""
    folder: str = ""

    @property
    def target(self) -> str:
        """The address for gRPC clients."""
        return self.base_url.removeprefix("http://")


class Stack:
    """One `registry-grpc dev` and everything that it starts."""

    def __init__(self, **environment: str) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="registry-e2e-"))
        self.log = self.folder / "stack.log"
        """What it prints."""
        self.errors = self.folder / "errors.log"
        """What it and its processes log."""
        self._environment = environment
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    def start(self) -> Addresses:
        """Start it and wait until it says that it is ready."""
        port = free_port()
        environment = os.environ | {
            "REGISTRY_PORT": str(port),
            "REGISTRY_DATA_DIR": str(self.folder / "data"),
            "TZ": "UTC",
            **self._environment,
        }
        with self.log.open("wb") as log, self.errors.open("wb") as errors:
            self._process = subprocess.Popen(
                [str(Path(sys.executable).with_name("registry-grpc")), "dev"],
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=errors,
                start_new_session=True,
            )
        try:
            return self._wait_until_ready()
        except BaseException:
            self.stop()
            raise

    def _wait_until_ready(self) -> Addresses:
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline:
            text = self.log.read_text(errors="replace")
            base_url = re.search(r"^ready (https?://\S+)", text, re.MULTILINE)
            database_url = re.search(r"postgresql://\S+", text)
            if base_url and database_url:
                return Addresses(base_url[1].rstrip("/"), database_url[0], str(self.folder))
            assert self._process is not None
            if self._process.poll() is not None:
                break
            time.sleep(0.1)
        message = f"the stack did not become ready; its log:\n{self.errors.read_text(errors='replace')[-5000:]}"
        raise RuntimeError(message)

    def stop(self) -> int:
        """Ask it to stop, like an operator. Returns its exit code."""
        assert self._process is not None
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGTERM)
        try:
            return self._process.wait(timeout=STOP_SECONDS)
        except subprocess.TimeoutExpired:
            os.killpg(self._process.pid, signal.SIGKILL)
            return self._process.wait()

    def remove(self) -> None:
        shutil.rmtree(self.folder, ignore_errors=True)


class SharedStack:
    """A stack that all workers of one pytest run use together."""

    def __init__(self, folder: Path, name: str, **environment: str) -> None:
        self._state = folder / f"{name}.json"
        self._start_lock = folder / f"{name}.start"
        self._users_lock = folder / f"{name}.users"
        self._environment = environment
        self._owned: Stack | None = None
        self._use: IO[str] | None = None

    def acquire(self) -> Addresses:
        """The addresses of the stack, which is started if it does not run yet."""
        with _locked(self._start_lock):
            if self._state.exists():
                addresses = Addresses(**json.loads(self._state.read_text()))
            else:
                self._owned = Stack(**self._environment)
                addresses = self._owned.start()
                self._state.write_text(json.dumps(asdict(addresses)))
            self._use = self._users_lock.open("w")
            fcntl.flock(self._use, fcntl.LOCK_SH)
        return addresses

    def release(self) -> None:
        """Stop using it."""
        if self._use is not None:
            self._use.close()

    def stop(self) -> None:
        """If this process started the stack, wait until nobody uses it, and stop it. Before, release all stacks that
        this process uses: otherwise two test workers with two stacks would wait for each other."""
        while self._owned is not None:
            with _locked(self._start_lock), self._users_lock.open("w") as users:
                try:
                    fcntl.flock(users, fcntl.LOCK_EX | fcntl.LOCK_NB)
                except BlockingIOError:
                    pass
                else:
                    self._state.unlink()
                    self._owned.stop()
                    self._owned.remove()
                    self._owned = None
            time.sleep(0.2)


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    with path.open("w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
