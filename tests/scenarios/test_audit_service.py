"""WatchAuditEntries over gRPC: the past, the present, and nothing of others."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from typing import Any
from uuid import uuid4

import grpc
import pytest
import pytest_asyncio
from google.rpc.error_details_pb2 import ErrorInfo
from tests.scenarios.callers import Guarded, guarded, read
from tests.scenarios.watching import ended

from registry_grpc.adapters.oidc.issuers import JwtIssuers
from registry_grpc.domain.access import MemberKind, Role

pytestmark = pytest.mark.slow


@pytest_asyncio.fixture(loop_scope="session")
async def registry(fresh_database_url: str) -> AsyncIterator[Guarded]:
    async with guarded(fresh_database_url) as registry:
        yield registry


def reason_of(status: Any) -> str:
    info = ErrorInfo()
    status.details[0].Unpack(info)
    return str(info.reason)


async def test_a_watch_has_the_past_and_then_the_present_in_order(registry: Guarded) -> None:
    """More than are read at once."""
    names = [f"m{number}" for number in range(110)]
    for name in names:
        await registry.create(name)
    stream = registry.watch(after_position=0)
    found = [await read(stream) for _ in names]
    new = asyncio.ensure_future(read(stream))
    await registry.create("new")
    found.append(await new)
    assert [entry.name for entry in found] == [*names, "new"]
    assert found[-100:] == await registry.entries()
    assert {(entry.actor, entry.authentication) for entry in found} == {("boss", registry.issuer.url)}


async def test_a_watch_goes_on_after_the_last_entry_that_was_seen(registry: Guarded) -> None:
    for name in ("a", "b", "c"):
        await registry.create(name)
    stream = registry.watch(after_position=0)
    seen = [await read(stream) for _ in range(2)]
    stream.cancel()
    await registry.create("d")
    again = registry.watch(after_position=seen[-1].position)
    assert [(await read(again)).name for _ in range(2)] == ["c", "d"]


async def test_a_watch_without_a_position_has_only_what_is_new(registry: Guarded) -> None:
    await registry.create("before")
    stream = registry.watch()
    new = asyncio.ensure_future(read(stream))
    names = [f"m{number}" for number in range(100)]
    # The watch has begun at a moment that nobody tells.
    for name in names:
        await registry.create(name)
        if new.done():
            break
    assert (await new).name in names


async def test_a_watch_has_only_what_its_filter_matches(registry: Guarded) -> None:
    await registry.create("a")
    await registry.member("ann", Role.VIEWER)
    stream = registry.watch(after_position=0, filter='type = "member.*"')
    assert (await read(stream)).name == "ann"
    new = asyncio.ensure_future(read(stream))
    await registry.create("b")
    await registry.member("bob", Role.VIEWER)
    assert (await new).name == "bob"


async def test_entries_of_other_projects_are_only_for_operators(registry: Guarded) -> None:
    other = uuid4()
    admin = await registry.member("ann", Role.ADMIN)
    stream, everywhere = registry.watch(admin, after_position=0), registry.watch(after_position=0, all_projects=True)
    assert (await read(stream)).name == (await read(everywhere)).name == "ann"
    new = asyncio.ensure_future(read(stream))
    await registry.create("theirs", project_id=other)
    stranger = registry.issuer.token(sub="stranger")
    with pytest.raises(grpc.aio.AioRpcError):
        await registry.create("refused", token=stranger)
    await registry.create("ours")
    assert (await new).name == "ours"
    found = [await read(everywhere) for _ in range(3)]
    assert [(entry.type, entry.name) for entry in found] == [
        ("model.created", "theirs"), ("call.refused", ""), ("model.created", "ours")
    ]  # fmt: skip
    assert found[1].details["project_id"] == str(registry.project_id)
    for refused, code in (
        (registry.watch(admin, all_projects=True), grpc.StatusCode.PERMISSION_DENIED),
        (registry.watch(stranger), grpc.StatusCode.PERMISSION_DENIED),
        (registry.watch(""), grpc.StatusCode.UNAUTHENTICATED),
    ):
        assert (await ended(refused)).code == code.value[0]


async def test_a_watch_ends_with_the_token_of_its_caller(registry: Guarded) -> None:
    expires = int(time.time()) + 3
    admin = await registry.member("ann", Role.ADMIN, exp=expires)
    stream = registry.watch(admin, after_position=0)
    assert (await read(stream)).name == "ann"
    status = await ended(stream)
    assert (status.code, reason_of(status)) == (grpc.StatusCode.UNAUTHENTICATED.value[0], "UNAUTHENTICATED")
    assert "has expired" in status.message
    assert time.time() >= expires


async def test_a_watch_ends_when_its_caller_may_no_longer_read(registry: Guarded) -> None:
    """With the entry that says so, which the caller does not see."""
    admin, token = await registry.member("ann", Role.ADMIN), await registry.api_token("ci", Role.ADMIN)
    by_member = registry.watch(admin, after_position=0, filter="name = ann")
    by_token = registry.watch(token.text, after_position=0, filter="name = ci")
    assert (await read(by_member)).type == "member.created"
    assert (await read(by_token)).type == "api_token.created"
    await registry.access.remove_member(registry.project_id, MemberKind.USER, "ann")
    await registry.access.revoke_token(registry.project_id, token.id)
    codes = ((by_member, grpc.StatusCode.PERMISSION_DENIED), (by_token, grpc.StatusCode.UNAUTHENTICATED))
    for stream, code in codes:
        with pytest.raises(grpc.aio.AioRpcError) as refusal:
            await read(stream)
        assert refusal.value.code() is code


async def test_a_worker_that_stops_ends_its_watches(registry: Guarded) -> None:
    await registry.create("a")
    stream = registry.watch(after_position=0)
    await read(stream)
    stopping = asyncio.create_task(registry.server.worker.stop())
    assert (await ended(stream)).code == grpc.StatusCode.UNAVAILABLE.value[0]
    await stopping


async def test_wrong_requests_are_refused_by_field(registry: Guarded) -> None:
    for request, text in (({"after_position": -1}, "after_position"), ({"filter": "nobody = x"}, "filter")):
        with pytest.raises(grpc.aio.AioRpcError, match=text) as refusal:
            await read(registry.watch(**request))
        assert refusal.value.code() is grpc.StatusCode.INVALID_ARGUMENT


async def test_a_worker_that_stops_closes_its_issuers(fresh_database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Otherwise it would go on reading their keys."""
    closed: list[JwtIssuers] = []
    close = JwtIssuers.close

    def note(issuers: JwtIssuers) -> None:
        closed.append(issuers)
        close(issuers)

    monkeypatch.setattr(JwtIssuers, "close", note)
    async with guarded(fresh_database_url) as registry:
        await registry.create("m")
        assert closed == []
    assert len(closed) == 1
