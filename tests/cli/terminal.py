"""Runs the command on a terminal of its own, as a person would."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import select
import signal
import struct
import sys
import termios
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from subprocess import Popen
from typing import Any

from tests.cli.runner import Registry, process_environment

SECONDS = 20


@dataclass
class Terminal:
    process: Popen[Any]
    screen: int
    written: str = ""
    _bytes: bytes = b""

    def until(self, text: str, after: int = 0) -> None:
        """Read until the text was written after so many characters."""
        deadline = time.monotonic() + SECONDS
        while text not in self.written[after:]:
            assert time.monotonic() < deadline, self.written
            assert self._read(), self.written

    def type(self, text: str) -> None:
        os.write(self.screen, text.encode())

    def press_control_c(self) -> None:
        self.type("\x03")

    def end(self) -> int:
        """Read to the end. Returns the exit code."""
        while self._read():
            pass
        return self.process.wait(SECONDS)

    def _read(self) -> bool:
        assert select.select([self.screen], [], [], SECONDS)[0], self.written
        try:
            part = os.read(self.screen, 4096)
        except OSError:  # nobody has it open any more
            return False
        self._bytes += part
        self.written = self._bytes.decode(errors="ignore")
        return bool(part)

    @property
    def text(self) -> str:
        """Without colours and what moves the cursor."""
        return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", self.written)

    @property
    def shows_cursor(self) -> bool:
        return self.written.rfind("\x1b[?25l") <= self.written.rfind("\x1b[?25h")


@contextmanager
def on_terminal(
    registry: Registry, *arguments: str, columns: int = 80, more: dict[str, str] | None = None, **pipes: Any
) -> Iterator[Terminal]:
    """The command. `more` are variables of the environment. `pipes` are instead of the terminal, such as stdout."""
    environment = process_environment(registry.environment)
    with opened([sys.executable, "-m", "registry_cli", *arguments], environment, columns, more, **pipes) as terminal:
        yield terminal


@contextmanager
def opened(
    command: list[str],
    environment: dict[str, str],
    columns: int = 80,
    more: dict[str, str] | None = None,
    **pipes: Any,
) -> Iterator[Terminal]:
    """Any program on a terminal, whatever that of the tests is like. `more` says what the terminal is like."""
    screen, inside = pty.openpty()
    fcntl.ioctl(inside, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    like = {"TERM": "xterm-256color", "COLUMNS": str(columns), "NO_COLOR": ""} | (more or {})

    def owns_terminal() -> None:
        signal.signal(signal.SIGINT, signal.default_int_handler)
        fcntl.ioctl(inside, termios.TIOCSCTTY, 0)

    options: dict[str, Any] = {"stdin": inside, "stdout": inside, "stderr": inside, "preexec_fn": owns_terminal} | pipes
    with Popen(command, env=environment | like, start_new_session=True, **options) as process:
        os.close(inside)
        try:
            yield Terminal(process, screen)
        finally:
            process.kill()
            os.close(screen)
