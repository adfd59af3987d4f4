"""The use cases on the event log."""

from __future__ import annotations

from contextlib import aclosing
from uuid import uuid4

import pytest
from tests.fakes.event_log import InMemoryEventLog
from tests.refusals import refused

from registry_grpc.domain.errors import EventLogChanged, InvalidRequest, Reason, Unavailable
from registry_grpc.domain.event import EventFilter
from registry_grpc.services.event_log import Bookmark, Events

PROJECT = uuid4()
ALL = EventFilter()


async def test_a_watch_begins_with_what_happens_from_now_on() -> None:
    log = InMemoryEventLog()
    earlier = log.add(PROJECT, "model.created")
    async with aclosing(Events(log=log).watch(PROJECT, ALL, None)) as watched:
        assert await anext(watched) == Bookmark(earlier.resume_token)
        later = log.add(PROJECT, "model.created")
        log.wake()
        assert await anext(watched) == later


async def test_a_watch_continues_after_its_token_with_all_events() -> None:
    log = InMemoryEventLog()
    first = log.add(PROJECT, "model.created")
    rest = [log.add(PROJECT, "model.updated") for _ in range(250)]
    async with aclosing(Events(log=log).watch(PROJECT, ALL, first.resume_token)) as watched:
        assert [await anext(watched) for _ in rest] == rest


async def test_a_quiet_watch_gets_bookmarks() -> None:
    log = InMemoryEventLog()
    token = log.add(PROJECT, "model.created").resume_token
    async with aclosing(Events(log=log).watch(PROJECT, EventFilter(types=("version",)), token)) as watched:
        assert await anext(watched) == Bookmark(token)
        other = log.add(PROJECT, "model.updated")
        log.wake()
        assert await anext(watched) == Bookmark(other.resume_token)
        wanted = log.add(PROJECT, "version.created")
        log.wake()
        assert await anext(watched) == wanted
        await _ends_with_shutdown(Events(log=log), watched)


async def _ends_with_shutdown(events: Events, watched: object) -> None:
    events.stop_watches()
    with refused(Unavailable, Reason.SHUTTING_DOWN):
        await anext(watched)  # type: ignore[call-overload]


async def test_a_watch_ends_when_the_database_was_restored() -> None:
    log = InMemoryEventLog()
    token = log.add(PROJECT, "model.created").resume_token
    async with aclosing(Events(log=log).watch(PROJECT, ALL, token)) as watched:
        await anext(watched)
        log.rows.clear()
        log.epoch = "second"
        log.add(PROJECT, "model.created")
        log.wake()
        with refused(EventLogChanged, Reason.EVENT_LOG_CHANGED):
            await anext(watched)


def test_a_filter_names_all_unknown_types() -> None:
    assert EventFilter(types=("model", "model.created", "deployment.revision_made")).types
    with pytest.raises(InvalidRequest) as refusal:
        EventFilter(types=("models", "model.moved", "version"))
    assert [violation.field for violation in refusal.value.violations] == ["types", "types"]
    assert "'models'" in refusal.value.message
    assert "'model.moved'" in refusal.value.message
    with pytest.raises(InvalidRequest, match="at most 50 types"):
        EventFilter(types=("model",) * 51)
