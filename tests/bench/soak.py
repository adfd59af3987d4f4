"""A mixed load for some minutes. At the end, memory and connections must be the same as soon after the start."""

from __future__ import annotations

import argparse
import asyncio
import time
from collections.abc import Callable
from functools import partial

import asyncpg
from tests.bench import data
from tests.bench.cases import cases
from tests.bench.cpu import PARTS, resident_megabytes
from tests.bench.load import Measured, check_programs, run_h2load, run_wrk
from tests.e2e.stack import Addresses, Stack

_TURN_SECONDS = 3


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=10)
    minutes = parser.parse_args().minutes
    check_programs()
    stack = Stack(REGISTRY_CLUSTER="none")
    try:
        addresses = stack.start()
        asyncio.run(data.load(addresses.database_url))
        _say("| minute | requests | errors | Envoy MB | workers MB | PostgreSQL MB | database connections |")
        _say("|--:|--:|--:|--:|--:|--:|--:|")
        deadline = time.monotonic() + minutes * 60
        started = time.monotonic()
        while time.monotonic() < deadline:
            requests, errors = _round(addresses)
            memory = resident_megabytes(stack.pid)
            cells = [
                f"{(time.monotonic() - started) / 60:.1f}",
                f"{requests:,}",
                f"{errors:,}",
                *(f"{memory[part]:.0f}" for part in PARTS),
                str(asyncio.run(_connections(addresses.database_url))),
            ]
            _say(f"| {' | '.join(cells)} |")
    finally:
        stack.stop()
        stack.remove()


def _round(addresses: Addresses) -> tuple[int, int]:
    """Every request over REST, and all reads over gRPC, one after the other."""
    turns: list[Callable[[], Measured]] = []
    for case in cases():
        turns.append(partial(run_wrk, addresses.base_url, case.rest, _TURN_SECONDS))
        if case.grpc:
            turns.append(partial(run_h2load, addresses.target, case.grpc, _TURN_SECONDS))
    measured = [turn() for turn in turns]
    return sum(turn.requests for turn in measured), sum(turn.errors for turn in measured)


async def _connections(database_url: str) -> int:
    """The number of connections of the service."""
    connection = await asyncpg.connect(database_url)
    try:
        statement = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'registry-grpc'"
        count: int = await connection.fetchval(statement)
    finally:
        await connection.close()
    return count


def _say(line: str) -> None:
    print(line, flush=True)  # noqa: T201


if __name__ == "__main__":
    main()
