"""Every RPC and every route that refuses a caller says so in the audit log, and a flood of them costs little."""

from __future__ import annotations

import asyncio
import importlib
import pkgutil
from collections.abc import AsyncIterator
from itertools import count
from typing import Any
from uuid import UUID

import grpc
import pytest
import pytest_asyncio
from google.api import annotations_pb2
from google.protobuf.descriptor import MethodDescriptor
from tests.scenarios.callers import Guarded, guarded
from tests.scenarios.world import PATIENCE

from modelregistry import v1
from registry_grpc.adapters.rest.descriptor import REST_PACKAGE
from registry_grpc.domain.access import Role
from registry_grpc.services import audit

pytestmark = pytest.mark.slow

NOWHERE = str(UUID(int=0))


@pytest_asyncio.fixture(loop_scope="session")
async def registry(fresh_database_url: str, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Guarded]:
    """Its window does not end while a test runs."""
    monkeypatch.setattr(audit, "_WINDOW_SECONDS", 3600.0)
    async with guarded(fresh_database_url) as registry:
        yield registry


def methods() -> list[MethodDescriptor]:
    names = [module.name for module in pkgutil.iter_modules(v1.__path__) if module.name.endswith("_pb2")]
    files = [importlib.import_module(f"{v1.__name__}.{name}").DESCRIPTOR for name in names]
    return [method for file in files for service in file.services_by_name.values() for method in service.methods]


def rpcs() -> dict[str, bool]:
    """The RPCs as gRPC and REST clients reach them, and whether that is REST."""
    found = {f"{method.containing_service.full_name}/{method.name}": False for method in methods()}
    return found | {
        f"{REST_PACKAGE}.{method.containing_service.name}/{method.name}": True
        for method in methods()
        if method.GetOptions().HasExtension(annotations_pb2.http)
    }


async def call(registry: Guarded, rpc: str, token: str, address: str = "") -> bytes | grpc.StatusCode:
    """The first answer to an empty request, or the code."""
    said = [*registry.metadata(token), ("x-gateway-client", address), ("x-envoy-original-path", "/")]
    start: Any = registry.server.channel.unary_stream(f"/{rpc}")
    stream = start(b"", metadata=said, timeout=PATIENCE)
    try:
        answer: bytes = await anext(aiter(stream), b"")
    except grpc.aio.AioRpcError as error:
        return error.code()
    finally:
        stream.cancel()
    return answer


def is_refused(answer: bytes | grpc.StatusCode, *, status: int, code: grpc.StatusCode) -> bool:
    return answer is code or (isinstance(answer, bytes) and f"status={status}".encode() in answer)


async def test_every_rpc_and_route_that_refuses_a_caller_says_so(
    registry: Guarded, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(audit, "MOST_OF_ALL", 10_000)
    monkeypatch.setattr(audit, "MOST_OF_A_CALLER", 10_000)
    viewer = await registry.member("viewer", Role.VIEWER)
    unknown, denied = [], []
    for number, rpc in enumerate(rpcs()):
        answer = await call(registry, rpc, "", f"192.0.2.{number % 250}")
        assert is_refused(answer, status=401, code=grpc.StatusCode.UNAUTHENTICATED), rpc
        unknown.append((rpc, f"192.0.2.{number % 250}"))
        if is_refused(await call(registry, rpc, viewer), status=403, code=grpc.StatusCode.PERMISSION_DENIED):
            denied.append(rpc)
    assert len(denied) > 40
    assert sum(rpc.startswith(REST_PACKAGE) for rpc in denied) > 10
    found = await everything(registry, 'type = "call.refused"')
    nobody = [entry for entry in found if entry.details["reason"] == "UNAUTHENTICATED"]
    assert [(entry.rpc, entry.address) for entry in nobody] == unknown
    assert {(entry.project_id, entry.actor, entry.authentication) for entry in nobody} == {(NOWHERE, "", "none")}
    named = [entry for entry in found if entry.details["reason"] == "PERMISSION_DENIED"]
    assert [entry.rpc for entry in named] == denied
    assert {entry.actor for entry in named} == {"viewer"}
    # Operators' RPCs are of no project.
    projects = {entry.rpc.partition("/")[0].rpartition(".")[2]: entry.project_id for entry in named}
    assert projects.pop("ProjectService") == NOWHERE
    assert set(projects.values()) == {str(registry.project_id)}


async def everything(registry: Guarded, filter: str) -> list[Any]:
    """Oldest first, of all projects."""
    found: list[Any] = []
    position = 0
    end = (await registry.entries(everywhere=True))[-1].position
    stream = registry.watch(after_position=0, filter=filter, all_projects=True)
    while position < end:
        entry = (await anext(aiter(stream))).audit_entry
        position = entry.position
        found.append(entry)
    stream.cancel()
    return found


async def test_whoever_has_no_role_writes_into_no_project(registry: Guarded) -> None:
    stranger = registry.issuer.token(sub="stranger")
    rpc = "modelregistry.v1.RegisteredModelService/CreateRegisteredModel"
    assert await call(registry, rpc, stranger) is grpc.StatusCode.PERMISSION_DENIED
    assert await registry.entries() == []
    (entry,) = await registry.entries(everywhere=True)
    assert (entry.actor, entry.project_id, entry.details["project_id"]) == (
        "stranger", NOWHERE, str(registry.project_id)
    )  # fmt: skip


async def test_a_flood_of_refused_calls_is_a_few_entries_and_others_are_served(registry: Guarded) -> None:
    viewer = await registry.member("viewer", Role.VIEWER)
    rpc = "modelregistry.v1.RegisteredModelService/CreateRegisteredModel"
    numbers = count()
    is_over = asyncio.Event()

    async def flood() -> None:
        while not is_over.is_set():
            assert await call(registry, rpc, viewer) is grpc.StatusCode.PERMISSION_DENIED
            assert await call(registry, rpc, "", f"192.0.2.{next(numbers) % 250}") is grpc.StatusCode.UNAUTHENTICATED

    async with asyncio.TaskGroup() as group:
        for _ in range(8):
            group.create_task(flood())
        for number in range(20):
            await registry.create(f"m{number}")
        while next(numbers) < 300:  # noqa: ASYNC110 - the flood has to be one
            await asyncio.sleep(0.05)
        is_over.set()
    refused = await registry.database.fetchrow(
        "SELECT count(*) AS n FROM audit_entry WHERE type = 'call.refused' AND NOT details ? 'left_out'"
    )
    assert refused is not None
    assert refused["n"] <= audit.MOST_OF_ALL
    found = await registry.entries('type = "call.refused"')
    assert len(found) == audit.MOST_OF_A_CALLER
    assert len(await registry.entries('type = "model.created"')) == 20
