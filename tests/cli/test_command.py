"""What holds for all commands: help, errors, exit codes, pipes, terminals."""

from __future__ import annotations

import importlib
import json
import os
import pty
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.cli.runner import Registry, process_environment

import registry_cli

_ID = "11111111-1111-1111-1111-111111111111"
SOURCES = sorted(Path(registry_cli.__file__).parent.glob("*.py"))


@pytest.mark.parametrize(
    "arguments", [["--help"], ["models", "--help"], ["deploy", "--help"], ["--version"], ["models", "lst"]]
)
def test_help_imports_nothing_that_is_slow(arguments: list[str]) -> None:
    slow = (
        "grpc",
        "google.protobuf",
        "modelregistry",
        "registry_client",
        "yaml",
        "rich.table",
        "rich.progress",
        "rich.live",
        "rich.markdown",
    )
    program = f"""
import sys
from registry_cli.main import main
try:
    main({arguments})
finally:
    print(sorted(set({slow}) & set(sys.modules)), file=sys.stderr)
"""
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, env=process_environment({}), check=False
    )
    assert done.stderr.splitlines()[-1] == "[]"


def test_no_command_knows_the_server() -> None:
    assert not [source.name for source in SOURCES if "registry_grpc" in source.read_text()]


@pytest.mark.parametrize(
    "rpc", sorted({rpc for source in SOURCES for rpc in re.findall(r'"([a-z_]+\.[A-Z]\w+)"', source.read_text())})
)
def test_each_rpc_exists(rpc: str) -> None:
    file, method = rpc.split(".")
    (service,) = importlib.import_module(f"modelregistry.v1.{file}_pb2").DESCRIPTOR.services_by_name.values()
    assert method in service.methods_by_name


def test_all_commands_are_in_the_help(offline: Registry) -> None:
    text = offline("--help").text
    for command in ("models", "versions", "deploy", "rollback", "events", "login", "completion"):
        assert re.search(rf"^  {command} +[A-Z]", text, re.MULTILINE), command
    assert "Exit codes: 0 done" in text


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["models", "lst"], 'registry: Unknown command "lst". Did you mean "list"?'),
        (["models", "list", "--limt", "3"], "registry: Unknown option: --limt. Did you mean --limit?"),
        (["models", "create"], 'registry: Command "models create" parameter NAME requires an argument.'),
        (["models", "list", "-o", "XML"], 'registry: Invalid value "XML"'),
        (["models", "create", "iris", "--label", "team"], "registry: --label 'team' is neither KEY=VALUE nor KEY-."),
        (["deploy", "iris", "prod", "--wait", "--timeout", "soon"], "registry: 'soon' is no duration."),
        (["models", "list", "--context", "nowhere"], "registry: There is no context 'nowhere'"),
        (["models", "list", "--project", "iris"], "registry: The project must be a UUID"),
    ],
)
def test_wrong_usage_ends_with_2(offline: Registry, arguments: list[str], says: str) -> None:
    refused = offline(*arguments)
    assert (refused.status, refused.out) == (2, "")
    assert refused.err.startswith(says)


@pytest.mark.parametrize(
    "arguments",
    [
        ["webhooks", "update", _ID, "--state", "ACTIVE"],
        ["deployments", "list", "--phase", "Deployed"],
        ["artifacts", "list", "--kind=METRIC"],
        ["environments", "create", "prod", "--drift-policy", "ENFORCE"],
        ["members", "set", "ann", "ADMIN", "--kind", "GROUP"],
        ["models", "list", "-o", "Table"],
    ],
)
def test_words_of_a_closed_set_may_be_in_the_letters_of_the_tables(offline: Registry, arguments: list[str]) -> None:
    refused = offline(*arguments)
    assert refused.err.startswith("registry: Nothing listens at")


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"\xff\xfe", "this is not text in UTF-8."),
        (b"a: [1\n", "line 2: this is not valid YAML."),
        (b"\0", "this is not valid YAML."),
        (b"- a", "this must be a"),
    ],
)
def test_a_file_with_other_content_ends_with_2(offline: Registry, tmp_path: Path, content: bytes, says: str) -> None:
    file = tmp_path / "options"
    file.write_bytes(content)
    refused = offline("update", _ID, "--options", str(file))
    assert (refused.status, refused.out) == (2, "")
    assert refused.err.startswith(f"registry: {file}: {says}")


def test_an_unreachable_registry_ends_with_5(offline: Registry) -> None:
    refused = offline("models", "list")
    assert (refused.status, refused.out) == (5, "")
    assert refused.err.startswith(
        "registry: Nothing listens at http://127.0.0.1:9.\n  reason: UNAVAILABLE\n  hint: Start the registry"
    )


