"""The token that a client sends."""

from __future__ import annotations

import base64
import json
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from registry_client.config import Context
from registry_client.errors import ConfigError
from registry_client.tokens import Tokens, expiry


def jwt(**claims: object) -> str:
    payload = base64.urlsafe_b64encode(json.dumps(claims).encode()).rstrip(b"=").decode()
    return f"e30.{payload}.signature"


def test_a_file_is_read_again_for_every_call(tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_text("first\n")
    tokens = Tokens(Context(token_file=str(file)))
    assert tokens.get() == "first"
    file.write_text("second\n")
    assert tokens.get() == "second"


@pytest.mark.parametrize(("seconds", "runs"), [(20, 2), (3600, 1)])
def test_a_command_runs_again_before_its_token_expires(tmp_path: Path, seconds: int, runs: int) -> None:
    (tmp_path / "token").write_text(jwt(exp=time.time() + seconds))
    tokens = Tokens(Context(token_command=f"sh -c 'echo >> {tmp_path}/runs; cat {tmp_path}/token'"))
    assert not tokens.is_ready
    assert tokens.get() == tokens.get() == (tmp_path / "token").read_text()
    assert len((tmp_path / "runs").read_text().splitlines()) == runs


def test_only_a_command_has_another_token_than_the_refused_one() -> None:
    tokens = Tokens(Context(token_command="echo one"))
    assert tokens.get() == "one"
    assert tokens.replace("one")
    assert not tokens.is_ready
    assert tokens.get() == "one"
    assert tokens.replace("an older one")
    assert tokens.is_ready, "another call has replaced it already"
    assert not Tokens(Context(token="one")).replace("one")


def test_a_file_may_have_another_token_meanwhile(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("second")
    tokens = Tokens(Context(token_file=f"{tmp_path}/token"))
    assert tokens.replace("first")
    assert not tokens.replace("second")


def test_calls_that_begin_together_need_one_token(tmp_path: Path) -> None:
    tokens = Tokens(Context(token_command=f"sh -c 'echo >> {tmp_path}/runs; sleep 0.1; echo one'"))
    with ThreadPoolExecutor(4) as pool:
        assert {each.result() for each in [pool.submit(tokens.get) for _ in range(4)]} == {"one"}
    assert len((tmp_path / "runs").read_text().splitlines()) == 1


@pytest.mark.parametrize(
    "command", ["sh -c 'echo secret; exit 3'", "sh -c 'echo secret >&2; exit 1'", "true", "no-such-program", "'"]
)
def test_a_command_that_fails_is_named_without_what_it_printed(command: str) -> None:
    with pytest.raises(ConfigError, match="The command that prints the token") as raised:
        Tokens(Context(token_command=command)).get()
    assert "secret" not in str(raised.value).replace(command, "")


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="No such file"):
        Tokens(Context(token_file=str(tmp_path / "missing"))).get()


@pytest.mark.parametrize("token", ["", "opaque", "a.b.c", "e30.e30.x", "e30.bnVsbA.x"])
def test_only_a_jwt_says_when_it_expires(token: str) -> None:
    assert expiry(token) == float("inf")
    assert expiry(jwt(exp=7)) == 7
