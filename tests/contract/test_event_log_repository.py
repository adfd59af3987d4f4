"""The contract of ports.events.EventLog."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import aclosing
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from tests.fakes.event_log import InMemoryEventLog
from tests.refusals import refused

from registry_grpc.adapters.postgres import event_log
from registry_grpc.adapters.postgres.database import Database
from registry_grpc.adapters.postgres.event_log import PostgresEventLog
from registry_grpc.domain.errors import EventLogChanged, InvalidRequest, Reason, Unavailable
from registry_grpc.domain.event import FILTER_FIELDS, Event, EventFilter
from registry_grpc.domain.filter.fields import parse_filter
from registry_grpc.domain.paging import Slice
from registry_grpc.ports.events import EventLog

ALL = EventFilter()
_INSERT = """
INSERT INTO event_inbox (project_id, type, resource_id, model_id, name, actor, changed, details, occurred_at)
VALUES ($1, $2, $3, $4, $5, 'external', $6, $7, coalesce($8, clock_timestamp()))
"""


@dataclass
class Log:
    """A log and ways to let something happen."""

    log: EventLog
    happen: Callable[..., Awaitable[None]]
    restore: Callable[[], Awaitable[None]]

    async def listed(self, project_id: UUID, filter: EventFilter = ALL, **slice: Any) -> list[str]:
        page = await self.log.list(project_id, filter, Slice(by_cursor=True, **slice), oldest_first=True)
        return [event.name for event in page.items]


def log_in_memory() -> Log:
    log = InMemoryEventLog()

    async def happen(project_id: UUID, type_: str = "model.created", **fields: Any) -> None:
        log.add(project_id, type_, **fields)
        log.wake()

    async def restore() -> None:
        log.epoch = "second"
        log.rows[:] = [(at, project, _again(event, at)) for at, project, event in log.rows]

    def _again(event: Event, at: int) -> Event:
        return Event(**{name: getattr(event, name) for name in Event.__slots__} | {"resume_token": f"second-{at}"})

    return Log(log, happen, restore)


def log_on(database: Database) -> Log:
    async def happen(project_id: UUID, type_: str = "model.created", **fields: Any) -> None:
        await database.execute(
            _INSERT, project_id, type_, fields.get("resource_id", uuid4()), fields.get("registered_model_id"),
            fields.get("name", ""), list(fields.get("changed_fields", ())), dict(fields.get("details", {})),
            fields.get("occurred_at"),
        )  # fmt: skip

    async def restore() -> None:
        await database.execute("UPDATE registry_installation SET id = id")

    return Log(PostgresEventLog(database), happen, restore)


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


async def test_an_event_is_read_as_it_was_written(log: Log, project_id: UUID) -> None:
    fields: dict[str, Any] = {
        "resource_id": uuid4(), "registered_model_id": uuid4(), "name": "iris",
        "changed_fields": ("name", "labels"), "details": {"phase": "PENDING"},
    }  # fmt: skip
    await log.happen(project_id, "model.updated", **fields)
    (event,) = (await log.log.list(project_id, ALL, Slice(by_cursor=True), oldest_first=False)).items
    assert {name: getattr(event, name) for name in fields} == fields
    assert (event.type, event.actor) == ("model.updated", "external")
    assert datetime.now(UTC) - event.occurred_at < timedelta(minutes=10)
    assert event.resume_token.endswith(f"-{event.id}")


async def test_pages_follow_each_other_in_both_directions(log: Log, project_id: UUID, other_project_id: UUID) -> None:
    names = await some(log, project_id, 5)
    await some(log, other_project_id, 2)
    for oldest_first, expected in ((True, names), (False, names[::-1])):
        found: list[str] = []
        after, pages = None, 0
        while pages == 0 or after:
            slice_ = Slice(limit=2, by_cursor=True, after=after)
            page = await log.log.list(project_id, ALL, slice_, oldest_first=oldest_first)
            found += [event.name for event in page.items]
            after, pages = page.next, pages + 1
        assert (found, pages) == (expected, 3)


async def test_filters(log: Log, project_id: UUID) -> None:
    model, version = uuid4(), uuid4()
    then = datetime.now(UTC) - timedelta(hours=1)
    await log.happen(
        project_id, "model.created", name="a", resource_id=model, registered_model_id=model, occurred_at=then
    )
    await log.happen(project_id, "version.created", name="b", resource_id=version, registered_model_id=model)
    await log.happen(project_id, "version.updated", name="c", resource_id=uuid4(), registered_model_id=uuid4())
    cases: list[tuple[dict[str, Any], str]] = [
        ({"types": ("version",)}, "bc"),
        ({"types": ("version.updated", "model")}, "ac"),
        ({"resource_id": version}, "b"),
        ({"registered_model_id": model}, "ab"),
        ({"registered_model_id": model, "types": ("version",)}, "b"),
        ({"occurred_before": then + timedelta(seconds=1)}, "a"),
        ({"occurred_from": then + timedelta(seconds=1)}, "bc"),
        ({"occurred_from": then, "occurred_before": then}, ""),
        ({"types": ("environment",)}, ""),
    ]
    for fields, expected in cases:
        assert await log.listed(project_id, EventFilter(**fields)) == list(expected), fields


async def test_a_reader_continues_where_it_stopped(log: Log, project_id: UUID, other_project_id: UUID) -> None:
    start = await log.log.after(project_id, ALL, None, 2)
    assert (list(start.events), start.has_more) == ([], False)
    names = await some(log, project_id, 3)
    await some(log, other_project_id, 1)
    await log.listed(project_id)  # which gives positions to the events
    first = await log.log.after(project_id, ALL, start.resume_token, 2)
    assert ([event.name for event in first.events], first.has_more) == (names[:2], True)
    assert first.resume_token == first.events[-1].resume_token
    second = await log.log.after(project_id, ALL, first.resume_token, 2)
    assert ([event.name for event in second.events], second.has_more) == (names[2:], False)
    # It has also passed the event of the other project.
    last = await log.log.after(project_id, ALL, None, 2)
    assert second.resume_token == last.resume_token
    assert (await log.log.after(project_id, ALL, last.resume_token, 2)) == last


@pytest.mark.parametrize("token", ["x", "1", "epoch-", "-1", "epoch-1.5", "epoch-٣x"])
async def test_a_text_that_is_no_token(log: Log, project_id: UUID, token: str) -> None:
    with refused(InvalidRequest, Reason.INVALID_REQUEST):
        await log.log.after(project_id, ALL, token, 2)


async def test_a_token_of_another_log(log: Log, project_id: UUID) -> None:
    with refused(EventLogChanged, Reason.EVENT_LOG_CHANGED):
        await log.log.after(project_id, ALL, "epoch-1-1", 2)


async def test_a_restored_database_ends_the_log(log: Log, project_id: UUID) -> None:
    await some(log, project_id, 1)
    token = (await log.log.after(project_id, ALL, None, 2)).resume_token
    await log.restore()
    with refused(EventLogChanged, Reason.EVENT_LOG_CHANGED):
        await log.log.after(project_id, ALL, token, 2)


async def test_old_events_are_forgotten_but_for_the_newest(
    log: Log, project_id: UUID, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(event_log, "_PAUSE_SECONDS", 0.0)
    past = datetime.now(UTC) - timedelta(days=100)
    await log.log.forget(timedelta(days=90))
    names = await some(log, project_id, 1100, occurred_at=past)
    await log.listed(project_id)
    first = await log.log.list(project_id, ALL, Slice(by_cursor=True, limit=1), oldest_first=True)
    newest = await log.log.after(project_id, ALL, None, 1)
    await log.log.forget(timedelta(days=90))
    assert await log.listed(project_id) == names[-1:]
    with refused(EventLogChanged, Reason.EVENT_LOG_CHANGED):
        await log.log.after(project_id, ALL, first.items[0].resume_token, 1)
    await log.happen(project_id, name="young")
    await log.listed(project_id)
    assert [event.name for event in (await log.log.after(project_id, ALL, newest.resume_token, 5)).events] == ["young"]
    await log.log.forget(timedelta(days=90))
    assert await log.listed(project_id) == [names[-1], "young"]


async def test_listeners_are_woken_by_events_of_their_project(log: Log, project_id: UUID) -> None:
    async with aclosing(log.log.listen(project_id)) as news:
        await anext(news)
        token = (await log.log.after(project_id, ALL, None, 5)).resume_token
        for name in ("iris", "tulip", "rose"):  # the first time, it may be woken because its session was opened
            await log.happen(project_id, name=name)
            while not (batch := await log.log.after(project_id, ALL, token, 5)).events:
                await anext(news)
            assert [event.name for event in batch.events] == [name]
            token = batch.resume_token


async def test_listeners_end_when_the_process_stops(log: Log, project_id: UUID) -> None:
    async with aclosing(log.log.listen(project_id)) as news:
        await anext(news)
        log.log.stop_listening()
        with refused(Unavailable, Reason.SHUTTING_DOWN):
            await anext(news)


async def test_filter_expressions(log: Log, project_id: UUID, other_project_id: UUID) -> None:
    model, version = uuid4(), uuid4()
    then = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
    await log.happen(project_id, "model.created", name="a", resource_id=model, registered_model_id=model)
    await log.happen(
        project_id, "version.updated", name="b", resource_id=version, registered_model_id=model, occurred_at=then,
        changed_fields=("labels", "state"),
    )  # fmt: skip
    await log.happen(project_id, "alias.set", name="c", resource_id=model, details={"version_number": "3"})
    await log.happen(other_project_id, "model.created", name="d", resource_id=model, registered_model_id=model)
    for text, names in [
        ("type = version.*", "b"),
        ("type = model.created OR type = alias.set", "ac"),
        ("-type = model.*", "bc"),
        (f"resource_id = {model}", "ac"),
        (f"resource_id = {model} AND type = alias.*", "c"),
        (f"resource_id = {model} OR resource_id = {version}", "abc"),
        (f"registered_model_id = {model} name > a", "b"),
        (f"registered_model_id != {model}", ""),
        ("-registered_model_id:*", "c"),
        ("occurred_at <= 2026-01-02T03:04:05Z", "b"),
        ("occurred_at > 2026-01-02T03:04:05Z", "ac"),
        ("changed_fields:labels", "b"),
        ("changed_fields:label", ""),
        ("-changed_fields:*", "ac"),
        ("details.version_number = 3", "c"),
        ("details:version_number", "c"),
        ("-details:*", "ab"),
        ("actor = external name = c", "c"),
    ]:
        filter_ = EventFilter(where=parse_filter(text, FILTER_FIELDS))
        assert await log.listed(project_id, filter_) == list(names), text
        against = await log.log.list(project_id, filter_, Slice(by_cursor=True), oldest_first=False)
        assert [event.name for event in against.items] == list(names)[::-1], text
    both = EventFilter(types=("version", "alias"), where=parse_filter("name != b", FILTER_FIELDS))
    assert await log.listed(project_id, both) == ["c"]
    other = EventFilter(resource_id=version, where=parse_filter(f"resource_id = {model}", FILTER_FIELDS))
    assert await log.listed(project_id, other) == []


async def test_a_watch_with_a_filter_passes_what_it_does_not_match(log: Log, project_id: UUID) -> None:
    await some(log, project_id, 3)
    await log.listed(project_id)
    first = await log.log.list(project_id, ALL, Slice(by_cursor=True, limit=1), oldest_first=True)
    await log.happen(project_id, "model.deleted", name="rare")
    await some(log, project_id, 2)
    await log.listed(project_id)
    filter_ = EventFilter(where=parse_filter("name = rare", FILTER_FIELDS))
    batch = await log.log.after(project_id, filter_, first.items[0].resume_token, 10)
    assert [event.name for event in batch.events] == ["rare"]
    rest = await log.log.after(project_id, filter_, batch.resume_token, 10)
    assert (list(rest.events), rest.resume_token) == ([], batch.resume_token)


async def test_a_page_reads_a_bounded_part_of_the_log(
    own_database: Database, project_id: UUID, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(event_log, "_SCANNED_AT_ONCE", 3)
    log = log_on(own_database)
    await some(log, project_id, 7)
    await log.happen(project_id, "model.deleted", name="rare")
    rare = EventFilter(types=("model.deleted",))
    found, pages, after = [], 0, None
    while pages == 0 or after:
        page = await log.log.list(project_id, rare, Slice(by_cursor=True, after=after), oldest_first=True)
        found += [event.name for event in page.items]
        after, pages = page.next, pages + 1
    assert (found, pages) == (["rare"], 3)
    end = await log.log.after(project_id, rare, None, 10)
    first = await log.log.list(project_id, ALL, Slice(by_cursor=True, limit=1), oldest_first=True)
    token, batches = first.items[0].resume_token, []
    has_more = True
    while has_more:
        batch = await log.log.after(project_id, rare, token, 10)
        batches.append([event.name for event in batch.events])
        token, has_more = batch.resume_token, batch.has_more
    assert batches == [[], [], ["rare"]]
    assert token == end.resume_token
