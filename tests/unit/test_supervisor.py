"""The supervisor continues after it could not start a process."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from registry_grpc import supervisor
from registry_grpc.supervisor import ProcessSpec, Supervisor


async def test_a_failed_launch_is_repeated(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(supervisor, "_FIRST_BACKOFF_SECONDS", 0.01)
    log = tmp_path / "not yet" / "log"
    running = Supervisor([ProcessSpec(name="one", module="platform", arguments=(), log=log)], grace_seconds=1)
    await running.start()
    try:
        await asyncio.sleep(0.05)
        log.parent.mkdir()
        async with asyncio.timeout(30):
            while not (log.exists() and log.read_bytes()):  # noqa: ASYNC110
                await asyncio.sleep(0.01)
    finally:
        await running.stop()
