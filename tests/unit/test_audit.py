"""Refused calls are audited, but not more than the disk can take; addresses are believed from the gateway only."""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from typing import Any
from uuid import UUID, uuid4

import pytest
from tests.fakes.audit import LOOPBACK, Noted, auditing
from tests.fakes.audit_log import InMemoryAuditLog

from modelregistry.v1 import audit_pb2 as pb
from registry_grpc.adapters.grpc.call import Call
from registry_grpc.adapters.grpc.servicers.audit import AuditServicer
from registry_grpc.domain.access import Caller, Role
from registry_grpc.domain.actor import Origin
from registry_grpc.domain.audit import NO_PROJECT, Refused
from registry_grpc.domain.errors import (
    NotFound,
    PermissionDenied,
    QuotaExceeded,
    Reason,
    RegistryError,
    Unauthenticated,
    Unavailable,
)
from registry_grpc.services.audit import MOST_OF_A_CALLER, MOST_OF_ALL, Audit, Refusals

PROJECT = UUID(int=7)


class Clock:
    """A clock that tests turn."""

    def __init__(self) -> None:
        self.time = 0.0

    def __call__(self) -> float:
        return self.time


def refused(actor: str = "eve", address: str = "") -> Refused:
    origin = Origin("none", "A/B", "r", address)
    return Refused(project_id=PROJECT, actor=actor, origin=origin, details={"reason": "X"})


def refusals(noted: Noted, clock: Clock, reported: list[str] | None = None) -> Refusals:
    said: Any = noted
    return Refusals(said, lambda what, _error: (reported if reported is not None else []).append(what), clock)


async def test_many_refused_calls_of_one_caller_are_counted_and_others_still_written() -> None:
    noted, clock = Noted(), Clock()
    kept = refusals(noted, clock)
    for _ in range(MOST_OF_A_CALLER + 5):
        await kept.note(refused())
    await kept.note(refused("bob"))
    assert [each.actor for each in noted.refused] == ["eve"] * MOST_OF_A_CALLER + ["bob"]
    clock.time = 61
    await kept.tell_left_out()
    assert dict(noted.refused[-1].details) == {"reason": "X", "left_out": "5"}
    assert len(noted.refused) == MOST_OF_A_CALLER + 2
    await kept.note(refused())
    assert "left_out" not in noted.refused[-1].details


async def test_many_callers_together_cannot_fill_the_log() -> None:
    noted, clock = Noted(), Clock()
    kept = refusals(noted, clock)
    for number in range(5 * MOST_OF_ALL):
        await kept.note(refused("", f"192.0.2.{number}"))
    written = len(noted.refused)
    assert written <= MOST_OF_ALL
    await kept.tell_left_out(at_once=True)
    assert sum(int(each.details["left_out"]) for each in noted.refused[written:]) == 5 * MOST_OF_ALL - written
    assert len(noted.refused) - written <= 101


async def test_while_calls_are_refused_all_the_time_the_windows_get_longer() -> None:
    """Up to an hour, so that a flood of months does not fill the disk either."""
    noted, clock = Noted(), Clock()
    kept = refusals(noted, clock)
    for second in range(0, 24 * 3600, 2):
        clock.time = float(second)
        await kept.note(refused())
    told = [int(each.details["left_out"]) for each in noted.refused if "left_out" in each.details]
    await kept.tell_left_out(at_once=True)
    assert len(noted.refused) < 30 * (MOST_OF_A_CALLER + 1)
    assert told[:3] == [10, 40, 100]
    before = len(noted.refused)
    for _ in range(3):
        clock.time += 3600  # without any
        await kept.tell_left_out()
    for _ in range(2):
        for _ in range(MOST_OF_A_CALLER + 1):
            await kept.note(refused())
        clock.time += 61
        await kept.tell_left_out()
    assert len(noted.refused) - before == 2 * MOST_OF_A_CALLER + 1, "the second window has not ended"


@pytest.mark.slow
async def test_bursts_with_pauses_are_not_many_entries_either() -> None:
    noted, clock = Noted(), Clock()
    kept = refusals(noted, clock)
    for minute in range(0, 24 * 60, 3):
        clock.time = minute * 60.0
        for number in range(15 * MOST_OF_A_CALLER):
            await kept.note(refused(f"caller {number % 15}"))
        for _ in range(3):
            clock.time += 60
            await kept.tell_left_out()
    assert len(noted.refused) < 30_000


async def test_calls_of_too_many_callers_to_count_are_not_put_down_to_one() -> None:
    noted, clock = Noted(), Clock()
    kept = refusals(noted, clock)
    for _ in range(30):
        for number in range(110):
            await kept.note(refused(f"caller {number}"))
    await kept.tell_left_out(at_once=True)
    told = {each.actor: each for each in noted.refused if "left_out" in each.details}
    assert len(told) == 101
    others = told[""]
    assert (others.project_id, set(others.origin), others.details["left_out"]) == (NO_PROJECT, {""}, "290")


