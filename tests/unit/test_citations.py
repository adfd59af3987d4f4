"""Every citation leads somewhere: to a part of docs/contract, to a file, to a heading, to a test that exists."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from registry_grpc.shipped import PROJECT_ROOT

_CITING = ("README.md", "Makefile", "deploy", "docs", "gateway", "migrations", "proto", "scripts", "src", "tests")
_TESTS = PROJECT_ROOT / "tests"
_CITED = (PROJECT_ROOT, PROJECT_ROOT / "src" / "registry_grpc", _TESTS, _TESTS / "integration")
_SUFFIXES = {"", ".lua", ".md", ".proto", ".py", ".sql", ".yaml"}

_ITEMS = r"\d+(?:\.\d+)?(?:(?:, | and | to |-)\d+(?:\.\d+)?)*"
_LISTS = {
    "part": rf"contract,? [Pp]arts? ({_ITEMS})",
    "route": rf"contract,? routes? ({_ITEMS})",
    "section": rf"contract,? (?:sections? )?\(?(\d\.{_ITEMS})",
    "decision": rf"\bdecisions? ({_ITEMS})",
}
_FOLDERS = (
    "adapters|deploy|docs|domain|e2e|examples|gateway|integration|migrations|ports|proto|scripts|services|src|tests"
)
_PATH = re.compile(rf"(?<![\w./-])(?:{_FOLDERS})(?:/[\w.-]+)*/[\w-]+\.(?:lua|md|proto|py|sql|svg|yaml)\b")
_TEST = re.compile(r"\b((?:[\w-]+/)*\w+)(?:\.py)?::(test_\w+)")
_LINK = re.compile(r"\]\((?!https?:)([^)#\s]*)(?:#([^)\s]+))?\)")
_ELSEWHERE = {
    "numbered table": r"\b[Rr]ows? \d+\b",
    "design document": r"\bdesign: |the design's",
    "issue": r"\bissues? #?\d+",
    "folder of the authors": r"/work/|\.\./shared",
}
_SHORT = {"compat": "test_rest_compat"}


@cache
def texts() -> list[tuple[Path, str]]:
    roots = [PROJECT_ROOT / name for name in _CITING]
    paths = [path for root in roots for path in (sorted(root.rglob("*")) if root.is_dir() else [root])]
    return [
        (path, path.read_text(encoding="utf-8"))
        for path in paths
        if path.suffix in _SUFFIXES and path.is_file() and "__pycache__" not in path.parts
    ]


def cited() -> dict[str, set[str]]:
    """What there is to cite."""
    contract = (PROJECT_ROOT / "docs" / "contract" / "rest.md").read_text(encoding="utf-8")
    decisions = (PROJECT_ROOT / "docs" / "contract" / "decisions.md").read_text(encoding="utf-8")
    headings = "\n".join(re.findall(r"^### .+", contract, flags=re.MULTILINE))
    return {
        "part": set(re.findall(r"^# Part (\d)\.", contract, flags=re.MULTILINE)),
        "section": set(re.findall(r"^## (\d\.\d+) ", contract, flags=re.MULTILINE)),
        "route": set(re.findall(r"\b(\d+)\. [A-Z]+ /", headings)),
        "quirk": set(re.findall(r"^\| (Q\d+) \|", contract, flags=re.MULTILINE)),
        "decision": set(re.findall(r"^(\d+)\. ", decisions, flags=re.MULTILINE)),
        "AIP": {aip for _, text in texts() for aip in re.findall(r"https://google\.aip\.dev/(\d+)", text)},
    }


def citations(text: str) -> Iterator[tuple[str, str]]:
    """Kind and number of what a text cites, wrapped lines and the marks of comments left out of account."""
    text = re.sub(r"\n\s*(?:#|//|--)?\s*", " ", text)
    for kind, pattern in _LISTS.items():
        for items in re.findall(pattern, text):
            yield from ((kind, item) for item in re.findall(r"[\d.]*\d", items))
    yield from (("quirk", quirk) for quirk in re.findall(r"\bQ\d+\b", text))
    yield from (("AIP", aip) for aip in re.findall(r"\bAIP-(\d+)", text))


def slug(heading: str) -> str:
    """The anchor that GitHub gives a heading."""
    return re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-")


def dead_links(path: Path, text: str) -> Iterator[str]:
    for target, anchor in _LINK.findall(text):
        file = path.parent / target if target else path
        if not file.exists():
            yield target
        elif anchor and anchor not in map(slug, re.findall(r"^#+ (.+)", file.read_text("utf-8"), flags=re.MULTILINE)):
            yield f"{target}#{anchor}"


def dead_tests(text: str) -> Iterator[str]:
    for file, name in _TEST.findall(text):
        stem = _SHORT.get(file, file).split("/")[-1]
        if not any(f"def {name}(" in found.read_text("utf-8") for found in _TESTS.rglob(f"{stem}.py")):
            yield f"{file}::{name}"


@pytest.mark.slow
def test_cited_numbers_exist_in_the_contract_and_the_decisions() -> None:
    there = cited()
    assert [
        f"{path}: {kind} {item}" for path, text in texts() for kind, item in citations(text) if item not in there[kind]
    ] == []


@pytest.mark.slow
@pytest.mark.parametrize("kind", _ELSEWHERE)
def test_nothing_is_cited_that_is_not_in_the_repository(kind: str) -> None:
    assert [
        f"{path}: {found}"
        for path, text in texts()
        if path != Path(__file__)
        for found in re.findall(_ELSEWHERE[kind], text)
    ] == []


def test_named_files_exist() -> None:
    assert [
        f"{path}: {name}"
        for path, text in texts()
        for name in _PATH.findall(text)
        if not any((root / name).exists() for root in _CITED)
    ] == []


def test_links_of_the_documentation_lead_to_a_heading() -> None:
    assert [
        f"{path}: {dead}" for path, text in texts() if path.suffix == ".md" for dead in dead_links(path, text)
    ] == []


def test_tests_that_the_documentation_names_exist() -> None:
    assert [f"{path}: {dead}" for path, text in texts() if path.suffix == ".md" for dead in dead_tests(text)] == []
