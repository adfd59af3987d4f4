"""What people see on a terminal while something takes long, and what ctrl-C does then."""

from __future__ import annotations

import fcntl
import os
import time
from pathlib import Path

import pytest
from tests.cli.runner import Registry
from tests.cli.terminal import Terminal, on_terminal

pytestmark = [pytest.mark.slow, pytest.mark.timeout(240)]
TOO_MUCH = ("--set", "resources.requests.cpu=64", "--set", "resources.limits.cpu=64")


@pytest.fixture
def iris(registry: Registry) -> Registry:
    """A project with a version to deploy."""
    registry("models", "create", "iris")
    registry("versions", "create", "iris", "v1", "--uri", "s3://models/iris/1", "--framework", "sklearn:1", "--ready")
    registry("environments", "create", "default")
    return registry


def interrupt(terminal: Terminal) -> None:
    began = time.monotonic()
    terminal.press_control_c()
    assert terminal.end() == 130, terminal.text
    assert time.monotonic() - began < 10
    assert "Traceback" not in terminal.text
    assert terminal.shows_cursor


@pytest.mark.parametrize("no_color", ["", "1"])
def test_a_wait_is_one_line_on_a_narrow_terminal_until_it_is_interrupted(iris: Registry, no_color: str) -> None:
    name = f"stuck-{iris.environment['REGISTRY_PROJECT'][:8]}"
    arguments = ("deploy", "iris@1", "default", "--name", name, "--wait", *TOO_MUCH)
    with on_terminal(iris, *arguments, columns=60, more={"NO_COLOR": no_color}) as terminal:
        terminal.until(f"{name} PENDING: 0/1 nodes")
        began = len(terminal.written)
        terminal.until("0:00:0", after=began)
        assert "\n" not in terminal.written
        interrupt(terminal)
    assert max(len(line) for line in terminal.text.replace("^C", "").split("\r")) <= 60
    assert ("\x1b[3" in terminal.written) is not bool(no_color)
    assert iris.json("deployments", "get", name)["phase"] == "DEPLOYMENT_PHASE_PENDING"


def test_a_terminal_that_cannot_redraw_gets_a_line_for_each_event(iris: Registry) -> None:
    arguments = ("deploy", "iris@1", "default", "--wait")
    with on_terminal(iris, *arguments, columns=60, more={"TERM": "dumb"}) as terminal:
        assert terminal.end() == 0
    assert "\x1b" not in terminal.written
    lines = terminal.written.splitlines()
    facts = next(index for index, line in enumerate(lines) if line.startswith("name "))
    assert lines[facts - 1].endswith(" DEPLOYED")
    assert ["phase", "DEPLOYED"] in [line.split() for line in lines[facts:]]
    assert "" not in lines
    assert max(map(len, lines[facts:])) <= 60


@pytest.mark.parametrize(
    "command", [("deployments", "watch", "iris"), ("events", "--follow")], ids=lambda each: " ".join(each[:2])
)
def test_a_watch_that_is_interrupted_ends_at_once(iris: Registry, command: tuple[str, ...]) -> None:
    iris("deploy", "iris@1", "default", "--wait")
    with on_terminal(iris, *command) as terminal:
        terminal.until("\n")
        interrupt(terminal)


def test_an_export_that_nobody_reads_is_interrupted(iris: Registry, tmp_path: Path) -> None:
    (readme := tmp_path / "README.md").write_text("x" * 100_000)
    iris("versions", "update", "iris@1", "--readme", f"@{readme}")
    reading, writing = os.pipe()
    fcntl.fcntl(reading, fcntl.F_SETPIPE_SZ, 4096)
    with on_terminal(iris, "export", stdout=writing) as terminal:
        os.close(writing)
        terminal.until("exported")
        assert os.read(reading, 1)  # its next write waits for ever
        interrupt(terminal)
    os.close(reading)


def test_an_import_that_waits_for_its_file_is_interrupted(iris: Registry) -> None:
    reading, writing = os.pipe()
    with on_terminal(iris, "import", stdin=reading) as terminal:
        os.close(reading)
        terminal.until("imported")
        interrupt(terminal)
    os.close(writing)


def test_export_and_import_leave_only_their_results(iris: Registry, tmp_path: Path) -> None:
    file = str(tmp_path / "iris.ndjson")
    with on_terminal(iris, "export", "--file", file, columns=60) as terminal:
        assert terminal.end() == 0
    assert "exported" in terminal.text
    assert terminal.written.endswith("\x1b[2K")
    assert terminal.shows_cursor
    with on_terminal(iris, "import", "--file", file, columns=60) as terminal:
        assert terminal.end() == 0
    assert terminal.text.splitlines()[-1].split() == ["model_versions", "existing:", "'1'"]
    assert max(len(line) for line in terminal.text.replace("\r", "\n").splitlines()) <= 60


def test_a_command_that_is_interrupted_while_it_starts_is_silent(offline: Registry, tmp_path: Path) -> None:
    (tmp_path / "cyclopts.py").write_text("raise KeyboardInterrupt\n")
    done = Registry({**offline.environment, "PYTHONPATH": str(tmp_path)}).run("models", "list")
    assert (done.status, done.out, done.err) == (130, "", "")
