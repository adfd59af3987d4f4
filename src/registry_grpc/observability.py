"""Logging: one line of JSON per event."""

from __future__ import annotations

import asyncio
import atexit
import contextlib
import logging
import sys
import traceback
from datetime import UTC, datetime
from typing import Any, BinaryIO, TextIO

import orjson
import structlog

_LEVELS = {"debug": logging.DEBUG, "info": logging.INFO, "warning": logging.WARNING, "error": logging.ERROR}
_FLUSH_SECONDS = 0.1


def configure_logging(level: str, format_: str, stream: TextIO) -> None:
    """Log to the stream, as JSON or as text. Warnings and errors of libraries go to stderr, except those of gRPC, which
    clients can provoke and which are written like our own."""
    logging.basicConfig(stream=sys.stderr, level=logging.WARNING)
    grpc = logging.getLogger("grpc")
    grpc.handlers, grpc.propagate = [GrpcLines()], False
    if format_ == "json":
        output = LogOutput(stream.buffer)
        atexit.register(output.flush)
        structlog.configure(
            processors=[],
            wrapper_class=_above(_LEVELS[level]),
            logger_factory=lambda *_name: output,
            cache_logger_on_first_use=True,
        )
    else:
        structlog.configure(
            processors=[
                structlog.processors.add_log_level,
                structlog.processors.TimeStamper(fmt="iso", utc=True),
                structlog.processors.format_exc_info,
                structlog.dev.ConsoleRenderer(colors=stream.isatty()),
            ],
            wrapper_class=structlog.make_filtering_bound_logger(_LEVELS[level]),
            logger_factory=structlog.PrintLoggerFactory(stream),
            cache_logger_on_first_use=True,
        )


class JsonLogger(structlog.BoundLoggerBase):
    """Does the work of structlog's chain of processors in one step, because every request has a line."""

    def debug(self, event: str, **fields: Any) -> None:
        self._logger.debug(_line("debug", event, fields))

    def info(self, event: str, **fields: Any) -> None:
        self._logger.info(_line("info", event, fields))

    def warning(self, event: str, **fields: Any) -> None:
        self._logger.warning(_line("warning", event, fields))

    def error(self, event: str, **fields: Any) -> None:
        self._logger.error(_line("error", event, fields))

    def exception(self, event: str, **fields: Any) -> None:
        """Log an error with the traceback of the exception that is being handled."""
        self.error(event, **fields, exception=traceback.format_exc().rstrip())


def _above(lowest: int) -> type[JsonLogger]:
    """A logger whose methods for levels below the lowest one do nothing."""
    silent = {name: _ignore for name, level in _LEVELS.items() if level < lowest}
    return type("JsonLogger", (JsonLogger,), silent)


def _ignore(_self: JsonLogger, _event: str, **_fields: Any) -> None:
    pass


class GrpcLines(logging.Handler):
    """Writes the log of gRPC itself. Bytes come from a client, so only their number is written."""

    def emit(self, record: logging.LogRecord) -> None:
        if isinstance(record.args, tuple):
            record.args = tuple(f"{len(arg)} bytes" if isinstance(arg, bytes) else arg for arg in record.args)
        fields = {"logger": record.name}
        if record.exc_info:
            fields["exception"] = logging.Formatter().formatException(record.exc_info)
        logger = structlog.get_logger("grpc")
        write = logger.error if record.levelno >= logging.ERROR else logger.warning
        write(record.getMessage(), **fields)


def _line(level: str, event: str, fields: dict[str, Any]) -> bytes:
    fields["event"], fields["level"], fields["timestamp"] = event, level, datetime.now(UTC)
    return orjson.dumps(fields, default=str, option=orjson.OPT_UTC_Z)


class LogOutput:
    """The output of structlog's lines. Lines of ordinary events are written together within 0.1 s, because a write for
    each request costs as much as a statement. Warnings and errors are written at once, after all earlier lines."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self._lines: list[bytes] = []

    def info(self, line: bytes) -> None:
        if not self._lines:
            try:
                asyncio.get_running_loop().call_later(_FLUSH_SECONDS, self.flush)
            except RuntimeError:  # there is no event loop that could write it later
                self.warning(line)
                return
        self._lines.append(line)

    def warning(self, line: bytes) -> None:
        self._lines.append(line)
        self.flush()

    debug = info
    error = warning

    def flush(self) -> None:
        lines, self._lines = self._lines, []
        if lines:
            with contextlib.suppress(OSError):  # a full disk must not make the logged work fail
                self._stream.write(b"\n".join((*lines, b"")))
                self._stream.flush()
