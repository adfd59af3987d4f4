"""The snippets of docs/python.md, which a newcomer pastes one after the other into a notebook."""

from __future__ import annotations

import re
import uuid
from pathlib import Path
from typing import Any

import pytest
from tests.e2e.builders import fresh
from tests.e2e.stack import Addresses

from registry_client import config

GUIDE = (Path(__file__).parents[2] / "docs" / "python.md").read_text(encoding="utf-8")
# Of the guide, which a newcomer has for himself.
PROJECT, URL = "11111111-1111-1111-1111-111111111111", "http://127.0.0.1:8080"


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.+?)^```$", GUIDE, flags=re.MULTILINE | re.DOTALL)


@pytest.mark.slow
def test_every_snippet_works(simulated_stack: Addresses, capsys: pytest.CaptureFixture[str]) -> None:
    project, environment = str(uuid.uuid4()), fresh("prod")
    snippets = blocks("python")
    assert len(snippets) == GUIDE.count("```python") > 8
    names: dict[str, Any] = {"__name__": "guide"}
    for number, snippet in enumerate(snippets):
        code = (
            snippet.replace(PROJECT, project)
            .replace(URL, simulated_stack.base_url)
            .replace('"prod"', f'"{environment}"')
        )
        exec(compile(code, f"snippet {number} of docs/python.md", "exec"), names)
    printed = capsys.readouterr().out
    for line in ("MODEL_LOAD", "REGISTERED_MODEL_NAME_TAKEN", "iris 1", "False ["):
        assert line in printed


def test_the_file_of_contexts_is_as_described(tmp_path: Path) -> None:
    (text,) = blocks("yaml")
    (tmp_path / "config.yaml").write_text(text)
    assert set(config.load(tmp_path / "config.yaml").contexts) == {"staging", "local"}


def test_every_variable_and_argument_is_described() -> None:
    rows = " ".join(re.findall(r"^\| `.+$", GUIDE, flags=re.MULTILINE))
    for name in (*config.VARIABLES.values(), config.CONTEXT_VARIABLE, *config.NAMES, "context"):
        assert f"`{name}`" in rows
