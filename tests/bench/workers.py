"""Measures how a native gRPC get scales with the number of workers, and how evenly they share the work."""

from __future__ import annotations

import argparse
import asyncio
from statistics import median

from tests.bench import data
from tests.bench.cases import cases
from tests.bench.cpu import own_microseconds
from tests.bench.load import check_programs, run_h2load
from tests.e2e.processes import workers
from tests.e2e.stack import Stack


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=5, help="how long each run takes")
    parser.add_argument("--runs", type=int, default=3, help="how many runs each figure is the median of")
    parser.add_argument("--workers", type=int, nargs="+", default=(1, 2, 3))
    arguments = parser.parse_args()
    check_programs()
    lines = ["| workers | get/s | against one | CPU time of each worker |", "|--:|--:|--:|---|"]
    first = 0.0
    for count in arguments.workers:
        rate, used = _measured(count, arguments.seconds, arguments.runs)
        first = first or rate
        shares = " ".join(f"{seconds:.1f} s" for seconds in used)
        lines.append(f"| {count} | {rate:,.0f} | {rate / first:.2f} | {shares} |")
    print("\n".join(lines))  # noqa: T201


def _measured(count: int, seconds: float, runs: int) -> tuple[float, list[float]]:
    """The requests per second, and the CPU seconds of each worker in all runs."""
    stack = Stack(REGISTRY_CLUSTER="none", REGISTRY_WORKERS=str(count))
    load = cases()[0].grpc
    assert load is not None
    try:
        addresses = stack.start()
        asyncio.run(data.load(addresses.database_url))
        run_h2load(addresses.target, load, 2)
        pids = [process.pid for process in workers(stack.pid)]
        before = [own_microseconds(pid) / 1e6 for pid in pids]
        rates = [run_h2load(addresses.target, load, seconds).per_second for _ in range(runs)]
        return median(rates), [own_microseconds(pid) / 1e6 - earlier for pid, earlier in zip(pids, before, strict=True)]
    finally:
        stack.stop()
        stack.remove()


if __name__ == "__main__":
    main()
