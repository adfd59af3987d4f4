"""Compiled load generators: wrk for REST, h2load for gRPC, and pgbench for the database alone."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from google.protobuf.message import Message

from registry_grpc.devtools.embedded_postgres import binary

CONNECTIONS = 16
_PACKAGES = {"wrk": "wrk", "h2load": "nghttp2-client"}


@dataclass(frozen=True, slots=True)
class Measured:
    """The result of a load generator."""

    requests: int
    seconds: float
    p50_ms: float
    p99_ms: float
    errors: int

    @property
    def per_second(self) -> float:
        return self.requests / self.seconds


@dataclass(frozen=True, slots=True, kw_only=True)
class RestLoad:
    """Requests that are sent repeatedly, with the paths in turn. `%n` in the body becomes unique."""

    paths: Sequence[str]
    project_id: str
    method: str = "GET"
    body: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class GrpcLoad:
    """One request that is sent repeatedly."""

    method: str
    message: Message
    project_id: str


def check_programs() -> None:
    """Raises SystemExit with the names of the packages if a load generator is missing."""
    missing = [program for program in _PACKAGES if shutil.which(program) is None]
    if missing:
        packages = " ".join(_PACKAGES[program] for program in missing)
        raise SystemExit(f"the benchmark needs {' and '.join(missing)}: apt-get install {packages}")


def run_wrk(base_url: str, load: RestLoad, seconds: float, connections: int = CONNECTIONS) -> Measured:
    with _temporary_file("\n".join(load.paths).encode()) as paths:
        output = _output(
            *("wrk", "--threads", "1", "--connections", str(connections), "--duration", f"{seconds:.0f}s"),
            *("--header", f"Project-ID: {load.project_id}", "--header", "Content-Type: application/json"),
            *("--script", str(Path(__file__).with_name("wrk.lua")), base_url),
            *("--", load.method, str(paths), *([load.body] if load.body else [])),
        )
    return Measured(**json.loads(_match(r"^result (.*)$", output)[1]))


def run_h2load(
    address: str, load: GrpcLoad, seconds: float, *, connections: int = 4, streams: int = CONNECTIONS // 4
) -> Measured:
    """`address` is `host:port` or `unix:/path`."""
    content = load.message.SerializeToString()
    with _temporary_file(b"\0" + len(content).to_bytes(4, "big") + content) as frame, _temporary_file(b"") as log:
        is_unix = address.startswith("unix:")
        output = _output(
            *("h2load", "--clients", str(connections), "--max-concurrent-streams", str(streams)),
            *("--duration", f"{seconds:.0f}", "--data", str(frame), "--log-file", str(log)),
            *("--header", "content-type: application/grpc", "--header", "te: trailers"),
            *("--header", f"project-id: {load.project_id}"),
            *(["--base-uri", address] if is_unix else []),
            f"http://{'localhost' if is_unix else address}/{load.method}",
        )
        times = sorted(int(line.split()[2]) / 1000 for line in log.read_text().splitlines())
    done = _match(r"(\d+) total, \d+ started, (\d+) done, (\d+) succeeded, (\d+) failed, (\d+) errored", output)
    rate = float(_match(r"finished in [\d.]+\w+, ([\d.]+) req/s", output)[1])
    requests = int(done[2])
    return Measured(
        requests, requests / rate, times[len(times) // 2], times[len(times) * 99 // 100], int(done[4]) + int(done[5])
    )


def prepare_pgbench(database_url: str) -> None:
    """Make the tables of pgbench, with as many accounts as there are models."""
    _output(str(binary("pgbench")), "--initialize", "--quiet", "--scale", "1", database_url)


def run_pgbench(database_url: str, seconds: float) -> float:
    """The number of selects by primary key per second, with as many connections as the requests have."""
    output = _output(
        *(str(binary("pgbench")), "--select-only", "--no-vacuum", "--client", str(CONNECTIONS), "--jobs", "2"),
        *("--time", f"{seconds:.0f}", database_url),
    )
    return float(_match(r"tps = ([\d.]+)", output)[1])


def _output(*command: str) -> str:
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    if result.returncode != 0:
        raise RuntimeError(f"{command[0]} failed: {result.stderr or result.stdout}")
    return result.stdout


def _match(pattern: str, text: str) -> re.Match[str]:
    found = re.search(pattern, text, re.MULTILINE)
    if found is None:
        raise RuntimeError(f"not understood, no {pattern!r} in: {text}")
    return found


@contextmanager
def _temporary_file(content: bytes) -> Iterator[Path]:
    with tempfile.NamedTemporaryFile() as file:
        file.write(content)
        file.flush()
        yield Path(file.name)
