"""The guide: its pipeline runs as it is written, and its reference is up to date."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
from tests.cli.runner import Registry, process_environment

pytestmark = pytest.mark.slow

ROOT = Path(__file__).resolve().parents[2]
GUIDE = (ROOT / "docs" / "cli.md").read_text()


@pytest.mark.timeout(240)
def test_the_pipeline_can_be_repeated(registry: Registry, tmp_path: Path) -> None:
    (script,) = re.findall(r"test_documented.py runs it. -->\n```sh\n(.*?)```", GUIDE, re.DOTALL)
    registry("environments", "create", "default")
    program = tmp_path / "registry"
    program.write_text(f'#!/bin/sh\nexec {sys.executable} -m registry_cli "$@"\n')
    program.chmod(0o755)
    job = {"MODEL": "iris", "BUILD": "b17", "ACCURACY": "0.97", "PLACE": "default", "JOB": "4711"}
    environment = process_environment({**registry.environment, **job, "PATH": f"{tmp_path}:/usr/bin:/bin"})
    for _ in range(2):
        done = subprocess.run(
            ["sh", "-c", script], capture_output=True, text=True, env=environment, cwd=tmp_path, check=False
        )
        assert done.returncode == 0, done.stderr
    assert json.loads((tmp_path / "deployment.json").read_text())["phase"] == "DEPLOYMENT_PHASE_DEPLOYED"
    assert [each["number"] for each in registry.json("versions", "list", "iris")] == ["1"]
    assert registry.json("versions", "get", "iris@champion")["name"] == "b17"


def test_the_reference_is_up_to_date() -> None:
    check = [sys.executable, str(ROOT / "scripts" / "cli_reference.py"), "--check"]
    done = subprocess.run(check, capture_output=True, text=True, env=process_environment({}), check=False)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("command", sorted(set(re.findall(r"^registry ([a-z-]+(?: [a-z-]+)?)", GUIDE, re.MULTILINE))))
def test_each_documented_command_exists(offline: Registry, command: str) -> None:
    words = command.split()
    first = offline(words[0], "--help")
    assert first.status == 0, first.err
    if "COMMAND" in first.out.splitlines()[0]:
        assert offline(*words, "--help").status == 0
