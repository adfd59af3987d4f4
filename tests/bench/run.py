"""`make bench`: measures the running service from outside and writes the table of docs/performance.md.

Starts `registry-grpc dev` with its own folder and port, loads the data, and sends each request for some seconds. Load
generator, gateway, workers and database share the CPUs of the machine, so the requests per second depend on all of
them. The CPU time per request shows where the time goes, and depends least on other load.
"""

from __future__ import annotations

import argparse
import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from tests.bench import data, floor
from tests.bench.cases import Case, cases
from tests.bench.cpu import PARTS, cpu_microseconds
from tests.bench.load import Measured, check_programs, prepare_pgbench, run_h2load, run_pgbench, run_wrk
from tests.e2e.stack import Addresses, Stack

_WARM_UP_SECONDS = 1
_BESIDE_SECONDS = 2
"""For how long pgbench and the constant bytes run in turn with each request."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One line of the table: the median of several runs."""

    case: str
    required: int
    aim: int
    measured: Measured
    cpu: dict[str, float]
    """Microseconds per request, by part."""
    selects: float
    """The rate of pgbench right before."""
    constant: float
    """The rate of a handler that answers constant bytes behind the same Envoy, right before."""


def main() -> None:
    arguments = _arguments()
    check_programs()
    stack = Stack(
        REGISTRY_CLUSTER="none", **({"REGISTRY_WORKERS": str(arguments.workers)} if arguments.workers else {})
    )
    try:
        addresses = stack.start()
        asyncio.run(data.load(addresses.database_url))
        prepare_pgbench(addresses.database_url)
        with floor.beside() as constant_url:
            table = "\n\n".join(_sections(arguments, stack.pid, addresses, constant_url))
    finally:
        stack.stop()
        stack.remove()
    if arguments.output:
        arguments.output.write_text(table + "\n")
    print(table)  # noqa: T201


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=5, help="how long each run takes")
    parser.add_argument("--runs", type=int, default=3, help="how many runs each figure is the median of")
    parser.add_argument("--only", default="", help="only the cases whose names hold this text")
    parser.add_argument("--rest", action="store_true", help="REST only")
    parser.add_argument("--workers", type=int, help="how many workers; default is the service's own")
    parser.add_argument("--output", type=Path, help="also write the table to this file")
    return parser.parse_args()


def _sections(arguments: argparse.Namespace, pid: int, addresses: Addresses, constant_url: str) -> list[str]:
    selected = [case for case in cases() if arguments.only in case.name]

    def measure(case: Case, send: Callable[[float], Measured]) -> Row:
        rows = [
            measured_row(case, send, pid, addresses.database_url, constant_url, arguments.seconds)
            for _ in range(arguments.runs)
        ]
        return sorted(rows, key=lambda row: row.measured.per_second)[len(rows) // 2]

    def rest(case: Case) -> Row:
        return measure(case, lambda seconds: run_wrk(addresses.base_url, case.rest, seconds))

    def grpc(case: Case) -> Row:
        load = case.grpc
        assert load is not None
        return measure(case, lambda seconds: run_h2load(addresses.target, load, seconds))

    sections = [table("REST through Envoy (wrk, 16 connections)", [rest(case) for case in selected])]
    if not arguments.rest:
        rows = [grpc(case) for case in selected if case.grpc]
        sections.append(table("Native gRPC through Envoy (h2load, 4 connections with 4 streams each)", rows))
    return sections


def measured_row(  # noqa: PLR0917
    case: Case, send: Callable[[float], Measured], pid: int, database_url: str, constant_url: str, seconds: float
) -> Row:
    """pgbench, the constant bytes and the request, one after the other."""
    selects = run_pgbench(database_url, _BESIDE_SECONDS)
    constant = run_wrk(constant_url, floor.LOAD, _BESIDE_SECONDS).per_second
    send(_WARM_UP_SECONDS)  # by then, pgbench's connections have ended, and the postmaster has their CPU time
    before = cpu_microseconds(pid)
    measured = send(seconds)
    after = cpu_microseconds(pid)
    return Row(
        case=case.name,
        required=case.required,
        aim=case.aim,
        measured=measured,
        cpu={part: (after[part] - before[part]) / measured.requests for part in after},
        selects=selects,
        constant=constant,
    )


def table(title: str, rows: list[Row]) -> str:
    """The table in Markdown."""
    lines = [
        f"### {title}",
        "",
        "| request | must | aim | a second | p50 | p99 ms | Envoy | workers | PG | sum µs | errors | ÷ constant | ÷ pgbench |",  # noqa: E501
        "|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|",
    ]
    for row in rows:
        m = row.measured
        cpu = [row.cpu[part] for part in PARTS]
        cells = [
            row.case,
            f"{row.required:,}" if row.required else "",
            f"{row.aim:,}" if row.aim else "",
            f"{m.per_second:,.0f}",
            f"{m.p50_ms:.1f}",
            f"{m.p99_ms:.1f}",
            *(f"{value:,.0f}" for value in (*cpu, sum(cpu))),
            f"{m.errors:,}",
            f"{m.per_second / row.constant:.2f} of {row.constant:,.0f}",
            f"{m.per_second / row.selects:.3f} of {row.selects:,.0f}",
        ]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


if __name__ == "__main__":
    main()
