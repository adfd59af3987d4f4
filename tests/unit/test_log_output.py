"""The content of log lines, and when they reach their stream."""

from __future__ import annotations

import asyncio
import errno
import io
import logging
import re
import subprocess
import sys
import threading
import time
import warnings
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import orjson
import pytest
import structlog

from registry_grpc import observability
from registry_grpc.adapters.grpc.call import Call
from registry_grpc.domain.actor import ORIGIN
from registry_grpc.observability import Sink, configure_logging

LEVELS = ("debug", "info", "warning", "error")


class Stream(io.BytesIO):
    """Keeps what is written, and counts the writes."""

    writes = 0

    def write(self, data: Any) -> int:
        self.writes += 1
        return super().write(data)


class Log:
    """A configured log and what it has written."""

    def __init__(self) -> None:
        self.bytes = Stream()
        self.stream = io.TextIOWrapper(self.bytes)

    def configure(self, level: str = "debug", format_: str = "json") -> None:
        configure_logging(level, format_, "worker-1", self.stream)

    @property
    def text(self) -> str:
        logger: Any = structlog.get_logger().bind()
        logger._logger.flush()
        return self.bytes.getvalue().decode()

    @property
    def lines(self) -> list[dict[str, Any]]:
        return [orjson.loads(line) for line in self.text.split("\n")[:-1]]


@pytest.fixture
def log() -> Iterator[Log]:
    hooks = sys.excepthook, threading.excepthook, sys.unraisablehook
    root = logging.getLogger()
    before = root.handlers, root.level
    yield Log()
    logging.captureWarnings(capture=False)
    sys.excepthook, threading.excepthook, sys.unraisablehook = hooks
    root.handlers, root.level = before
    structlog.reset_defaults()


def test_a_line_has_its_fields_and_when_and_where_it_was_written(log: Log) -> None:
    log.configure()
    structlog.get_logger().info("process.ready", address="a", duration_ms=1.5, path=Path("/a"), some=("b", 1))
    (line,) = log.lines
    assert abs(datetime.now(UTC) - datetime.fromisoformat(line.pop("timestamp"))) < timedelta(minutes=1)
    told = {"address": "a", "duration_ms": 1.5, "path": "/a", "some": ["b", 1]}
    assert line == {"event": "process.ready", "level": "info", "process": "worker-1", **told}


@pytest.mark.parametrize(("level", "written"), [("debug", 4), ("info", 3), ("warning", 2), ("error", 1)])
def test_lines_below_the_level_are_not_written(log: Log, level: str, written: int) -> None:
    log.configure(level)
    logger = structlog.get_logger()
    for write in (logger.debug, logger.info, logger.warning, logger.error):
        write("event")
    assert [line["level"] for line in log.lines] == list(LEVELS[-written:])
    numbers = (logging.DEBUG, logging.INFO, logging.WARNING, logging.ERROR)
    assert [logger.is_enabled_for(number) for number in numbers] == [False] * (4 - written) + [True] * written


def test_a_terminal_gets_readable_lines_and_anything_else_json(log: Log, monkeypatch: pytest.MonkeyPatch) -> None:
    assert configure_logging("info", "auto", "p", log.stream)
    monkeypatch.setattr(log.stream, "isatty", lambda: True)
    assert configure_logging("info", "json", "p", log.stream)
    assert not configure_logging("info", "auto", "p", log.stream)
    assert not configure_logging("info", "text", "p", log.stream)


def test_a_readable_line(log: Log) -> None:
    log.configure(format_="text")
    fields = {"name": "iris", "message": "it is back", "reason": "", "count": 2}
    structlog.get_logger().warning("deployment.phase_changed", **fields)
    written_at, text = log.text.split(" ", 1)
    assert re.fullmatch(r"\d\d:\d\d:\d\d\.\d{3}", written_at)
    assert text == 'WARNING worker-1   deployment.phase_changed name=iris message="it is back" count=2\n'


