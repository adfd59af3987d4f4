"""What surrounds the code fits it: commands of make, workflows, and the version, which is that of pyproject.toml."""

from __future__ import annotations

import re
import subprocess
import tomllib
from typing import Any

import pytest
import yaml

from registry_grpc.shipped import PROJECT_ROOT

PROJECT = tomllib.loads((PROJECT_ROOT / "pyproject.toml").read_text())["project"]
VERSION = PROJECT["version"]
MAKEFILE = (PROJECT_ROOT / "Makefile").read_text()
(PACKAGES,) = (found.split() for found in re.findall(r"^PACKAGES := (.*)", MAKEFILE, re.MULTILINE))
TARGETS = set(re.findall(r"^([a-z][a-z-]*):", MAKEFILE, re.MULTILINE))
WORKFLOWS = sorted((PROJECT_ROOT / ".github" / "workflows").glob("*.yml"))


def made_by(text: str) -> set[str]:
    """The targets of all calls of make in a script."""
    calls = re.findall(r"^\s*(?:test .*\$\()?make ([a-z -]+)", text, re.MULTILINE)
    return {word for call in calls for word in call.split() if not word.startswith("-")}


def test_make_alone_lists_all_commands() -> None:
    said = subprocess.run(
        ["make", "--no-print-directory"], cwd=PROJECT_ROOT, capture_output=True, text=True, check=True
    ).stdout
    assert {line.split()[0] for line in said.splitlines()} == TARGETS
    assert all(len(line.split()) > 2 for line in said.splitlines())
    (phony,) = re.findall(r"^\.PHONY: (.*)", MAKEFILE, re.MULTILINE)
    assert set(phony.split()) == TARGETS


def test_make_knows_the_version() -> None:
    command = ["make", "--silent", "version"]
    said = subprocess.run(command, cwd=PROJECT_ROOT, capture_output=True, text=True, check=True)
    assert said.stdout == f"{VERSION}\n"


def test_workflows_call_make_as_a_developer_does() -> None:
    called: set[str] = set()
    for path in WORKFLOWS:
        for job in yaml.safe_load(path.read_text())["jobs"].values():
            for target in job.get("strategy", {}).get("matrix", {}).get("target", ()):
                called.add(target)
            for step in job["steps"]:
                called |= made_by(step.get("run", "").replace("${{ matrix.target }}", ""))
    assert called <= TARGETS
    assert called >= {"check", "test", "test-slow", "test-cluster", "release", "version"}


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)
def test_workflows_name_actions_by_commit_and_may_only_read(path: Any) -> None:
    """A tag of an action can be moved by its owner."""
    used = re.findall(r"uses: (\S+)(.*)", path.read_text())
    assert used
    for action, comment in used:
        assert re.fullmatch(r"[\w-]+/[\w-]+@[0-9a-f]{40}", action)
        assert re.fullmatch(r" # v\d+\.\d+\.\d+", comment)
    assert yaml.safe_load(path.read_text())["permissions"] == {"contents": "read"}


@pytest.mark.parametrize("name", ["README.md", "CONTRIBUTING.md"])
def test_documented_commands_of_make_exist(name: str) -> None:
    text = (PROJECT_ROOT / name).read_text()
    called = made_by(text) | set(re.findall(r"`make ([a-z-]+)", text))
    assert called
    assert called <= TARGETS


def test_everything_names_the_same_version() -> None:
    named = {
        "CHANGELOG.md": r"^## \[(\d.*?)\]",
        "docs/operations.md": r"registry_grpc(?:_stubs)?-([\d.]+)-py3",
        "deploy/kubernetes/registry.yaml": r"image: registry-grpc:(\S+)",
        "deploy/kubernetes/migrate.yaml": r"image: registry-grpc:(\S+)",
    }
    for name, pattern in named.items():
        assert re.findall(pattern, (PROJECT_ROOT / name).read_text(), re.MULTILINE)[0] == VERSION, name
    for package in PACKAGES:
        project = tomllib.loads((PROJECT_ROOT / package / "pyproject.toml").read_text())["project"]
        assert project["version"] == VERSION, package
        assert project["requires-python"] == PROJECT["requires-python"], package
        others = [needed for needed in project["dependencies"] if needed.startswith("registry-grpc")]
        assert all(needed.endswith(f"=={VERSION}") for needed in others), package
    chart = PROJECT_ROOT / "deploy" / "chart" / "Chart.yaml"
    if chart.exists():
        assert str(yaml.safe_load(chart.read_text())["appVersion"]) == VERSION


def test_the_changelog_says_what_comes_next() -> None:
    sections = re.findall(r"^## \[(.*?)\]", (PROJECT_ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)
    assert sections[0] == "Unreleased"


def test_python_versions_agree() -> None:
    """The image has the newest Python that the wheel says it works with."""
    minors = [
        int(found[1])
        for classifier in PROJECT["classifiers"]
        if (found := re.fullmatch(r"Programming Language :: Python :: 3\.(\d+)", classifier))
    ]
    assert PROJECT["requires-python"] == f">=3.{min(minors)}"
    dockerfile = (PROJECT_ROOT / "deploy" / "Dockerfile").read_text()
    assert f"\nARG BASE=docker.io/library/python:3.{max(minors)}-slim\n" in dockerfile
