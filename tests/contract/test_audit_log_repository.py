"""The contract of ports.audit.AuditLog."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from contextlib import aclosing
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any
from uuid import UUID, uuid4

import orjson
import pytest
from tests.fakes.audit_log import InMemoryAuditLog
from tests.postgres import PATIENT
from tests.refusals import refused

from registry_grpc.adapters.postgres import audit, channel
from registry_grpc.adapters.postgres.audit import PostgresAuditLog
from registry_grpc.adapters.postgres.database import Database
from registry_grpc.domain.actor import Origin
from registry_grpc.domain.audit import FILTER_FIELDS, NO_PROJECT, AuditEntry, Refused
from registry_grpc.domain.errors import Overloaded, Reason, Unavailable
from registry_grpc.domain.filter.fields import parse_filter
from registry_grpc.domain.paging import Slice
from registry_grpc.ports.audit import AuditLog

ORIGIN = Origin("https://idp", "modelregistry.v1.AccessService/SetMember", "r-1", "192.0.2.7")
_INSERT = """
INSERT INTO event_inbox (
    project_id, type, resource_id, name, actor, changed, details, origin, before, after, occurred_at
) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, coalesce($11, clock_timestamp()))
"""


@dataclass
class Log:
    """A log and a way to let something happen."""

    log: AuditLog
    happen: Callable[..., Awaitable[None]]
    listen_at_most: Callable[[pytest.MonkeyPatch, int], None]

    async def listed(self, project_id: UUID | None, filter: str = "") -> list[AuditEntry]:
        """Oldest first."""
        found: list[AuditEntry] = []
        after, pages = None, 0
        while pages == 0 or after:
            slice_ = Slice(by_cursor=True, limit=100, after=after)
            page = await self.log.list(project_id, parse_filter(filter, FILTER_FIELDS), slice_)
            found += page.items
            after, pages = page.next, pages + 1
        return found[::-1]

    async def names(self, project_id: UUID | None, filter: str = "") -> list[str]:
        return [entry.name for entry in await self.listed(project_id, filter)]


def log_in_memory() -> Log:
    log = InMemoryAuditLog()

    async def happen(project_id: UUID, type_: str = "model.created", **fields: Any) -> None:
        log.add(project_id, type_, **fields)

    def listen_at_most(patch: pytest.MonkeyPatch, most: int) -> None:
        patch.setattr(log, "most_listeners", most)

    return Log(log, happen, listen_at_most)


def log_on(database: Database) -> Log:
    async def happen(project_id: UUID, type_: str = "model.created", **fields: Any) -> None:
        origin = {name: value for name, value in fields.items() if name in Origin._fields}
        await database.execute(
            _INSERT, project_id, type_, fields.get("resource_id", uuid4()), fields.get("name", ""),
            fields.get("actor", "external"), list(fields.get("changed_fields", ())), dict(fields.get("details", {})),
            origin, orjson.loads(fields.get("before", "{}")), orjson.loads(fields.get("after", "{}")),
            fields.get("occurred_at"),
        )  # fmt: skip

    def listen_at_most(patch: pytest.MonkeyPatch, most: int) -> None:
        patch.setattr(channel, "MOST_WAITING", most)

    return Log(PostgresAuditLog(database), happen, listen_at_most)


@pytest.fixture(params=["fake", "postgres"])
def log(request: pytest.FixtureRequest) -> Log:
    if request.param == "fake":
        return log_in_memory()
    return log_on(request.getfixturevalue("own_database"))


async def some(log: Log, project_id: UUID, count: int, **fields: Any) -> list[str]:
    names = [f"m{number}" for number in range(count)]
    for name in names:
        await log.happen(project_id, name=name, **fields)
    return names


async def test_an_entry_is_read_as_it_was_written(log: Log, project_id: UUID) -> None:
    fields: dict[str, Any] = {
        "resource_id": uuid4(), "name": "iris", "actor": "ann", "changed_fields": ("name", "labels"),
        "details": {"version_number": "1"}, "occurred_at": datetime(2026, 1, 2, 3, 4, 5, 678901, tzinfo=UTC),
        **ORIGIN._asdict(),
    }  # fmt: skip
    await log.happen(project_id, "model.updated", **fields, before='{"name": "rose"}', after='{"name": "iris"}')
    (entry,) = await log.listed(project_id)
    assert {name: getattr(entry, name) for name in fields} == fields
    assert (entry.project_id, entry.type) == (project_id, "model.updated")
    assert (orjson.loads(entry.before), orjson.loads(entry.after)) == ({"name": "rose"}, {"name": "iris"})


async def test_an_entry_without_a_call_has_no_origin(log: Log, project_id: UUID) -> None:
    await log.happen(project_id)
    (entry,) = await log.listed(project_id)
    assert (entry.authentication, entry.rpc, entry.request_id, entry.address) == ("", "", "", "")
    assert (entry.before, entry.after, entry.changed_fields, entry.details) == ("{}", "{}", (), {})
    assert datetime.now(UTC) - entry.occurred_at < timedelta(minutes=10)


async def test_pages_are_newest_first(log: Log, project_id: UUID, other_project_id: UUID) -> None:
    names = await some(log, project_id, 5)
    await some(log, other_project_id, 2)
    found: list[AuditEntry] = []
    after, pages = None, 0
    while pages == 0 or after:
        page = await log.log.list(project_id, None, Slice(limit=2, by_cursor=True, after=after))
        found += page.items
        after, pages = page.next, pages + 1
    assert ([entry.name for entry in found], pages) == (names[::-1], 3)
    assert all(later.position > earlier.position for later, earlier in pairwise(found))


async def test_only_without_a_project_all_entries_are_read(log: Log, project_id: UUID, other_project_id: UUID) -> None:
    start = await log.log.end()
    await log.happen(project_id, name="a")
    await log.happen(other_project_id, name="b")
    assert await log.names(project_id) == ["a"]
    assert await log.names(other_project_id) == ["b"]
    assert (await log.names(None))[-2:] == ["a", "b"]
    for project, names in ((project_id, ["a"]), (other_project_id, ["b"]), (None, ["a", "b"])):
        entries, _ = await log.log.after(project, None, start, 10)
        assert [entry.name for entry in entries] == names


async def test_what_follows_a_position_is_read_oldest_first(log: Log, project_id: UUID) -> None:
    names = await some(log, project_id, 5)
    entries, reached = await log.log.after(project_id, None, 0, 2)
    assert ([entry.name for entry in entries], reached) == (names[:2], entries[-1].position)
    entries, reached = await log.log.after(project_id, None, reached, 10)
    assert ([entry.name for entry in entries], reached) == (names[2:], entries[-1].position)
    assert await log.log.after(project_id, None, reached, 10) == ([], reached)
    await log.happen(project_id, name="new")
    entries, reached = await log.log.after(project_id, None, reached, 10)
    assert ([entry.name for entry in entries], reached) == (["new"], await log.log.end())


async def test_what_a_filter_does_not_match_is_passed(log: Log, project_id: UUID) -> None:
    start = await log.log.end()
    await some(log, project_id, 3)
    await log.happen(project_id, "model.deleted", name="rare")
    await some(log, project_id, 2)
    where = parse_filter("name = rare", FILTER_FIELDS)
    entries, reached = await log.log.after(project_id, where, start, 10)
    assert ([entry.name for entry in entries], reached) == (["rare"], await log.log.end())
    entries, reached = await log.log.after(project_id, where, start, 1)
    assert ([entry.name for entry in entries], reached) == (["rare"], entries[0].position)
    assert await log.log.after(project_id, where, reached, 10) == ([], await log.log.end())


async def test_the_end_is_the_newest_entry(log: Log, project_id: UUID) -> None:
    await log.happen(project_id)
    (entry,) = await log.listed(project_id)
    assert await log.log.end() == entry.position


async def test_an_empty_log_ends_at_zero(fresh_database_url: str) -> None:
    database = Database(fresh_database_url, PATIENT)
    for log in (InMemoryAuditLog(), PostgresAuditLog(database)):
        assert await log.end() == 0
        assert await log.after(None, None, 0, 10) == ([], 0)
    await database.close()


async def test_a_refused_call_is_an_entry(log: Log, project_id: UUID) -> None:
    for project in (project_id, NO_PROJECT):
        before = await log.log.end()
        await log.log.note(Refused(project_id=project, actor="eve", origin=ORIGIN, details={"reason": "X"}))
        ((entry,), _) = await log.log.after(project, None, before, 10)
        assert (entry.type, entry.actor, entry.details) == ("call.refused", "eve", {"reason": "X"})
        assert Origin(entry.authentication, entry.rpc, entry.request_id, entry.address) == ORIGIN
        assert (entry.resource_id, entry.name, entry.before, entry.after) == (NO_PROJECT, "", "{}", "{}")
        assert datetime.now(UTC) - entry.occurred_at < timedelta(minutes=10)


async def test_each_entry_of_a_project_has_a_hash_of_its_own(
    log: Log, project_id: UUID, other_project_id: UUID
) -> None:
    """Also if nothing differs but what was before."""
    same: dict[str, Any] = {"resource_id": uuid4(), "occurred_at": datetime(2026, 1, 2, tzinfo=UTC)}
    for project in (project_id, project_id, project_id, other_project_id):
        await log.happen(project, **same)
    hashes = [entry.hash for project in (project_id, other_project_id) for entry in await log.listed(project)]
    assert len(set(hashes)) == 4
    assert all(re.fullmatch("[0-9a-f]{64}", each) for each in hashes)


async def test_old_entries_are_forgotten_from_the_beginning(
    log: Log, project_id: UUID, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(audit, "_PAUSE_SECONDS", 0.0)
    past = datetime.now(UTC) - timedelta(days=100)
    await log.happen(project_id, name="before")
    await log.log.forget(timedelta(0))
    names = await some(log, project_id, 1100, occurred_at=past)
    await log.happen(project_id, name="young")
    before = await log.listed(project_id, "name != before")
    await log.log.forget(timedelta(days=200))
    assert await log.listed(project_id, "name != before") == before
    await log.log.forget(timedelta(days=90))
    assert await log.names(project_id) == [names[-1], "young"]
    assert await log.listed(project_id) == before[-2:]
    entries, _ = await log.log.after(project_id, None, before[0].position, 10)
    assert [entry.name for entry in entries] == [names[-1], "young"]
    await log.log.forget(timedelta(0))
    assert await log.names(project_id) == ["young"]


async def test_listeners_are_woken_by_new_entries(log: Log, project_id: UUID) -> None:
    async with aclosing(log.log.listen()) as news:
        await anext(news)
        end = await log.log.end()
        for name in ("iris", "tulip", "rose"):  # the first time, it may be woken because its session was opened
            await log.happen(project_id, name=name)
            while not (entries := (await log.log.after(project_id, None, end, 5))[0]):
                await anext(news)
            assert [entry.name for entry in entries] == [name]
            end = entries[-1].position


async def test_no_more_than_so_many_listen(log: Log, monkeypatch: pytest.MonkeyPatch) -> None:
    log.listen_at_most(monkeypatch, 1)
    async with aclosing(log.log.listen()) as news, aclosing(log.log.listen()) as more:
        await anext(news)
        with refused(Overloaded, Reason.OVERLOADED):
            await anext(more)
    async with aclosing(log.log.listen()) as again:
        await anext(again)


async def test_listeners_end_when_the_process_stops(log: Log) -> None:
    async with aclosing(log.log.listen()) as news:
        await anext(news)
        log.log.stop_listening()
        with refused(Unavailable, Reason.SHUTTING_DOWN):
            await anext(news)


async def test_filter_expressions(log: Log, project_id: UUID, other_project_id: UUID) -> None:
    model = uuid4()
    then = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
    await log.happen(
        project_id, "model.updated", name="a", resource_id=model, actor="ann", changed_fields=("labels", "state"),
        **ORIGIN._asdict(),
    )  # fmt: skip
    await log.happen(project_id, "member.created", name="b", actor="bob", authentication="https://other")
    await log.happen(project_id, "alias.set", name="c", occurred_at=then, details={"version_number": "3"})
    await log.log.note(Refused(project_id=project_id, actor="eve", origin=ORIGIN, details={"reason": "X"}))
    await log.happen(other_project_id, "model.updated", name="a", resource_id=model, actor="ann")
    for text, names in [
        ("actor = ann", "a"),
        ("actor = ann OR actor = bob", "ab"),
        ("-actor = ann", "bc."),
        ("type = member.*", "b"),
        ("type = call.refused", "."),
        ("type = call.refused actor = eve", "."),
        ("type != call.refused", "abc"),
        ("name = a", "a"),
        (f"resource_id = {model}", "a"),
        (f"resource_id = {model} OR name = b", "ab"),
        (f"resource_id = {uuid4()}", ""),
        ("occurred_at <= 2026-01-02T03:04:05Z", "c"),
        ("occurred_at > 2026-01-02T03:04:05Z", "ab."),
        ("authentication = https://other", "b"),
        ('rpc = "*/SetMember"', "a."),
        ("request_id = r-1 type = model.*", "a"),
        ("address = 192.0.2.7", "a."),
        ("changed_fields:labels", "a"),
        ("changed_fields:label", ""),
        ("details.reason = X", "."),
        ("details:version_number", "c"),
    ]:
        assert "".join(name or "." for name in await log.names(project_id, text)) == names, text


async def test_a_page_reads_a_bounded_part_of_the_log(
    own_database: Database, project_id: UUID, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(audit, "_SCANNED_AT_ONCE", 3)
    log = log_on(own_database)
    start = await log.log.end()
    await log.happen(project_id, "model.deleted", name="rare")
    await some(log, project_id, 7)
    rare = parse_filter("name = rare", FILTER_FIELDS)
    pages: list[list[str]] = []
    after = None
    while not pages or after:
        page = await log.log.list(project_id, rare, Slice(by_cursor=True, after=after))
        pages.append([entry.name for entry in page.items])
        after = page.next
    assert pages == [[], [], ["rare"]]
    common = parse_filter("name = m6", FILTER_FIELDS)
    batches: list[list[str]] = []
    reached, before = start, None
    while reached != before:
        before = reached
        entries, reached = await log.log.after(project_id, common, before, 10)
        batches.append([entry.name for entry in entries])
    assert batches == [[], [], ["m6"], []]