async def test_a_database_that_does_not_answer_does_not_matter_to_the_refusal() -> None:
    reported: list[str] = []
    await refusals(Noted(error=Unavailable(Reason.DATABASE_UNAVAILABLE)), Clock(), reported).note(refused())
    assert reported == ["audit"]


@pytest.mark.parametrize(
    ("error", "role", "project_id"),
    [
        (Unauthenticated("no token"), None, NO_PROJECT),
        (PermissionDenied("ADMIN", ""), None, NO_PROJECT),
        (PermissionDenied("ADMIN", "VIEWER"), None, PROJECT),
        (QuotaExceeded("models", limit=1, used=1), Role.EDITOR, PROJECT),
    ],
)
async def test_only_who_has_a_role_writes_into_the_log_of_the_project(
    error: RegistryError, role: Role | None, project_id: UUID
) -> None:
    noted = Noted()
    call = Call(method="A/B", request_id="r", named_project=PROJECT, role=role, address="192.0.2.1")
    call.caller = Caller(name="eve", method="https://idp")
    await auditing(noted).note_if_refused(error, call)
    (found,) = noted.refused
    assert (found.project_id, found.actor, found.details["reason"]) == (project_id, "eve", error.reason)
    assert found.origin == Origin("https://idp", "A/B", "r", "192.0.2.1")
    assert found.details.get("project_id") == (None if project_id == PROJECT else str(PROJECT))


async def test_mistakes_are_no_refusals() -> None:
    noted = Noted()
    await auditing(noted).note_if_refused(NotFound.of(Reason.PROJECT_NOT_FOUND, PROJECT), Call(method="A/B"))
    assert noted.refused == []


@pytest.mark.parametrize(
    ("peer", "told", "address"),
    [
        ("ipv4:127.0.0.1:50000", "192.0.2.1", "192.0.2.1"),
        ("ipv4:127.0.0.1:50000", "", "127.0.0.1"),
        ("ipv4:10.0.0.9:50000", "192.0.2.1", "10.0.0.9"),
        ("ipv6:%5B2001:db8::1%5D:50000", "192.0.2.1", "2001:db8::1"),
        ("ipv6:[::1]:50000", "192.0.2.1", "::1"),
        ("unix:/run/registry.sock", "192.0.2.1", "192.0.2.1"),
        ("unix:", "x" * 100, "x" * 64),
    ],
)
def test_only_the_gateway_is_believed(peer: str, told: str, address: str) -> None:
    assert LOOPBACK.address(peer, told) == address


async def test_only_operators_read_all_projects() -> None:
    log, project_id = InMemoryAuditLog(), uuid4()
    mine, other = log.add(project_id, "model.created"), log.add(uuid4(), "model.created")
    servicer, list_ = AuditServicer(Audit(log=log)), AuditServicer.ListAuditEntries
    call = Call(method="A/B", project_id=project_id, role=Role.ADMIN)
    assert (await list_.serve(servicer, pb.ListAuditEntriesRequest(), call)).items == (mine,)
    with pytest.raises(PermissionDenied, match="OPERATOR"):
        await list_.serve(servicer, pb.ListAuditEntriesRequest(all_projects=True), call)
    with pytest.raises(PermissionDenied, match="OPERATOR"):
        AuditServicer.WatchAuditEntries.serve(servicer, pb.WatchAuditEntriesRequest(all_projects=True), call)
    call.role = Role.OPERATOR
    everything = await list_.serve(servicer, pb.ListAuditEntriesRequest(all_projects=True), call)
    assert everything.items == (other, mine)


async def test_a_watch_has_what_is_there_and_then_what_is_new() -> None:
    log, project_id = InMemoryAuditLog(), uuid4()
    audit = Audit(log=log)
    there = [log.add(project_id, "model.created") for _ in range(250)]
    log.add(uuid4(), "model.created")
    async with aclosing(audit.watch(project_id, None, there[9].position)) as watch:
        assert [(await anext(watch)).position for _ in range(240)] == [each.position for each in there[10:]]
        new = asyncio.ensure_future(anext(watch))
        await asyncio.sleep(0)
        assert await log.end() == 251
        added = log.add(project_id, "model.updated")
        assert await new == added
        audit.stop_watches()
        with pytest.raises(Unavailable):
            await anext(watch)


async def test_a_watch_without_a_position_begins_now() -> None:
    log, project_id = InMemoryAuditLog(), uuid4()
    log.add(project_id, "model.created")
    async with aclosing(Audit(log=log).watch(project_id, None, None)) as watch:
        new = asyncio.ensure_future(anext(watch))
        await asyncio.sleep(0)
        added = log.add(project_id, "model.updated")
        assert await new == added
