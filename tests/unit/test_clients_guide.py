"""The code in docs/clients.md is that of the examples, which are built and run. So are its commands."""

from __future__ import annotations

import re
import sys
import tomllib
from pathlib import Path
from typing import Final

import pytest
from tests.examples.builds import BROWSER, JAVA, PYTHON, TYPESCRIPT, Example

ROOT: Final = Path(__file__).resolve().parents[2]
GUIDE: Final = (ROOT / "docs" / "clients.md").read_text(encoding="utf-8")
BLOCKS: Final = re.findall(r"^```(\w+)\n(.+?)^```$", GUIDE, flags=re.MULTILINE | re.DOTALL)
SOURCES: Final = {
    "go": ("examples/go/*.go",),
    "ts": ("examples/typescript/src/*.ts", "examples/browser/src/*.ts"),
    "java": ("examples/java/src/**/*.java",),
    "xml": ("examples/java/pom.xml",),
    "rust": ("examples/rust/src/*.rs",),
}
SNIPPETS: Final = [
    pytest.param(language, snippet, id=f"{language}-{snippet.split(maxsplit=1)[0]}")
    for language, block in BLOCKS
    if language != "sh"
    for snippet in block.split("\n\n")
]


def lines_of(text: str) -> str:
    """Without indentation, which depends on the place."""
    return "\n".join(line.strip() for line in text.strip().splitlines())


@pytest.mark.parametrize(("language", "snippet"), SNIPPETS)
def test_the_code_is_that_of_an_example(language: str, snippet: str) -> None:
    files = [path for pattern in SOURCES[language] for path in ROOT.glob(pattern)]
    assert any(f"\n{lines_of(snippet)}\n" in f"\n{lines_of(path.read_text(encoding='utf-8'))}\n" for path in files)


@pytest.mark.parametrize("example", [TYPESCRIPT, BROWSER, JAVA, PYTHON], ids=lambda example: example.name)
def test_the_commands_are_those_by_which_tests_build_the_example(example: Example) -> None:
    commands = {line for language, block in BLOCKS if language == "sh" for line in block.splitlines()}
    built = [command[-1] if command[0] == "sh" else " ".join(command) for command in example.build]
    told = [
        command
        for command in built
        if not command.startswith(sys.executable) and not re.search("prune|--quiet", command)
    ]
    assert told
    assert set(told) <= commands


def test_the_versions_are_that_of_the_registry() -> None:
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    named = re.findall(
        r"(?:stubs/go[/@]v|registry-grpc-(?:stubs-(?:go-)?|protos-)?|/v|<version>)(\d+\.\d+\.\d+)", GUIDE
    )
    assert named
    assert set(named) == {version}
