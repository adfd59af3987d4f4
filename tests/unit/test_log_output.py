"""When log lines reach their stream."""

from __future__ import annotations

import asyncio
import io

from registry_grpc.observability import LogOutput


class CountingStream(io.BytesIO):
    """Counts how often it is written to."""

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


async def test_a_warning_is_written_at_once_after_what_came_before_it() -> None:
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


async def test_what_waits_is_written_when_the_process_ends() -> None:
    stream = CountingStream()
    output = LogOutput(stream)
    output.info(b"last words")
    output.flush()
    output.flush()
    assert (stream.getvalue(), stream.writes) == (b"last words\n", 1)
