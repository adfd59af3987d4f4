"""The content of log lines, and when they reach their stream."""

from __future__ import annotations

import asyncio
import errno
import io
import logging
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import orjson
import pytest
import structlog

from registry_grpc.observability import LogOutput, configure_logging


@pytest.fixture
def stream() -> Iterator[io.TextIOWrapper]:
    yield io.TextIOWrapper(io.BytesIO())
    structlog.reset_defaults()


def lines_of(stream: io.TextIOWrapper) -> list[dict[str, Any]]:
    assert isinstance(stream.buffer, io.BytesIO)
    return [orjson.loads(line) for line in stream.buffer.getvalue().splitlines()]


def test_a_line_has_its_fields_and_when_it_was_written(stream: io.TextIOWrapper) -> None:
    configure_logging("info", "json", stream)
    structlog.get_logger("test").info("request completed", code="OK", duration_ms=1.5, path=Path("/a"))
    (line,) = lines_of(stream)
    assert abs(datetime.now(UTC) - datetime.fromisoformat(line.pop("timestamp"))) < timedelta(minutes=1)
    assert line == {"event": "request completed", "level": "info", "code": "OK", "duration_ms": 1.5, "path": "/a"}


def test_the_traceback_of_an_unexpected_error_is_logged(stream: io.TextIOWrapper) -> None:
    configure_logging("error", "json", stream)
    try:
        int("nothing")
    except ValueError:
        structlog.get_logger("test").exception("request failed", request_id="x")
    (line,) = lines_of(stream)
    assert (line["level"], line["event"], line["request_id"]) == ("error", "request failed", "x")
    assert line["exception"].startswith("Traceback")
    assert line["exception"].endswith("ValueError: invalid literal for int() with base 10: 'nothing'")


def test_logs_of_grpc_are_lines_without_data_of_clients(stream: io.TextIOWrapper) -> None:
    configure_logging("info", "json", stream)
    logger = logging.getLogger("grpc._cython.cygrpc")
    try:
        b"secret\xff".decode()
    except UnicodeDecodeError:
        logger.exception("Invalid encoding on %s", b"secret\xff")
    logger.warning("Goodbye")
    logger.info("not of interest")
    error, warning = lines_of(stream)
    assert (error["level"], error["event"]) == ("error", "Invalid encoding on 7 bytes")
    assert error["logger"] == "grpc._cython.cygrpc"
    assert error["exception"].startswith("Traceback")
    assert (warning["level"], warning["event"]) == ("warning", "Goodbye")


@pytest.mark.parametrize(("level", "written"), [("debug", 4), ("info", 3), ("warning", 2), ("error", 1)])
def test_lines_below_the_level_are_not_written(stream: io.TextIOWrapper, level: str, written: int) -> None:
    configure_logging(level, "json", stream)
    logger = structlog.get_logger("test")
    for write in (logger.debug, logger.info, logger.warning, logger.error):
        write("event")
    assert [line["level"] for line in lines_of(stream)] == ["debug", "info", "warning", "error"][-written:]


class CountingStream(io.BytesIO):
    """A stream that counts writes."""

    writes = 0

    def write(self, data: bytes) -> int:  # type: ignore[override]
        self.writes += 1
        return super().write(data)


async def test_lines_of_ordinary_events_are_written_together_soon() -> None:
    stream = CountingStream()
    output = LogOutput(stream)
    output.info(b"one")
    output.debug(b"two")
    assert stream.getvalue() == b""
    await asyncio.sleep(0.2)
    assert (stream.getvalue(), stream.writes) == (b"one\ntwo\n", 1)
    output.info(b"three")
    await asyncio.sleep(0.2)
    assert (stream.getvalue(), stream.writes) == (b"one\ntwo\nthree\n", 2)


async def test_a_warning_is_written_at_once_after_earlier_lines() -> None:
    stream = CountingStream()
    output = LogOutput(stream)
    output.info(b"request")
    output.error(b"failure")
    assert stream.getvalue() == b"request\nfailure\n"


def test_without_a_loop_every_line_is_written_at_once() -> None:
    stream = CountingStream()
    output = LogOutput(stream)
    output.info(b"starting")
    assert stream.getvalue() == b"starting\n"


async def test_waiting_lines_are_written_when_the_process_ends() -> None:
    stream = CountingStream()
    output = LogOutput(stream)
    output.info(b"last words")
    output.flush()
    output.flush()
    assert (stream.getvalue(), stream.writes) == (b"last words\n", 1)


class Full(io.BytesIO):
    """A file on a full disk."""

    def write(self, _data: object) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")


async def test_a_full_disk_fails_nobody() -> None:
    output = LogOutput(Full())
    output.info(b"request")
    output.warning(b"failure")
