"""What a worker does besides its calls."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest
from structlog.testing import capture_logs

from registry_grpc.server import work_beside
from registry_grpc.services import leading


async def test_a_part_that_fails_is_reported_and_begins_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(leading, "_AFTER_FAULT_SECONDS", 0.001)
    begun, again = list[int](), asyncio.Event()

    async def part() -> None:
        begun.append(1)
        if len(begun) == 1:
            raise ValueError("a fault of the code")
        again.set()
        await asyncio.Event().wait()

    app: Any = SimpleNamespace(beside=[part], database=SimpleNamespace(measure=lambda: None), lookups={})
    with capture_logs() as lines:
        running = work_beside(app)
        async with asyncio.timeout(5):
            await again.wait()
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)
    told = [(line["where"], str(line["exc_info"])) for line in lines if line["event"] == "background.failed"]
    assert told == [("beside", "a fault of the code")]
