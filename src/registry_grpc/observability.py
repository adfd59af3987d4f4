"""Logs: one JSON line an event."""

from __future__ import annotations

import asyncio
import atexit
import logging
import sys
from typing import BinaryIO, TextIO

import orjson
import structlog

_LEVELS = {"debug": logging.DEBUG, "info": logging.INFO, "warning": logging.WARNING, "error": logging.ERROR}
_FLUSH_SECONDS = 0.1


def configure_logging(level: str, format_: str, stream: TextIO) -> None:
    """To the stream, JSON for machines, text for people. Of libraries, warnings and above, to stderr."""
    logging.basicConfig(stream=sys.stderr, level=logging.WARNING)
    shared: list[structlog.typing.Processor] = [
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
    ]
    if format_ == "json":
        output = LogOutput(stream.buffer)
        atexit.register(output.flush)
        structlog.configure(
            processors=[*shared, structlog.processors.JSONRenderer(serializer=orjson.dumps)],
            wrapper_class=structlog.make_filtering_bound_logger(_LEVELS[level]),
            logger_factory=lambda *_name: output,
            cache_logger_on_first_use=True,
        )
    else:
        structlog.configure(
            processors=[*shared, structlog.dev.ConsoleRenderer(colors=stream.isatty())],
            wrapper_class=structlog.make_filtering_bound_logger(_LEVELS[level]),
            logger_factory=structlog.PrintLoggerFactory(stream),
            cache_logger_on_first_use=True,
        )


class LogOutput:
    """Where structlog's lines go. Those of ordinary events are written within 0.1 s, many at once, because a write for
    each request costs as much as a statement; a warning or worse is written at once, with all that came before it."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self._lines: list[bytes] = []

    def info(self, line: bytes) -> None:
        if not self._lines:
            try:
                asyncio.get_running_loop().call_later(_FLUSH_SECONDS, self.flush)
            except RuntimeError:  # no loop: nobody would come back to write it
                self.warning(line)
                return
        self._lines.append(line)

    def warning(self, line: bytes) -> None:
        self._lines.append(line)
        self.flush()

    debug = info
    error = critical = warning

    def flush(self) -> None:
        lines, self._lines = self._lines, []
        if lines:
            self._stream.write(b"\n".join((*lines, b"")))
            self._stream.flush()
