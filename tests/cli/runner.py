"""Runs the command `registry` in the process of the tests, which is much faster than starting it."""

from __future__ import annotations

import contextlib
import io
import itertools
import json
import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from unittest import mock

from registry_cli import main, options, session


@dataclass(frozen=True)
class Result:
    status: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        assert self.status == 0, self.err
        return json.loads(self.out)

    @property
    def text(self) -> str:
        assert self.status == 0, self.err
        return self.out


@dataclass
class Registry:
    """The command for one project. Call it with arguments."""

    environment: Mapping[str, str]

    def __call__(self, *arguments: str, stdin: str = "") -> Result:
        out, err = (io.TextIOWrapper(io.BytesIO(), encoding="utf-8") for _ in range(2))
        given = io.TextIOWrapper(io.BytesIO(stdin.encode()), encoding="utf-8")
        _forget()
        with (
            mock.patch.dict("os.environ", self.environment),
            mock.patch.object(sys, "stdin", given),
            contextlib.redirect_stdout(out),
            contextlib.redirect_stderr(err),
        ):
            try:
                main.main(arguments)
            except SystemExit as ended:
                status = ended.code
        assert isinstance(status, int)
        for written in (out, err):
            written.flush()
        return Result(status, *(each.buffer.getvalue().decode() for each in (out, err)))

    def json(self, *arguments: str, stdin: str = "") -> Any:
        return self(*arguments, "-o", "json", stdin=stdin).json

    def start(self, *arguments: str, **options: Any) -> subprocess.Popen[str]:
        """A process of its own, for what depends on one."""
        command = [sys.executable, "-m", "registry_cli", *arguments]
        pipes: dict[str, Any] = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
        pipes |= {"preexec_fn": _interruptible} | options
        return subprocess.Popen(command, text=True, env=process_environment(self.environment), **pipes)

    def run(self, *arguments: str) -> Result:
        """As `start`, to its end."""
        with self.start(*arguments) as process:
            out, err = process.communicate(timeout=60)
        return Result(process.returncode, out, err)


def _interruptible() -> None:
    """Tests that run in the background of a shell ignore interrupts, and so would the process."""
    signal.signal(signal.SIGINT, signal.default_int_handler)


def process_environment(more: Mapping[str, str]) -> dict[str, str]:
    """That of the tests with the packages of the command, as if they were installed."""
    folders = [more.get("PYTHONPATH", ""), *sys.path]
    return {**os.environ, **more, "PYTHONPATH": os.pathsep.join(folder for folder in folders if folder)}


def _forget() -> None:
    """A run begins without what the one before has set and opened."""
    vars(options.chosen).update(vars(options.Globals()))
    session.client.cache_clear()
    session._writes = itertools.count(1)
