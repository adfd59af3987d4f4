"""The command line itself: help, completion, exit codes, broken pipes, interruptions, and JSON."""

from __future__ import annotations

import argparse
import asyncio
import importlib.util
import json
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from tests.integration.commands import THIS, command, environment_of, free_ports

from registry_grpc.adapters.postgres import migrate
from registry_grpc.cli import _parser
from registry_grpc.shipped import PROJECT_ROOT

pytestmark = pytest.mark.slow

SECRET = "the-passw0rd"


def commands(parser: argparse.ArgumentParser) -> Iterator[argparse.ArgumentParser]:
    """The parser, and those of its commands."""
    yield parser
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for each in action.choices.values():
                yield from commands(each)


def test_every_command_and_option_is_described_by_sentences() -> None:
    texts = []
    for parser in commands(_parser()):
        texts.append((parser.prog, parser.description))
        texts += [
            (f"{parser.prog} {action.dest}", action.help)
            for action in parser._actions
            if not isinstance(action, argparse._SubParsersAction)
        ]
    assert len(texts) > 50
    for about, text in texts:
        assert re.fullmatch(r"[A-Z].*\.", text or "", re.DOTALL), f"{about}: {text}"


def test_the_documentation_names_every_command() -> None:
    page = (PROJECT_ROOT / "docs" / "operations.md").read_text()
    leaves = [parser.prog for parser in commands(_parser()) if not parser._subparsers]
    assert len(leaves) > 15
    assert [leaf for leaf in leaves if f"`{leaf.removeprefix('registry-grpc ')}`" not in page] == []


def ran(arguments: Sequence[str], stdout: int = subprocess.PIPE, **settings: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        arguments, env=environment_of(THIS, **settings), stdout=stdout, stderr=subprocess.PIPE, text=True, check=False
    )


@pytest.mark.skipif(importlib.util.find_spec("shtab") is None, reason="shtab is not installed")
@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion(shell: str, tmp_path: Path) -> None:
    done = ran([*THIS.command, "completion", shell], portt="wrong settings do not matter")
    assert (done.returncode, done.stderr) == (0, "")
    assert "encrypt-secrets" in done.stdout
    if program := shutil.which(shell):
        (tmp_path / "script").write_text(done.stdout)
        checked = ran([program, "-n", str(tmp_path / "script")])
        assert (checked.returncode, checked.stderr) == (0, "")


@pytest.mark.parametrize(
    ("arguments", "status"),
    [
        (("config",), 0),
        (("--help",), 0),
        (("healthcheck", "--address", "127.0.0.1:1"), 1),
        (("migrate", "status"), 1),
        (("nothing",), 2),
        (("migrate",), 2),
        (("migrate", "down", "--steps", "0"), 2),
    ],
)
async def test_exit_codes(arguments: tuple[str, ...], status: int) -> None:
    assert (await command(*arguments)).status == status


