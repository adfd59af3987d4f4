"""Fixtures of the command's tests: the real service behind its gateway, with the simulated cluster."""

from __future__ import annotations

import uuid
from pathlib import Path

import pytest
from tests.cli.runner import Registry
from tests.e2e.conftest import pytest_configure, pytest_sessionfinish, simulated_stack
from tests.e2e.stack import Addresses

from registry_client import config

__all__ = ["pytest_configure", "pytest_sessionfinish", "simulated_stack"]


@pytest.fixture(autouse=True)
def _nothing_of_this_machine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Neither variables nor the file of the developer count."""
    for variable in (*config.VARIABLES.values(), config.CONTEXT_VARIABLE):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))


@pytest.fixture
def registry(simulated_stack: Addresses) -> Registry:
    """The command in a new project."""
    return Registry(
        {"REGISTRY_URL": simulated_stack.base_url, "REGISTRY_PROJECT": str(uuid.uuid4()), "REGISTRY_USER": "ann"}
    )


@pytest.fixture
def offline() -> Registry:
    """The command, with nothing to call."""
    return Registry({"REGISTRY_URL": "http://127.0.0.1:9", "REGISTRY_PROJECT": str(uuid.uuid4())})