FORGED = '\r\n12:00:00.000 ERROR   worker-1   forged\n{"event":"forged"}\x1b[2J\x9b2J\u202e\u2028'


@pytest.mark.parametrize("format_", ["json", "text"])
def test_texts_of_others_cannot_forge_lines(log: Log, format_: str) -> None:
    log.configure(format_=format_)
    structlog.get_logger().info("event", message=FORGED)
    structlog.get_logger().error("rpc.failed", exc_info=ValueError(FORGED))
    logging.getLogger("aiohttp").warning("%s", FORGED)
    if format_ == "json":
        first, second, third = log.lines
        assert first["message"] == third["text"] == FORGED
        assert FORGED.rstrip() in second["exception"]
    else:
        ours = [line for line in log.text.split("\n")[:-1] if not line.startswith("    ")]
        assert len(ours) == 3
        assert log.text.replace("\n", "").isprintable()


def test_what_json_does_not_have_is_written_nevertheless(log: Log) -> None:
    log.configure()
    structlog.get_logger().info("event", lone="\ud800", huge=2**70)
    (line,) = log.lines
    assert line["huge"] == 2**70


@pytest.mark.parametrize("format_", ["json", "text"])
def test_no_line_has_a_secret(log: Log, format_: str) -> None:
    log.configure(format_=format_)
    secret = "s3cr3t-s3cr3t"
    url = f"postgresql://registry:{secret}@db/registry"
    structlog.get_logger().error("event", text=url, nested={"urls": [url]}, exc_info=ValueError(url))
    logging.getLogger("asyncpg").error("password=%s", secret)
    assert log.text.count("[hidden]") == 4
    assert secret not in log.text


def test_a_long_text_is_cut(log: Log) -> None:
    log.configure()
    structlog.get_logger().info("event", message="x" * 1_000_000)
    assert len(log.text) < 20_000


def test_lines_of_a_call_have_its_ids(log: Log) -> None:
    log.configure()
    token = ORIGIN.set(Call(method="m", request_id="r-1").origin)
    try:
        with structlog.contextvars.bound_contextvars(trace_id="0af7651916cd43dd8448eb211c80319c"):
            structlog.get_logger().info("inside")
    finally:
        ORIGIN.reset(token)
    structlog.get_logger().info("outside")
    inside, outside = log.lines
    assert (inside["request_id"], inside["trace_id"]) == ("r-1", "0af7651916cd43dd8448eb211c80319c")
    assert not {"request_id", "trace_id"} & outside.keys()


# --- libraries, and what nobody has caught -------------------------------------------------------------------------


def test_the_traceback_of_an_unexpected_error_is_logged(log: Log) -> None:
    log.configure("error")
    try:
        int("nothing")
    except ValueError:
        structlog.get_logger().exception("rpc.failed", method="x")
    (line,) = log.lines
    assert (line["level"], line["event"], line["method"]) == ("error", "rpc.failed", "x")
    assert line["exception"].startswith("Traceback")
    assert line["exception"].endswith("ValueError: invalid literal for int() with base 10: 'nothing'")


def test_logs_of_libraries_are_lines_without_data_of_clients(log: Log) -> None:
    log.configure("info")
    logger = logging.getLogger("grpc._cython.cygrpc")
    try:
        b"secret\xff".decode()
    except UnicodeDecodeError:
        logger.exception("Invalid encoding on %s", b"secret\xff")
    logger.warning("Goodbye")
    logger.info("not of interest")
    error, warning = log.lines
    assert (error["level"], error["event"], error["text"]) == ("error", "library.logged", "Invalid encoding on 7 bytes")
    assert error["logger"] == "grpc._cython.cygrpc"
    assert error["exception"].startswith("Traceback")
    assert (warning["level"], warning["event"], warning["text"]) == ("warning", "library.logged", "Goodbye")


def test_libraries_say_more_at_debug_but_not_what_they_send(log: Log) -> None:
    log.configure("debug")
    logging.getLogger("kubernetes").info("connected")
    logging.getLogger("kubernetes").debug("response body: a secret")
    assert [(line["level"], line["text"]) for line in log.lines] == [("info", "connected")]


