"""When the log says that the database is away, and that it is back."""

from __future__ import annotations

import contextlib

import asyncpg
from structlog.testing import capture_logs

from registry_grpc.adapters.postgres.database import _Presence
from registry_grpc.domain.errors import Unavailable


def fail(presence: _Presence) -> None:
    with contextlib.suppress(Unavailable), presence.connecting():
        raise ConnectionRefusedError("refused")


def succeed(presence: _Presence) -> None:
    with presence.connecting():
        pass


def test_each_change_is_told_once() -> None:
    presence = _Presence()
    with capture_logs() as lines:
        for attempt in (succeed, fail, fail, succeed, succeed, fail, succeed):
            attempt(presence)
    assert [line["event"] for line in lines] == ["database.away", "database.back"] * 2
    assert (lines[0]["cause"], lines[0]["text"], lines[0]["log_level"]) == (
        "ConnectionRefusedError",
        "refused",
        "warning",
    )


def test_an_attempt_that_began_before_the_database_was_back_changes_nothing() -> None:
    presence = _Presence()
    with capture_logs() as lines:
        fail(presence)
        with contextlib.suppress(Unavailable), presence.connecting():
            succeed(presence)
            raise TimeoutError
    assert [line["event"] for line in lines] == ["database.away", "database.back"]


def test_a_text_that_may_have_the_url_is_not_told() -> None:
    with capture_logs() as lines, contextlib.suppress(Unavailable), _Presence().connecting():
        raise asyncpg.InterfaceError("postgresql://registry:secret@host")
    assert [(line["cause"], line["text"]) for line in lines] == [("InterfaceError", "")]
