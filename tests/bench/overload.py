"""Overload: measures the accepted requests while clients send many times more than the service can answer.

Four phases, the same request in all: as many clients as the benchmark has, as many as the gateway lets through, fifty
times as many as at first, and as at first again. Accepted requests must be answered in about the time of the second
phase, the others must be refused at once with 429, memory must not grow, and the last phase must look like the first.
"""

from __future__ import annotations

import argparse
import asyncio
import subprocess
import tempfile
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from tests.bench import data
from tests.bench.cases import REST
from tests.bench.cpu import PARTS, resident_megabytes
from tests.bench.load import CONNECTIONS, check_programs
from tests.e2e.stack import Addresses, Stack

FACTOR = 50
ADMITTED = 128
"""The limit of the filter `admission` in gateway/envoy.yaml."""


@dataclass(frozen=True, slots=True)
class Phase:
    """The requests of a phase by status, and how many milliseconds each took."""

    name: str
    seconds: float
    milliseconds: dict[int, list[float]]
    memory: dict[str, float]

    def row(self) -> str:
        accepted, refused = self.milliseconds.get(200, []), self.milliseconds.get(429, [])
        others = Counter(
            {status: len(times) for status, times in self.milliseconds.items() if status not in {200, 429}}
        )
        cells = [
            self.name,
            f"{len(accepted) / self.seconds:,.0f}",
            f"{_quantile(accepted, 0.5):.0f}",
            f"{_quantile(accepted, 0.99):.0f}",
            f"{len(refused) / self.seconds:,.0f}",
            f"{_quantile(refused, 0.5):.0f}",
            ", ".join(f"{status}: {count}" for status, count in others.items()) or "none",
            *(f"{self.memory[part]:.0f}" for part in PARTS),
        ]
        return f"| {' | '.join(cells)} |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=int, default=10, help="how long each phase takes")
    seconds = parser.parse_args().seconds
    check_programs()
    stack = Stack(REGISTRY_CLUSTER="none")
    try:
        addresses = stack.start()
        asyncio.run(data.load(addresses.database_url))
        _send(addresses, CONNECTIONS, 2)
        phases = [
            _phase(stack.pid, addresses, name, clients, seconds)
            for name, clients in (
                ("before", CONNECTIONS),
                ("all that are let through", ADMITTED),
                ("overload", CONNECTIONS * FACTOR),
                ("after", CONNECTIONS),
            )
        ]
    finally:
        stack.stop()
        stack.remove()
    print(  # noqa: T201
        "| phase | accepted/s | p50 ms | p99 ms | refused/s | p50 ms | other answers"
        " | Envoy MB | workers MB | PostgreSQL MB |\n|---|--:|--:|--:|--:|--:|---|--:|--:|--:|\n"
        + "\n".join(phase.row() for phase in phases)
    )


def _phase(pid: int, addresses: Addresses, name: str, clients: int, seconds: int) -> Phase:
    times = _send(addresses, clients, seconds)
    return Phase(f"{name}, {clients} clients", seconds, times, resident_megabytes(pid))


def _send(addresses: Addresses, clients: int, seconds: int) -> dict[int, list[float]]:
    with tempfile.TemporaryDirectory() as folder:
        paths, log = Path(folder) / "paths", Path(folder) / "log"
        numbers = range(1, data.MODELS_WITH_VERSIONS + 1)
        paths.write_text("\n".join(f"{addresses.base_url}{REST}/models/{data.model_id(number)}" for number in numbers))
        command = ["h2load", "--h1", f"--clients={clients}", f"--duration={seconds}", f"--input-file={paths}"]
        command += [f"--header=project-id: {data.PROJECT}", f"--log-file={log}"]
        subprocess.run(command, check=True, capture_output=True)
        times: dict[int, list[float]] = {}
        for line in log.read_text().splitlines():
            _start, status, microseconds = line.split()
            times.setdefault(int(status), []).append(int(microseconds) / 1000)
        return times


def _quantile(values: list[float], part: float) -> float:
    return sorted(values)[int(len(values) * part)] if values else 0.0


if __name__ == "__main__":
    main()