def test_errors_name_the_field_the_reason_and_the_remedy(registry: Registry) -> None:
    invalid = registry("models", "create", "x" * 300)
    assert (invalid.status, invalid.out) == (1, "")
    assert invalid.err == (
        "registry: name must be at most 250 characters\n  field: registered_model.name\n  reason: INVALID_REQUEST\n"
    )
    registry("models", "create", "iris")
    taken = registry("models", "create", "iris")
    assert taken.status == 1
    assert taken.err.endswith(
        "  reason: REGISTERED_MODEL_NAME_TAKEN\n  hint: Show the one that exists: registry models get NAME.\n"
    )
    missing = registry("models", "get", "rose")
    assert (missing.status, missing.err) == (
        3,
        "registry: There is no model 'rose'.\n  hint: `registry models list` shows all.\n",
    )


@pytest.mark.slow
def test_only_debug_shows_tracebacks(offline: Registry) -> None:
    assert "Traceback" not in offline.run("models", "list").err
    debugged = offline.run("models", "list", "--debug")
    assert debugged.status == 1
    assert "Traceback" in debugged.err


@pytest.mark.slow
def test_a_broken_pipe_is_silent(registry: Registry) -> None:
    registry("models", "create", "iris")
    reading, writing = os.pipe()
    os.close(reading)
    with registry.start("models", "list", stdout=writing) as process:
        os.close(writing)
        _, err = process.communicate(timeout=60)
    assert (process.returncode, err) == (141, "")


@pytest.mark.slow
@pytest.mark.parametrize(("columns", "no_color"), [(200, ""), (40, ""), (200, "1")])
def test_tables_on_a_terminal_fit_and_respect_no_color(registry: Registry, columns: int, no_color: str) -> None:
    registry("models", "create", "a-model-with-a-long-name", "--label", f"team={'x' * 100}")
    shell, terminal = pty.openpty()
    more = {"COLUMNS": str(columns), "TERM": "xterm-256color", **({"NO_COLOR": no_color} if no_color else {})}
    with Registry({**registry.environment, **more}).start("models", "list", stdout=terminal) as process:
        os.close(terminal)
        text = b""
        while part := _read(shell):
            text += part
    assert process.returncode == 0
    lines = re.sub(r"\x1b\[[0-9;]*m", "", text.decode()).splitlines()
    assert max(len(line) for line in lines) <= columns
    assert "".join(line[:12].strip() for line in lines[1:]).replace(" ", "").startswith("a-model")
    assert ("\x1b[3" in text.decode()) is False or not no_color


def _read(shell: int) -> bytes:
    try:
        return os.read(shell, 4096)
    except OSError:  # the terminal was closed
        return b""


def test_names_cannot_control_the_terminal(registry: Registry) -> None:
    registry("models", "create", "iris", "--description", "red \x1b[31m text\nnext line")
    assert "\x1b" not in registry("models", "list").text
    assert "\x1b" not in registry("models", "get", "iris").text


@pytest.mark.slow
def test_a_terminal_without_letters_is_no_reason_to_fail(registry: Registry) -> None:
    registry("models", "create", "Blütenmodell")
    ascii_only = Registry({**registry.environment, "PYTHONIOENCODING": "ascii:strict"})
    assert ascii_only.run("models", "list", "-o", "name").text == "Bl?tenmodell\n"


@pytest.mark.parametrize(("output", "load"), [("json", json.loads), ("yaml", yaml.safe_load)])
def test_errors_are_data_if_data_is_wanted(registry: Registry, output: str, load: Callable[[str], Any]) -> None:
    def refused(*arguments: str) -> tuple[int, dict[str, Any]]:
        done = registry(*arguments, "-o", output)
        assert done.out == ""
        told = load(done.err)
        assert list(told) == ["code", "reason", "message", "field_violations", "violations", "hint", "request_id"]
        return done.status, {name: value for name, value in told.items() if value and name != "request_id"}

    too_long = "must be at most 250 characters"
    assert refused("models", "create", "x" * 300) == (
        1,
        {
            "code": "INVALID_ARGUMENT",
            "reason": "INVALID_REQUEST",
            "message": f"name {too_long}",
            "field_violations": [{"field": "registered_model.name", "description": too_long}],
        },
    )
    missing = {"code": "NOT_FOUND", "message": "There is no model 'rose'.", "hint": "`registry models list` shows all."}
    assert refused("models", "get", "rose") == (3, missing)
    assert refused("models", "list", "--limit", "x")[0] == 2
    assert refused("deploy", "iris", "prod", "--or-update") == (
        2,
        {
            "code": "USAGE",
            "message": "--or-update needs --name and a version.",
            "hint": "Write MODEL@3 or MODEL:NAME.",
        },
    )
