"""The supervisor continues after it could not start a process."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from registry_grpc import supervisor
from registry_grpc.supervisor import ProcessSpec, Supervisor


def ended(lines: Iterable[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """What others log meanwhile, such as the garbage of an earlier test, is left out."""
    return [line for line in lines if line["event"] == "process.ended"]


async def test_a_failed_launch_is_repeated(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(supervisor, "_FIRST_BACKOFF_SECONDS", 0.01)
    python, missing = sys.executable, tmp_path / "python"
    monkeypatch.setattr(sys, "executable", str(missing))
    running = Supervisor([ProcessSpec(name="one", module="platform", arguments=())], grace_seconds=1)
    with capture_logs() as lines:
        await running.start()
        try:
            async with asyncio.timeout(30):
                while not ended(lines):  # noqa: ASYNC110
                    await asyncio.sleep(0.01)
                missing.symlink_to(python)
                while ended(lines)[-1]["code"] != 0:  # noqa: ASYNC110
                    await asyncio.sleep(0.01)
        finally:
            await running.stop()
    assert {line["name"] for line in ended(lines)} == {"one"}
    assert str(missing) in ended(lines)[0]["code"]
