"""Fixtures for all tests."""

from __future__ import annotations

import gc
import os
from collections.abc import Generator
from pathlib import Path

import pytest

pytest_plugins = ["tests.postgres", "tests.cluster.clusters"]

# They run the service in other processes, so to trace their own process only makes them slower.
_FROM_OUTSIDE = (Path(__file__).parent / "e2e", Path(__file__).parent / "integration" / "gateway")


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_collection() -> Generator[None, object, object]:
    """What is collected stays for the whole run. To look for garbage in it takes a quarter of the collection's time."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.freeze()
        gc.enable()


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> Generator[None]:
    """With CI=true, pytest's own summary has whole differences, which may be all that CI keeps of the output."""
    yield
    for kind in ("failed", "error"):
        for report in terminalreporter.getreports(kind):
            terminalreporter.write_line(f"{kind}: {report.nodeid}")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if config.pluginmanager.hasplugin("_cov"):
        for item in items:
            if any(item.path.is_relative_to(folder) for folder in _FROM_OUTSIDE):
                item.add_marker("no_cover")


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers() -> int:
    """Tests also wait, for clocks and other processes, so one more than there are cores."""
    return (os.cpu_count() or 1) + 1
