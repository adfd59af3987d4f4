"""`make bench-scale`: measures the reads with increasing numbers of models, as a table and as docs/scale.svg.

The time per request is the CPU time of all parts together, which hardly depends on other load of the machine.
"""

from __future__ import annotations

import argparse
import asyncio
import math
from pathlib import Path

from tests.bench import data
from tests.bench.cases import cases
from tests.bench.cpu import PARTS, cpu_microseconds
from tests.bench.load import check_programs, run_wrk
from tests.e2e.stack import Stack

SIZES = (1_000, 10_000, 100_000, 1_000_000)
CHART = Path(__file__).resolve().parents[2] / "docs" / "scale.svg"
_WRITES = ("create model", "create version, always the same model")
_COLOURS = ("#1b6ca8", "#d1495b", "#66a182", "#edae49", "#8d6a9f", "#2e4057", "#00798c", "#a23b72", "#5f7470")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=3, help="how long each run takes")
    parser.add_argument("--sizes", type=int, nargs="+", default=SIZES)
    arguments = parser.parse_args()
    check_programs()
    columns = [_measured(size, arguments.seconds) for size in arguments.sizes]
    names = list(columns[0])
    lines = ["| CPU µs per request | " + " | ".join(f"{size:,}" for size in arguments.sizes) + " |"]
    lines.append("|---|" + "--:|" * len(arguments.sizes))
    lines += [f"| {name} | " + " | ".join(f"{column[name]:,.0f}" for column in columns) + " |" for name in names]
    CHART.write_text(_chart(arguments.sizes, {name: [column[name] for column in columns] for name in names}))
    print("\n".join(lines))  # noqa: T201


def _measured(models: int, seconds: float) -> dict[str, float]:
    """The CPU time of each read, with this number of models in the project."""
    stack = Stack(REGISTRY_CLUSTER="none")
    try:
        addresses = stack.start()
        asyncio.run(data.load(addresses.database_url, models))
        used = {}
        for case, reference in zip(cases(models), cases(), strict=True):
            if case.name in _WRITES:
                continue
            run_wrk(addresses.base_url, case.rest, 1)
            before = sum(cpu_microseconds(stack.pid)[part] for part in PARTS)
            measured = run_wrk(addresses.base_url, case.rest, seconds)
            after = sum(cpu_microseconds(stack.pid)[part] for part in PARTS)
            used[reference.name.replace("100,000", "all").replace("20,000", "many")] = (
                after - before
            ) / measured.requests
        return used
    finally:
        stack.stop()
        stack.remove()


def _chart(sizes: tuple[int, ...], series: dict[str, list[float]]) -> str:
    """Both axes are logarithmic. A flat line means that the time does not grow."""
    left, top, width, height = 70, 20, 420, 300
    highest = math.ceil(math.log10(max(max(values) for values in series.values())))
    lowest = math.floor(math.log10(min(min(values) for values in series.values())))

    def x(index: int) -> float:
        return left + width * index / max(len(sizes) - 1, 1)

    def y(value: float) -> float:
        return top + height * (highest - math.log10(value)) / (highest - lowest)

    size = f'width="{left + width + 270}" height="{top + height + 50}"'
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" {size} font-family="sans-serif" font-size="12">',
        '<rect width="100%" height="100%" fill="white"/>',
    ]
    for power in range(lowest, highest + 1):
        parts.append(f'<path d="M{left} {y(10**power):.0f}h{width}" stroke="#ddd"/>')
        parts.append(f'<text x="{left - 8}" y="{y(10**power) + 4:.0f}" text-anchor="end">{10**power:,} µs</text>')
    parts += [
        f'<text x="{x(index):.0f}" y="{top + height + 20}" text-anchor="middle">{size:,}</text>'
        for index, size in enumerate(sizes)
    ]
    parts.append(f'<text x="{left + width / 2}" y="{top + height + 42}" text-anchor="middle">models stored</text>')
    for number, (name, values) in enumerate(series.items()):
        colour = _COLOURS[number % len(_COLOURS)]
        points = " ".join(f"{x(index):.0f},{y(value):.0f}" for index, value in enumerate(values))
        parts.append(f'<polyline points="{points}" fill="none" stroke="{colour}" stroke-width="2"/>')
        row = top + 14 + number * 20
        parts.append(f'<path d="M{left + width + 20} {row - 4}h16" stroke="{colour}" stroke-width="2"/>')
        parts.append(f'<text x="{left + width + 42}" y="{row}">{name}</text>')
    return "\n".join([*parts, "</svg>\n"])


if __name__ == "__main__":
    main()
