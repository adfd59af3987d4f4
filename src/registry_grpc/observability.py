"""Logging: every line that a process writes, whoever writes it, has one format and goes to stderr.

docs/logs.md lists the events.
"""

from __future__ import annotations

import atexit
import json
import logging
import os
import sys
import threading
import time
import traceback
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any, BinaryIO, TextIO, TypeAlias

import orjson
import structlog

from registry_grpc.domain.actor import ORIGIN
from registry_grpc.domain.redaction import redacted

Line: TypeAlias = dict[str, Any]

_LEVELS = {"debug": logging.DEBUG, "info": logging.INFO, "warning": logging.WARNING, "error": logging.ERROR}
_LONGEST_TEXT = 16_000
_MOST_WAITING = 10_000
_LAST_WORDS_SECONDS = 2.0
_QUIET_SECONDS = 10.0
_SELDOM: Mapping[str, str] = {
    "rpc.unavailable": "reason",
    "background.failed": "where",
    "database.slow_statement": "name",
    "database.statement_refused": "cause",
    "issuer.unreachable": "issuer",
    "watch.list_failed": "path",
    "watch.broken": "path",
    "webhook.failing": "webhook_id",
    "webhook.recovered": "webhook_id",
}
"""Events that may happen thousands of times, with a field. Lines with the same value are written every 10 s at most."""


def configure_logging(level: str, format_: str, process: str, stream: TextIO | None = None) -> bool:
    """Write all lines to the stream, which by default is stderr: our own, those of libraries, and errors that nobody
    has caught. Returns whether they are JSON: `auto` is JSON, except on a terminal."""
    stream = stream or sys.stderr
    is_json = format_ == "json" or (format_ == "auto" and not stream.isatty())
    sink = Sink(stream.buffer, _as_json if is_json else _as_text, process)
    atexit.register(sink.flush)
    structlog.configure(
        processors=[],
        wrapper_class=_above(_LEVELS[level]),
        logger_factory=lambda *_name: sink,
        cache_logger_on_first_use=True,
    )
    # Below INFO, libraries would log what they send and receive, with all secrets.
    of_libraries = logging.INFO if level == "debug" else logging.WARNING
    logging.basicConfig(handlers=[_OfLibraries()], level=of_libraries, force=True)
    logging.captureWarnings(capture=True)
    # The C library of gRPC writes to stderr by itself. What it says is also in the errors that calls raise.
    os.environ.setdefault("GRPC_VERBOSITY", "NONE")
    _take_uncaught_errors()
    return is_json


def _take_uncaught_errors() -> None:
    log = structlog.get_logger()

    def of_process(kind: type[BaseException], error: BaseException, _traceback: object) -> None:
        log.error("process.crashed", error=kind.__name__, exc_info=error)

    def of_thread(caught: threading.ExceptHookArgs) -> None:
        log.error("thread.crashed", thread=caught.thread and caught.thread.name, exc_info=caught.exc_value)

    def ignored(caught: Any) -> None:
        log.error("error.ignored", where=caught.err_msg or repr(caught.object), exc_info=caught.exc_value)

    sys.excepthook, threading.excepthook, sys.unraisablehook = of_process, of_thread, ignored


class _Logger(structlog.BoundLoggerBase):
    """Passes events to the sink without structlog's chain of processors."""

    def debug(self, event: str, **fields: Any) -> None:
        self._logger.write("debug", event, fields)

    def info(self, event: str, **fields: Any) -> None:
        self._logger.write("info", event, fields)

    def warning(self, event: str, **fields: Any) -> None:
        self._logger.write("warning", event, fields)

    def error(self, event: str, **fields: Any) -> None:
        self._logger.write("error", event, fields)

    def exception(self, event: str, **fields: Any) -> None:
        """Log an error with the traceback of the exception that is being handled."""
        self.error(event, exc_info=sys.exc_info()[1], **fields)

    def is_enabled_for(self, level: int) -> bool:
        return level >= self.LOWEST

    LOWEST = logging.DEBUG


def _above(lowest: int) -> type[_Logger]:
    """A logger whose methods for levels below the lowest one do nothing."""
    silent = {name: _ignore for name, level in _LEVELS.items() if level < lowest}
    return type("Logger", (_Logger,), {**silent, "LOWEST": lowest})


def _ignore(_self: _Logger, _event: str, **_fields: Any) -> None:
    pass


class _OfLibraries(logging.Handler):
    """Writes the lines of libraries. Bytes come from a client, so only their number is written."""

    def emit(self, record: logging.LogRecord) -> None:
        if isinstance(record.args, tuple):
            record.args = tuple(f"{len(arg)} bytes" if isinstance(arg, bytes) else arg for arg in record.args)
        fields: Line = {"logger": record.name, "text": record.getMessage()}
        if record.exc_info:
            fields["exc_info"] = record.exc_info[1]
        log = structlog.get_logger()
        known = {logging.ERROR: log.error, logging.WARNING: log.warning, logging.INFO: log.info}
        write = next((write for least, write in known.items() if record.levelno >= least), log.debug)
        write("library.logged", **fields)


