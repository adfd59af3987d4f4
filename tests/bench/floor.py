"""Measures a request that does nothing: a handler of grpc.aio answers constant bytes behind the same Envoy.

No registry can be faster than that: `make bench` sends the same load to it by turns (`--stay`).
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import os
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from statistics import median
from typing import Any

import grpc
import uvloop
from tests.bench import data
from tests.bench.cases import REST
from tests.bench.cpu import own_microseconds
from tests.bench.load import RestLoad, check_programs, run_wrk

from registry_grpc.adapters.rest.answers import http_body
from registry_grpc.devtools.envoy import Envoy, EnvoyConfig
from registry_grpc.supervisor import worker_specs

_ANSWER = http_body(b'{"id": "%s"}' % (b"x" * 1500))  # the length of a model with two versions


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=5, help="how long each run takes")
    parser.add_argument("--runs", type=int, default=3, help="how many runs each figure is the median of")
    parser.add_argument("--stay", action="store_true", help="print the address, and serve until standard input ends")
    parser.add_argument("--serve", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.serve:
        uvloop.run(_serve(arguments.serve))
    elif arguments.stay:
        asyncio.run(_stay())
    else:
        check_programs()
        asyncio.run(_measure(arguments.seconds, arguments.runs))


async def _serve(address: str) -> None:
    async def answer(_request: bytes, _context: grpc.aio.ServicerContext[Any, Any]) -> bytes:
        return _ANSWER

    server = grpc.aio.server()
    handler: grpc.RpcMethodHandler[Any, Any] = grpc.unary_unary_rpc_method_handler(answer)
    service = "modelregistry.v1.rest.RegisteredModelService"
    server.add_generic_rpc_handlers(
        (grpc.method_handlers_generic_handler(service, {"GetRegisteredModel": handler}),),
    )
    server.add_insecure_port(address)
    await server.start()
    await server.wait_for_termination()


LOAD = RestLoad(paths=[f"{REST}/models/{data.model_id(1)}"], project_id=str(data.PROJECT))


async def _measure(seconds: float, runs: int) -> None:
    async with _constant_bytes() as (envoy, workers):
        assert envoy.pid is not None
        await asyncio.to_thread(run_wrk, envoy.url, LOAD, 2)
        rows = []
        for _ in range(runs):
            before = own_microseconds(envoy.pid), sum(map(own_microseconds, workers))
            measured = await asyncio.to_thread(run_wrk, envoy.url, LOAD, seconds)
            after = own_microseconds(envoy.pid), sum(map(own_microseconds, workers))
            used = [(late - early) / measured.requests for early, late in zip(before, after, strict=True)]
            rows.append((measured.per_second, *used))
    rate, gateway, worker = (median(column) for column in zip(*rows, strict=True))
    print(f"constant bytes: {rate:,.0f}/s, Envoy {gateway:.0f} µs, workers {worker:.0f} µs")  # noqa: T201


async def _stay() -> None:
    async with _constant_bytes() as (envoy, _):
        print(envoy.url, flush=True)  # noqa: T201
        await asyncio.to_thread(sys.stdin.read)


@contextlib.contextmanager
def beside() -> Iterator[str]:
    """Runs a server of constant bytes with its own Envoy, in separate processes. Yields its address."""
    command = [sys.executable, "-m", "tests.bench.floor", "--stay"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        yield process.stdout.readline().strip()
        process.stdin.close()


@contextlib.asynccontextmanager
async def _constant_bytes() -> AsyncIterator[tuple[Envoy, list[int]]]:
    with tempfile.TemporaryDirectory() as folder:
        addresses = [f"unix:{folder}/{number}.sock" for number in range(2)]
        async with (
            _workers(addresses) as workers,
            Envoy(EnvoyConfig(folder=Path(folder) / "gateway", endpoints=addresses)) as envoy,
        ):
            yield envoy, workers


@contextlib.asynccontextmanager
async def _workers(addresses: list[str]) -> AsyncIterator[list[int]]:
    processes = [
        await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "tests.bench.floor", "--serve", address), env=os.environ | dict(spec.environment)
        )
        for address, spec in zip(addresses, worker_specs(addresses), strict=True)
    ]
    try:
        yield [process.pid for process in processes]
    finally:
        for process in processes:
            process.terminate()
            await process.wait()


if __name__ == "__main__":
    main()
