"""Compares the CPU time per request of this checkout with that of another one, by turns.

`python -m tests.bench.turns ../before` runs both services at the same time, each with one worker and a database of its
own. Every client sends each request first to one and then to the other, so that both see the same machine: other load
changes the CPU time of a request by half, and the ratio of the two sides by a few percent. With `--auth`, the side of
this checkout requires tokens: `python -m tests.bench.turns . --auth` tells what they cost. With `--traces`, it has a
receiver of traces, but no request wants one.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import re
import uuid
from collections.abc import Awaitable, Callable, Iterator
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import median
from typing import Any

import aiohttp
import asyncpg
import grpc
from google.protobuf.message import Message
from tests.bench import data
from tests.bench.cases import REST, cases
from tests.bench.cpu import PARTS, cpu_microseconds, resident_megabytes
from tests.bench.load import GrpcLoad, RestLoad
from tests.e2e.stack import Addresses, Stack

from modelregistry.v1 import model_version_pb2, registered_model_pb2

_ROOT = Path(__file__).parents[2]
_CLIENTS = 4
_CHANGED = 2000

Send = Callable[[], Awaitable[None]]
"""Sends one request to one of the services."""


@dataclass(frozen=True, slots=True)
class Side:
    """One of the two services, with open connections."""

    stack: Stack
    addresses: Addresses
    http: aiohttp.ClientSession
    channel: grpc.aio.Channel
    access: dict[str, str]
    """The header with a token, if the side requires one."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("before", type=Path, help="the root of the other checkout")
    parser.add_argument("--requests", type=int, default=300, help="how many each side gets in a round")
    parser.add_argument("--rounds", type=int, default=9, help="how many rounds each figure is the median of")
    parser.add_argument("--models", type=int, default=data.MODELS)
    parser.add_argument("--only", default="", help="only the requests whose names hold this text")
    parser.add_argument("--auth", action="store_true", help="require tokens on the side of this checkout")
    parser.add_argument("--traces", action="store_true", help="configure traces on the side of this checkout")
    asyncio.run(_compare(parser.parse_args()))


async def _compare(arguments: argparse.Namespace) -> None:
    async with AsyncExitStack() as cleanups:
        sides = []
        ours = {"REGISTRY_TRACES_ENDPOINT": "http://127.0.0.1:1"} if arguments.traces else {}
        for root, auth, given in (
            (arguments.before, "off", {}),
            (_ROOT, "demo" if arguments.auth else "off", ours),
        ):
            stack = Stack(
                REGISTRY_CLUSTER="none",
                REGISTRY_WORKERS="1",
                REGISTRY_AUTH=auth,
                PYTHONPATH=f"{root.resolve() / 'src'}:{root.resolve() / 'stubs/python/src'}",
                **given,
            )
            cleanups.callback(stack.remove)
            addresses = await asyncio.to_thread(stack.start)
            cleanups.callback(stack.stop)
            http = await cleanups.enter_async_context(aiohttp.ClientSession(addresses.base_url))
            channel = await cleanups.enter_async_context(grpc.aio.insecure_channel(addresses.target))
            access = {}
            if auth == "demo":
                (token,) = re.findall(r"^token editor (\S+)$", stack.log.read_text(), re.MULTILINE)
                access = {"authorization": f"Bearer {token}"}
            sides.append(Side(stack, addresses, http, channel, access))
            await data.load(addresses.database_url, arguments.models)
            if access:
                await _add_members(addresses.database_url)
            await _without_vacuum(addresses.database_url)
        print("workers, MB: " + " -> ".join(f"{resident_megabytes(it.stack.pid)['workers']:.1f}" for it in sides))  # noqa: T201
        print("| request | Envoy µs | worker µs | PG µs | worker | PG | all | all, of the rounds |")  # noqa: T201
        print("|---|--:|--:|--:|--:|--:|--:|--:|", flush=True)  # noqa: T201
        for name, make in _requests(arguments.models).items():
            if arguments.only in name:
                print(await _row(name, [make(side) for side in sides], sides, arguments), flush=True)  # noqa: T201


async def _without_vacuum(url: str) -> None:
    """Autovacuum works for one side in one round and for the other in another one."""
    connection = await asyncpg.connect(url)
    await connection.execute("ALTER SYSTEM SET autovacuum = off")
    await connection.execute("SELECT pg_reload_conf()")
    await connection.close()


async def _add_members(url: str) -> None:
    connection = await asyncpg.connect(url)
    for project in (data.PROJECT, data.WRITTEN_PROJECT):
        await connection.execute(
            "INSERT INTO member (id, project_id, kind, name, role) VALUES ($1, $2, 'USER', 'editor', 'EDITOR')",
            uuid.uuid4(),
            project,
        )
    await connection.close()


async def _row(name: str, sends: list[Send], sides: list[Side], arguments: argparse.Namespace) -> str:
    await _round(sends, arguments.requests)  # warms up
    rounds: list[list[dict[str, float]]] = []
    for _ in range(arguments.rounds):
        earlier = [cpu_microseconds(side.stack.pid) for side in sides]
        await _round(sends, arguments.requests)
        later = [cpu_microseconds(side.stack.pid) for side in sides]
        rounds.append(
            [{p: (b[p] - a[p]) / arguments.requests for p in PARTS} for a, b in zip(earlier, later, strict=True)]
        )
    cells = [" -> ".join(f"{median(it[side][part] for it in rounds):,.0f}" for side in (0, 1)) for part in PARTS]
    for parts in (("workers",), ("postgres",), PARTS):
        ratios = sorted(sum(b[p] for p in parts) / max(sum(a[p] for p in parts), 1) for a, b in rounds)
        cells.append(f"{median(ratios):.2f}")
    cells.append(f"{ratios[0]:.2f} to {ratios[-1]:.2f}")
    return f"| {' | '.join([name, *cells])} |"


