"""The protos follow the AIPs as api-linter checks them, but for rules that api-linter.yaml gives up with a reason."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from importlib.resources import files
from pathlib import Path

import pytest
import yaml

pytestmark = [pytest.mark.golang, pytest.mark.timeout(600)]  # the first run compiles the linter

ROOT = Path(__file__).resolve().parents[2]
CONFIG = ROOT / "api-linter.yaml"
MODULE = Path(__file__).parent / "api_linter"
TOOL = "github.com/googleapis/api-linter/v2/cmd/api-linter"


@pytest.fixture(scope="module")
def linter() -> Path:
    """The linter, compiled once per machine and version. The module proxy needs a module to find it by."""
    [version] = re.findall(r"api-linter/v2 (v\S+)", (MODULE / "go.mod").read_text())
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "registry-grpc"
    tool = cache / f"api-linter-{version}"
    if not tool.exists():
        if shutil.which("go") is None:
            pytest.skip("needs the Go toolchain")
        subprocess.run(["go", "build", "-trimpath", "-o", str(tool), TOOL], cwd=MODULE, check=True)
    return tool


def found(linter: Path, *options: str) -> dict[str, list[str]]:
    """The places of the problems by rule."""
    protos = ROOT / "proto"
    names = [str(path.relative_to(protos)) for path in sorted(protos.rglob("*.proto"))]
    folders = [protos, ROOT / "third_party" / "proto", files("grpc_tools") / "_proto"]
    command = [str(linter), *(f"-I{folder}" for folder in folders), "--output-format", "json", *options, *names]
    done = subprocess.run(command, cwd=protos, capture_output=True, text=True, check=True)
    rules: dict[str, list[str]] = {}
    for file in json.loads(done.stdout):
        for problem in file["problems"]:
            line = problem["location"]["start_position"]["line_number"]
            rules.setdefault(problem["rule_id"], []).append(f"{file['file_path']}:{line}: {problem['message']}")
    return rules


def test_the_protos_follow_the_rules(linter: Path) -> None:
    assert found(linter, "--config", str(CONFIG)) == {}


def test_each_rule_that_is_given_up_finds_something(linter: Path) -> None:
    [config] = yaml.safe_load(CONFIG.read_text())

    assert set(config["disabled_rules"]) == found(linter).keys()


def test_each_group_of_rules_has_a_whole_sentence_as_its_reason() -> None:
    groups = re.findall(r"((?:^    # .*\n)+)((?:^    - .*\n)+)", CONFIG.read_text(), re.MULTILINE)
    assert sum(rules.count("- core::") for _, rules in groups) == CONFIG.read_text().count("- core::")
    for reason, _ in groups:
        text = re.sub(r"\s*# ", " ", reason).strip()
        assert text[0].isupper()
        assert text.endswith(".")
        assert len(text.split()) > 8
