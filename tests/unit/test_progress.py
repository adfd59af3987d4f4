"""Long commands tell how far they are; short ones say nothing."""

from __future__ import annotations

import io

from registry_grpc.progress import Progress


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def told(output: io.StringIO, *calls: tuple[float, str, int, int | None]) -> str:
    """What is written, for calls at these seconds."""
    now = 0.0
    with Progress(output, lambda: now) as progress:
        for now, what, done, total in calls:  # noqa: B007 - the clock reads it
            progress.tell(what, done, total)
    return output.getvalue()


def test_without_a_terminal_there_is_a_line_every_ten_seconds() -> None:
    calls = [(float(second), "versions", second * 10, 1000) for second in range(26)]
    assert told(io.StringIO(), *calls) == (
        "versions: 100 of 1000, about 1 min 30 s left\nversions: 200 of 1000, about 1 min 20 s left\n"
    )


def test_what_is_soon_done_says_nothing() -> None:
    for output in (io.StringIO(), Terminal()):
        assert told(output, (0.0, "versions", 0, 10), (0.4, "versions", 10, 10)) == ""


def test_on_a_terminal_one_line_is_written_again_and_removed() -> None:
    calls = [(0.0, "lines", 0, None), (0.6, "lines", 5, None), (0.7, "lines", 6, None), (1.2, "lines", 9, None)]
    assert told(Terminal(), *calls) == "\r\x1b[Klines: 5\r\x1b[Klines: 9\r\x1b[K"


def test_the_remaining_time_counts_from_the_beginning_of_the_work() -> None:
    """Also if a part of it was done before, or if it is not known yet."""
    calls = [(0.0, "a", 0, 10), (20.0, "b", 50, 100), (30.0, "b", 60, 100), (41.0, "c", 0, 5)]
    assert told(io.StringIO(), *calls) == "b: 50 of 100\nb: 60 of 100, about 40 s left\nc: 0 of 5\n"