async def _round(sends: list[Send], requests: int) -> None:
    async def client(number: int) -> None:
        for turn in range(number, requests, _CLIENTS):
            for send in sends if turn % 2 else reversed(sends):
                await send()

    await asyncio.gather(*(client(number) for number in range(_CLIENTS)))


def _requests(models: int) -> dict[str, Callable[[Side], Send]]:
    """Those of the table in docs/performance.md near the start of a list, and those of versions."""
    project, written = str(data.PROJECT), str(data.WRITTEN_PROJECT)
    known = {case.name: case for case in cases(models) if not case.name.startswith(("the last", "100 from", "create"))}
    created = {case.name.split(",")[0]: case.rest for case in cases(models) if case.name.startswith("create")}
    of_big = f"{REST}/models/{data.model_id(0)}/versions"
    versions = [data.version_id(0, number) for number in range(1, 1001)]
    changed = [(data.model_id(1 + n % 500), data.version_id(1 + n % 500, 1 + n // 500)) for n in range(_CHANGED)]
    rest = {name: case.rest for name, case in known.items()} | {
        "get version": RestLoad(paths=[f"{of_big}/{id_}" for id_ in versions], project_id=project),
        "100 versions of 20,000": RestLoad(paths=[f"{of_big}?limit=100"], project_id=project),
        **created,
        "create version, of 500 models": replace(
            created["create version"],
            paths=[f"{REST}/models/{data.model_id(number)}/versions" for number in range(1, 501)],
            project_id=project,
        ),
        "update version": RestLoad(
            paths=[f"{REST}/models/{model}/versions/{id_}" for model, id_ in changed],
            project_id=project,
            method="PATCH",
            body='{"description": "%n"}',
        ),
    }
    pb, service = model_version_pb2, "modelregistry.v1.ModelVersionService"
    native = {name: case.grpc for name, case in known.items() if case.grpc is not None}

    def reads(rpc: str, request: Message) -> GrpcLoad:
        return GrpcLoad(method=f"{service}/{rpc}", message=request, project_id=project)

    native["get version"] = reads("GetModelVersion", pb.GetModelVersionRequest(id=str(versions[0])))
    native["100 versions of 20,000"] = reads(
        "ListModelVersions", pb.ListModelVersionsRequest(registered_model_id=str(data.model_id(0)), limit=100)
    )
    new_version = pb.NewModelVersion(
        uri="s3://models/bench", model_framework="sklearn", model_framework_version="1.5", labels={"run": "nightly"}
    )
    new_model = registered_model_pb2.NewRegisteredModel(description="made by the benchmark", labels={"team": "vision"})

    def version_made(_number: int) -> Message:
        new_version.name = f"bench-{uuid.uuid4()}"
        return pb.CreateModelVersionRequest(registered_model_id=str(data.HOT_MODEL), model_version=new_version)

    def model_made(_number: int) -> Message:
        new_model.name = f"bench-{uuid.uuid4()}"
        return registered_model_pb2.CreateRegisteredModelRequest(registered_model=new_model)

    def version_changed(number: int) -> Message:
        patch = pb.ModelVersionPatch(description=str(uuid.uuid4()))
        return pb.UpdateModelVersionRequest(id=str(changed[number % _CHANGED][1]), model_version=patch)

    models_service = "modelregistry.v1.RegisteredModelService"
    return {
        **{f"REST {name}": _rest(load) for name, load in rest.items()},
        **{f"gRPC {name}": _h2(load) for name, load in native.items()},
        "gRPC create model": _native(f"/{models_service}/CreateRegisteredModel", model_made, written),
        "gRPC create version": _native(f"/{service}/CreateModelVersion", version_made, written),
        "gRPC update version": _native(f"/{service}/UpdateModelVersion", version_changed, project),
    }  # fmt: skip


def _h2(load: GrpcLoad) -> Callable[[Side], Send]:
    return _native(f"/{load.method}", lambda _number: load.message, load.project_id)


def _rest(load: RestLoad) -> Callable[[Side], Send]:
    headers = {"Project-ID": load.project_id, "Content-Type": "application/json"}

    def to(side: Side) -> Send:
        paths: Iterator[str] = itertools.cycle(load.paths)

        async def send() -> None:
            body = load.body and load.body.replace("%n", str(uuid.uuid4()))
            given = headers | side.access
            async with side.http.request(load.method, next(paths), headers=given, data=body) as answer:
                answer.raise_for_status()
                await answer.read()

        return send

    return to


def _native(method: str, message: Callable[[int], Message], project_id: str) -> Callable[[Side], Send]:
    def to(side: Side) -> Send:
        call: Any = side.channel.unary_unary(method)
        numbers, metadata = itertools.count(), (("project-id", project_id), *side.access.items())

        async def send() -> None:
            await call(message(next(numbers)).SerializeToString(), metadata=metadata)

        return send

    return to


if __name__ == "__main__":
    main()
