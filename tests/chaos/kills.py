"""Kills the parts of a running stack at random."""

from __future__ import annotations

import contextlib
import random
import signal
import threading
from collections import Counter
from collections.abc import Callable

from tests.e2e.processes import Process, tree
from tests.e2e.stack import Stack

KINDS: dict[str, Callable[[Process, int], bool]] = {
    "worker": lambda process, _: " worker --listen " in process.command,
    "envoy": lambda process, _: "envoy" in process.command and "--config-path" in process.command,
    "controller": lambda process, _: process.command.endswith(" controller "),
    "PostgreSQL": lambda process, root: "/bin/postgres" in process.command and process.parent == root,
    "a process of PostgreSQL": lambda process, root: process.command.startswith("postgres: "),
}


class Killer:
    """Sends SIGKILL to one process after the other, until it is stopped."""

    def __init__(self, stack: Stack, *, longest_pause: float) -> None:
        self._stack = stack
        self._longest_pause = longest_pause
        self._stop = threading.Event()
        self.killed: Counter[str] = Counter()
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def _run(self) -> None:
        while not self._stop.wait(random.uniform(0.05, self._longest_pause)):
            self.kill(random.choice(list(KINDS)))

    def kill(self, kind: str) -> None:
        found = [process for process in tree(self._stack.pid) if KINDS[kind](process, self._stack.pid)]
        if found:
            with contextlib.suppress(ProcessLookupError):
                random.choice(found).send(signal.SIGKILL)
                self.killed[kind] += 1

    def stop(self) -> None:
        self._stop.set()
        self._thread.join()
