"""The cases cover every statement of the adapters and every method of the repositories.

Statements that are composed, above all those of lists, are searched piece by piece. This does not check that there are
cases for all filters and orders.
"""

from __future__ import annotations

import ast
import inspect
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from types import CodeType, FrameType
from typing import Any

import pytest
from tests.integration.query_plans.loaded import Loaded
from tests.integration.query_plans.test_plans import CASES

from registry_grpc.adapters import postgres

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1200), pytest.mark.xdist_group("plans")]

_OF_THE_SCHEMA = {"adoption.py", "audit_check.py", "migrate.py", "sessions.py"}
_SOURCES = [path for path in Path(postgres.__path__[0]).glob("*.py") if path.name not in _OF_THE_SCHEMA]
_WITHOUT_ROWS = {"wake_ups", "listen", "stop_listening", "changes"}
"""These statements LISTEN, which has no plan."""
_SQL = re.compile(r"\s*(SELECT|INSERT INTO|UPDATE|DELETE FROM|WITH)\s+[^\d\s]")
_AFTER_A_FAULT = re.escape("WHERE lease_by = $1")
"""Gives back the leases of a claim that was cancelled after its commit. This is rare, so it may read every row."""
_GAP = re.compile(r"\\\{\w*\\\}")


def statements_in(source: str) -> Iterator[str]:
    """A pattern for each string in the source that begins like a statement. Anything may fill its gaps."""
    tree = ast.parse(source)
    of_f_strings = {id(part) for node in ast.walk(tree) if isinstance(node, ast.JoinedStr) for part in node.values}
    for node in ast.walk(tree):
        text = ""
        if isinstance(node, ast.JoinedStr):
            text = "".join(str(part.value) if isinstance(part, ast.Constant) else "{}" for part in node.values)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in of_f_strings:
            text = node.value
        if _SQL.match(text):
            yield _GAP.sub(".*?", re.escape(text.strip()))


async def test_every_statement_has_a_case(full_databases: dict[str, str]) -> None:
    called: set[CodeType] = set()

    def note(frame: FrameType, _event: str, _argument: Any) -> None:
        called.add(frame.f_code)

    loaded = Loaded.at(next(iter(full_databases.values())))
    sys.setprofile(note)
    try:
        ran = {plan.statement for case in CASES.values() for plan in await loaded.plans_of(case)}
    finally:
        sys.setprofile(None)
    await loaded.database.close()

    wanted = [pattern for path in _SOURCES for pattern in statements_in(path.read_text(encoding="utf-8"))]
    assert len(wanted) > 60
    missing = [pattern for pattern in wanted if not any(re.search(pattern, text, re.DOTALL) for text in ran)]
    assert [pattern for pattern in missing if not pattern.endswith(_AFTER_A_FAULT)] == []

    repositories = [type(getattr(loaded, name)) for name in Loaded.__slots__ if name != "database"]
    methods = [
        method
        for repository in repositories
        for name, method in inspect.getmembers(repository, inspect.isfunction)
        if not name.startswith("_") and name not in _WITHOUT_ROWS
    ]
    assert [m.__qualname__ for m in methods if inspect.unwrap(m).__code__ not in called] == []