def test_what_nobody_has_caught_is_a_line(log: Log) -> None:
    """Of the process, a thread, a finalizer and a warning."""
    log.configure()
    error = ValueError("oh")
    sys.excepthook(ValueError, error, None)
    thread = threading.Thread(target=int, args=("nothing",), name="t")
    thread.start()
    thread.join()

    class Careless:
        def __del__(self) -> None:
            raise error

    Careless()
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        logging.captureWarnings(capture=False)
        logging.captureWarnings(capture=True)  # catch_warnings has put back the function of the tests
        warnings.warn("careful", stacklevel=1)
    assert [line["event"] for line in log.lines] == [
        "process.crashed",
        "thread.crashed",
        "error.ignored",
        "library.logged",
    ]
    assert all("ValueError" in line["exception"] for line in log.lines[:3])
    assert (log.lines[1]["thread"], log.lines[3]["logger"]) == ("t", "py.warnings")
    assert "careful" in log.lines[3]["text"]


def test_an_abandoned_task_is_a_line(log: Log) -> None:
    log.configure()

    async def fail() -> None:
        raise ValueError("oh")

    async def main() -> None:
        task = asyncio.create_task(fail())
        await asyncio.wait([task])

    asyncio.run(main())
    (line,) = log.lines
    assert (line["event"], line["logger"]) == ("library.logged", "asyncio")
    assert line["text"].startswith("Task exception was never retrieved")
    assert "ValueError: oh" in line["exception"]


def test_the_last_line_of_a_process_is_written(tmp_path: Path) -> None:
    program = """
from registry_grpc.observability import configure_logging
import structlog
configure_logging("info", "auto", "p")
structlog.get_logger().info("process.stopping")
raise ValueError("oh")
"""
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, cwd=tmp_path, check=False)
    lines = [orjson.loads(line) for line in ended.stderr.splitlines()]
    assert [line["event"] for line in lines] == ["process.stopping", "process.crashed"]
    assert (ended.returncode, ended.stdout) == (1, b"")


# --- many lines ----------------------------------------------------------------------------------------------------


def test_of_many_equal_lines_one_is_written_with_the_number_of_the_others(
    log: Log, monkeypatch: pytest.MonkeyPatch
) -> None:
    log.configure()
    now = 1000.0
    monkeypatch.setattr(time, "monotonic", lambda: now)
    for _ in range(3):
        structlog.get_logger().warning("rpc.unavailable", reason="A")
    structlog.get_logger().warning("rpc.unavailable", reason="B")
    now += 10
    structlog.get_logger().warning("rpc.unavailable", reason="A")
    assert [(line["reason"], line.get("others")) for line in log.lines] == [("A", None), ("B", None), ("A", 2)]


class Stuck(Stream):
    """A stream whose reader has stopped to read."""

    def __init__(self) -> None:
        super().__init__()
        self.reads = threading.Event()

    def write(self, data: Any) -> int:
        self.reads.wait()
        return super().write(data)


def test_a_reader_that_is_stuck_delays_nobody_and_is_told_what_it_has_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(observability, "_MOST_WAITING", 3)
    stream = Stuck()
    sink = Sink(stream, observability._as_json, "p")
    for number in range(10):
        sink.write("info", "event", {"number": number})
    stream.reads.set()
    sink.flush()
    *first, last = [orjson.loads(line) for line in stream.getvalue().splitlines()]
    assert [line["number"] for line in first] == list(range(len(first)))
    assert (last["event"], last["lines"]) == ("log.lost", 10 - len(first))


class Full(io.BytesIO):
    """A file on a full disk."""

    def write(self, _data: object) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")


def test_a_full_disk_fails_nobody() -> None:
    sink = Sink(Full(), observability._as_json, "p")
    sink.write("info", "event", {})
    sink.flush()
    sink.write("error", "event", {})
    sink.flush()
