"""Completion in real shells."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest
from tests.cli.runner import Registry, process_environment
from tests.cli.terminal import opened

pytestmark = [pytest.mark.slow, pytest.mark.timeout(180)]

BASH = """
source {script}
complete_line() {{
  COMP_LINE="$1"; COMP_POINT=${{#1}}; COMP_WORDS=($1); [[ $1 == *" " ]] && COMP_WORDS+=("")
  COMP_CWORD=$((${{#COMP_WORDS[@]}} - 1)); COMPREPLY=()
  $(complete -p registry | sed -E 's/.* -F ([^ ]+).*/\\1/') registry
  printf '%s\\n' "${{COMPREPLY[@]}}"
}}
complete_line "{line}"
"""
GUIDE = (Path(__file__).resolve().parents[2] / "docs" / "cli.md").read_text()
FISH = "source {script}; complete --do-complete '{line}'"


@pytest.fixture
def shell(tmp_path: Path) -> dict[str, str]:
    """An environment in which `registry` is a command."""
    program = tmp_path / "bin" / "registry"
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\nexec {sys.executable} -m registry_cli "$@"\n')
    program.chmod(0o755)
    return process_environment({"HOME": str(tmp_path), "PATH": f"{program.parent}:/usr/bin:/bin"})


def completed(shell: str, line: str, environment: dict[str, str], folder: Path) -> list[str]:
    """What the shell offers at the end of the line."""
    script = folder / f"registry.{shell}"
    if not script.exists():
        script.write_text(Registry({})("completion", shell).text)
    program = {"bash": BASH, "fish": FISH}[shell].format(script=script, line=line)
    command = [shell, *(["--norc"] if shell == "bash" else ["--no-config"]), "-c", program]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False, cwd=folder)
    assert done.stderr == ""
    return [offered.split("\t")[0].strip() for offered in done.stdout.splitlines() if offered]


@pytest.mark.parametrize("name", ["bash", "fish"])
def test_shells_complete_commands_options_and_names(
    registry: Registry, shell: dict[str, str], tmp_path: Path, name: str
) -> None:
    if not shutil.which(name):
        pytest.skip(f"{name} is not installed")
    registry("models", "create", "iris")
    registry("models", "create", "rose")
    registry("versions", "create", "iris", "v1")
    registry("aliases", "set", "iris@1", "champion")
    registry("environments", "create", "staging")
    environment = shell | dict(registry.environment)

    def offered(line: str) -> set[str]:
        return set(completed(name, line, environment, tmp_path))

    assert {"models", "deploy", "rollback"} <= offered("registry ")
    assert offered("registry mod") == {"models"}
    assert {"list", "create"} <= offered("registry models ")
    assert {"--search", "--output"} <= offered("registry models list --")
    assert offered("registry models get i") == {"iris"}
    assert offered("registry versions get iris@") == {"iris@latest", "iris@champion", "iris@1"}
    assert offered("registry deploy iris st") == {"staging"}
    assert {"json", "yaml"} <= offered("registry models list -o ")


PROMPT = "ready"
INTERACTIVE = {
    "bash": (".bashrc", f"PS1={PROMPT}", ["bash", "-i"]),
    "zsh": (".zshrc", f"PS1={PROMPT}; unsetopt zle_bracketed_paste", ["zsh", "-i"]),
    "fish": (".config/fish/config.fish", f"function fish_prompt; echo {PROMPT}; end", ["fish", "-i"]),
}


@pytest.mark.parametrize("name", INTERACTIVE)
def test_completion_is_installed_as_the_guide_says(
    registry: Registry, shell: dict[str, str], tmp_path: Path, name: str
) -> None:
    if not shutil.which(name):
        pytest.skip(f"{name} is not installed")
    registry("models", "create", "iris")
    registry("versions", "create", "iris", "v1")
    registry("aliases", "set", "iris@1", "champion")
    registry("environments", "create", "staging")
    environment = shell | dict(registry.environment)
    del environment["XDG_CONFIG_HOME"]  # fish reads it too
    file, prompt, command = INTERACTIVE[name]
    settings = tmp_path / file
    settings.parent.mkdir(parents=True, exist_ok=True)
    settings.write_text(f"{prompt}\n")
    (steps,) = re.findall(rf"^```{name}\n(.*?)```", GUIDE, re.DOTALL | re.MULTILINE)
    subprocess.run([name, "-c", steps], check=True, env=environment, cwd=tmp_path)
    with opened(command, environment) as terminal:
        terminal.until(PROMPT)
        terminal.type("registry versions get iris@ch\t")
        terminal.until("ampion")
        terminal.type("\x15registry deploy iris stag\t")
        terminal.until("ing")


def test_completion_is_quiet_and_quick_without_a_registry(offline: Registry) -> None:
    began = time.monotonic()
    done = offline("__complete", "models", "get", "")
    assert (done.status, done.err) == (0, "")
    assert done.out.splitlines() == ["", "\x1fbegin"]
    assert time.monotonic() - began < 10


def test_contexts_are_completed(offline: Registry) -> None:
    offline("context", "add", "staging")
    offline("context", "add", "prod")
    assert offline("__complete", "context", "use", "").out.splitlines()[2:] == ["staging", "prod"]
    assert offline("__complete", "models", "list", "--context", "").out.splitlines()[2:] == ["staging", "prod"]
