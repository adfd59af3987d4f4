"""Fixtures of the client's tests: a fake registry, and a client of it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.client.fake_registry import PROJECT, FakeRegistry

from registry_client import Client, calls, config


@pytest.fixture(autouse=True)
def _nothing_of_this_machine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Neither variables nor the file of the developer count, and nobody waits for long before a retry."""
    for variable in (*config.VARIABLES.values(), config.CONTEXT_VARIABLE):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setattr(calls, "_FIRST_DELAY_SECONDS", 0.01)


@pytest.fixture
def registry() -> Iterator[FakeRegistry]:
    fake = FakeRegistry()
    fake.start()
    yield fake
    fake.stop()


@pytest.fixture
def client(registry: FakeRegistry) -> Iterator[Client]:
    with Client(registry.url, project=PROJECT, user="ann", timeout=20) as client:
        yield client