class Sink:
    """Makes lines of events, and writes them in a thread of its own, so that a slow reader delays nobody. If too many
    lines wait, further ones are counted instead. A full disk makes nobody fail."""

    def __init__(self, stream: BinaryIO, render: Callable[[Line], str], process: str) -> None:
        self._stream = stream
        self._render = render
        self._process = process
        self._muted: dict[tuple[str, Any], tuple[float, int]] = {}
        self._changed = threading.Condition()
        self._waiting: list[str] = []
        self._lost = 0
        self._is_writing = False
        threading.Thread(target=self._write_forever, name="log", daemon=True).start()

    def write(self, level: str, event: str, fields: Line) -> None:
        if event in _SELDOM and self._is_muted(event, fields):
            return
        line = self._line(level, event, fields)
        with self._changed:
            if len(self._waiting) < _MOST_WAITING:
                self._waiting.append(line)
            else:
                self._lost += 1
            self._changed.notify_all()

    def flush(self) -> None:
        """Wait until all lines are written, but not for ever."""
        with self._changed:
            self._changed.wait_for(lambda: not (self._waiting or self._is_writing), _LAST_WORDS_SECONDS)

    def _line(self, level: str, event: str, fields: Line) -> str:
        error = fields.pop("exc_info", None)
        line = {"timestamp": datetime.now(UTC), "level": level, "event": event, "process": self._process}
        line |= _of_call() | {name: _clean(value) for name, value in fields.items()}
        if isinstance(error, BaseException):
            line["exception"] = redacted("".join(traceback.format_exception(error)).rstrip()[-_LONGEST_TEXT:])
        return self._render(line)

    def _is_muted(self, event: str, fields: Line) -> bool:
        kind, now = (event, fields.get(_SELDOM[event])), time.monotonic()
        written_at, others = self._muted.get(kind, (now - _QUIET_SECONDS, 0))
        if now - written_at < _QUIET_SECONDS:
            self._muted[kind] = written_at, others + 1
            return True
        self._muted[kind] = now, 0
        if others:
            fields["others"] = others
        return False

    def _write_forever(self) -> None:
        while True:
            with self._changed:
                self._is_writing = False
                self._changed.notify_all()
                self._changed.wait_for(lambda: self._waiting)
                lines, self._waiting = self._waiting, []
                lost, self._lost = self._lost, 0
                self._is_writing = True
            if lost:
                lines.append(self._line("warning", "log.lost", {"lines": lost}))
            try:
                self._stream.write("\n".join((*lines, "")).encode(errors="backslashreplace"))
                self._stream.flush()
            except (OSError, ValueError):  # the disk is full, or the stream is closed
                continue


def _of_call() -> Line:
    """The ids of the call that is being handled."""
    origin = ORIGIN.get()
    known = {} if origin is None else {"request_id": _clean(origin().request_id)}
    return known | structlog.contextvars.get_contextvars()


def _clean(value: Any) -> Any:
    """The value as JSON has it, without what looks like a secret."""
    if value is None or isinstance(value, bool | int | float):
        return value
    if isinstance(value, Mapping):
        return {str(name): _clean(each) for name, each in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_clean(each) for each in value]
    return redacted(str(value)[:_LONGEST_TEXT])


def _as_json(line: Line) -> str:
    try:
        return orjson.dumps(line, option=orjson.OPT_UTC_Z).decode()
    except TypeError:  # a lone surrogate, or an integer of more than 64 bits
        return json.dumps(line, default=str, ensure_ascii=False).encode(errors="replace").decode()


def _as_text(line: Line) -> str:
    """A line for people. Texts of others cannot look like a line: those of several lines are quoted or indented."""
    exception = line.pop("exception", "")
    at = line.pop("timestamp").strftime("%H:%M:%S.%f")[:-3]
    head = f"{at} {line.pop('level').upper():7} {line.pop('process'):10} {line.pop('event')}"
    fields = (f" {name}={_shown(value)}" for name, value in line.items() if value is not None and value != "")
    below = (f"\n    {part if part.isprintable() else json.dumps(part)}" for part in exception.splitlines())
    return "".join((head, *fields, *below))


def _shown(value: Any) -> str:
    if isinstance(value, str):
        is_plain = value.isprintable() and not set(value) & set(" \"'=")
        return value if is_plain else json.dumps(value, ensure_ascii=not value.isprintable())
    return json.dumps(value)