@pytest.mark.parametrize("arguments", ["config", "config --json", "--help", "migrate --help"])
def test_whoever_stops_reading_sees_nothing_of_it(arguments: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PYTHONUNBUFFERED", raising=False)  # with it, argparse ignores that nobody reads the help
    unread, output = os.pipe()
    os.close(unread)
    with os.fdopen(output):
        done = ran([*THIS.command, *arguments.split()], stdout=output)
    assert (done.returncode, done.stderr) == (141, "")


def test_whoever_stops_reading_is_no_lost_database(fresh_database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONUNBUFFERED", "1")
    unread, output = os.pipe()
    os.close(unread)
    with os.fdopen(output):
        done = ran([*THIS.command, "migrate", "up"], stdout=output, database_url=fresh_database_url)
    assert (done.returncode, done.stderr) == (141, "")


async def test_an_interrupted_command_says_so_in_one_line(fresh_database_url: str) -> None:
    async with migrate.migration_connection(fresh_database_url) as connection:
        process = await asyncio.create_subprocess_exec(
            *THIS.command,
            "migrate",
            "up",
            env=environment_of(THIS, database_url=fresh_database_url),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        waiting = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'registry-grpc migrate'"
        async with asyncio.timeout(30):
            while await connection.fetchval(waiting) < 2:  # noqa: ASYNC110 - nobody else tells
                await asyncio.sleep(0.05)
        process.send_signal(signal.SIGINT)
        out, err = await process.communicate()
    assert (process.returncode, out.decode(), err.decode()) == (130, "", "interrupted\n")


async def test_the_source_of_every_value_is_shown(tmp_path: Path) -> None:
    file = tmp_path / "registry.toml"
    file.write_text(
        'workers = 4\nencryption_keys = "k1:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="\nauth = "required"\n'
    )
    url = f"postgresql://registry:{SECRET}@host/registry"
    issuers = '[{"issuer": "https://i", "audiences": ["r"]}]'
    settings = {"config_file": str(file), "database_url": url, "drain_delay": "2", "issuers": issuers, "auth": ""}
    shown = await command("config", "--json", **settings)
    assert (shown.status, shown.err) == (0, "")
    assert SECRET not in shown.out
    assert "AAAA" not in shown.out
    values = {each["name"]: (each["value"], each["source"]) for each in json.loads(shown.out)}
    assert values["REGISTRY_WORKERS"] == (4, "file")
    assert values["REGISTRY_AUTH"] == ("required", "file")
    assert values["REGISTRY_ENCRYPTION_KEYS"] == ("set", "file")
    assert values["REGISTRY_DATABASE_URL"] == ("set", "variable")
    assert values["REGISTRY_DRAIN_DELAY"] == (2.0, "variable")
    assert values["REGISTRY_WATCH_NAMESPACES"] == ([], "default")
    ((issuer,), source) = values["REGISTRY_ISSUERS"]
    assert (issuer["issuer"], issuer["audiences"], source) == ("https://i", ["r"], "variable")

    text = (await command("config", **settings)).out.splitlines()
    assert "REGISTRY_WORKERS=4  # file" in text
    assert "# REGISTRY_DATABASE_URL is set  # variable" in text
    assert "REGISTRY_REFLECTION=''  # default" in text


def test_the_text_can_be_read_by_a_shell(tmp_path: Path) -> None:
    issuers = '[{"issuer": "https://i", "audiences": ["it\'s"]}]'
    own = {"auth": "required", "issuers": issuers, "watch_namespaces": "a,b", "production": "false", "operators": "x y"}
    texts = [ran([*THIS.command, "config"], subprocess.PIPE, **own).stdout]
    (tmp_path / "variables").write_text(texts[0])
    texts.append(ran(["bash", "-ec", f"set -a; . {tmp_path}/variables; {shlex.join(THIS.command)} config"]).stdout)
    first, again = ([line.partition("  # ")[0] for line in text.splitlines()] for text in texts)
    assert "REGISTRY_OPERATORS='x y'" in first
    assert first == again


async def test_an_unknown_variable_stops_every_command(tmp_path: Path) -> None:
    text = "REGISTRY_PORTT: there is no such setting; the name most like it is REGISTRY_PORT\n"
    for arguments in (("config",), ("serve",), ("dev",), ("healthcheck",), ("gateway", str(tmp_path / "gateway"))):
        done = await command(*arguments, portt=SECRET)
        assert (done.status, done.out, done.failure) == (1, "", text)
        assert SECRET not in done.err


async def test_the_status_of_migrations_as_json(fresh_database_url: str, empty_database_url: str) -> None:
    newest = migrate.load_migrations()[-1]
    full = json.loads((await command("migrate", "status", "--json", database_url=fresh_database_url)).out)
    assert (full["version"], full["dirty"], full["pending"]) == (newest.version, False, [])
    assert full["applied"][-1] == {"version": newest.version, "name": newest.name}
    empty = json.loads((await command("migrate", "status", "--json", database_url=empty_database_url)).out)
    assert (empty["version"], empty["applied"], len(empty["pending"])) == (None, [], len(full["applied"]))


async def test_what_doctor_finds_as_json(fresh_database_url: str) -> None:
    found = await command("doctor", "--json", database_url=fresh_database_url, port=str(free_ports(1)))
    checks = {each["about"]: each for each in json.loads(found.out)}
    assert (found.status, checks["schema"]["verdict"]) == (0, "ok")
    assert set(checks["schema"]) == {"verdict", "about", "text", "advice", "missing_permissions"}
    ill = await command("doctor", "--json", port=str(free_ports(1)))
    assert ill.status == 1
    assert {"verdict": "MISSING", "about": "database"}.items() <= json.loads(ill.out)[1].items()


def test_the_command_line_is_read_before_anything_is_imported() -> None:
    """Otherwise, a Ctrl-C would be answered by a traceback of imports for most of a second."""
    program = "import sys, registry_grpc.cli; print(sorted({'pydantic', 'grpc', 'asyncpg'} & set(sys.modules)))"
    assert ran([sys.executable, "-c", program]).stdout == "[]\n"
