"""docs/logs.md lists the events of the log."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from registry_grpc import observability

ROOT = Path(__file__).parents[2]
LEVELS = {"debug", "info", "warning", "error", "exception"}


def calls(tree: ast.AST) -> Iterator[tuple[str, ast.expr]]:
    """The calls that log, with what they have in place of an event."""
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call) or not node.args:
            continue
        match node.func:
            case ast.Attribute(value=ast.Name(id="_log" | "log"), attr=level) if level in LEVELS:
                yield level, node.args[0]
            case ast.Name(id="write") if isinstance(node.args[0], ast.Constant):
                yield "", node.args[0]
            case ast.Name(id="partial") if isinstance(node.args[0], ast.Name) and node.args[0].id == "write":
                yield "", node.args[1]
            case ast.Attribute(attr="_line"):
                yield "", node.args[1]


def events() -> set[str]:
    found = set()
    for path in (ROOT / "src" / "registry_grpc").rglob("*.py"):
        for _, event in calls(ast.parse(path.read_text())):
            if path.name == "observability.py" and not isinstance(event, ast.Constant):
                continue
            name = ast.literal_eval(event)
            assert re.fullmatch(r"[a-z]+\.[a-z_]+", name), f"{path}:{event.lineno}: {name!r} is no name of an event"
            found.add(name)
    return found


def documented() -> dict[str, bool]:
    """The events in the table, and whether they have a star."""
    section = (ROOT / "docs" / "logs.md").read_text().partition("## Events")[2].partition("\n## ")[0]
    names = "".join(line.split("|")[1] for line in section.splitlines() if line.startswith("| `"))
    return {name: bool(star) for name, star in re.findall(r"`([a-z_.]+)`(\*?)", names)}


@pytest.mark.slow
def test_all_events_are_documented_and_no_others() -> None:
    assert events() == documented().keys()


def test_those_that_are_written_seldom_have_a_star() -> None:
    assert {name for name, has_star in documented().items() if has_star} == observability._SELDOM.keys()
