"""Where a client connects to, and as whom."""

from __future__ import annotations

import stat
from dataclasses import replace
from pathlib import Path

import pytest

from registry_client.config import CONTEXT_VARIABLE, VARIABLES, Config, Context, load, path, resolve, save
from registry_client.errors import ConfigError
from registry_grpc.configuration import _unknown_variables

STAGING = Context(url="https://staging.example.com", project="staging-project", token="staging-token")
LOCAL = Context(url="http://127.0.0.1:8080", project="local-project")


@pytest.fixture
def contexts() -> Config:
    config = Config({"staging": STAGING, "local": LOCAL}, "staging")
    save(config)
    return config


def test_what_was_saved_is_loaded(contexts: Config) -> None:
    assert load() == contexts
    assert load(path().with_name("missing.yaml")) == Config()


def test_the_file_is_for_its_owner_only(contexts: Config) -> None:
    path().chmod(0o644)
    save(contexts)
    assert stat.S_IMODE(path().stat().st_mode) == 0o600
    assert [each.name for each in path().parent.iterdir()] == ["config.yaml"]


def test_the_file_follows_xdg(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert path() == tmp_path / "config" / "registry" / "config.yaml"
    monkeypatch.delenv("XDG_CONFIG_HOME")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert path() == tmp_path / ".config" / "registry" / "config.yaml"


def test_contexts_are_added_and_removed() -> None:
    config = Config().with_context("local", LOCAL)
    assert (config.current, config.context("local")) == ("local", LOCAL)
    assert config.with_context("staging", STAGING, is_current=False).current == "local"
    assert config.without_context("local") == Config()
    with pytest.raises(ConfigError, match=r"no context 'prod'.*Contexts: local"):
        config.context("prod")


@pytest.mark.parametrize(
    ("given", "context", "environment", "expected"),
    [
        (Context(), "", {}, STAGING),
        (Context(), "local", {}, LOCAL),
        (Context(), "", {"REGISTRY_CONTEXT": "local"}, LOCAL),
        (Context(project="mine"), "", {"REGISTRY_PROJECT": "theirs"}, replace(STAGING, project="mine")),
        (Context(), "", {"REGISTRY_PROJECT": "theirs"}, replace(STAGING, project="theirs")),
        (Context(), "local", {"REGISTRY_PROJECT": "theirs"}, LOCAL),
        (Context(url="http://other"), "", {}, Context("http://other")),
        (Context(), "", {"REGISTRY_URL": "http://other", "REGISTRY_TOKEN": "t"}, Context("http://other", token="t")),
        (Context(url="http://other"), "", {"REGISTRY_URL": "http://third", "REGISTRY_TOKEN": "t"}, Context("http://other")),
        (Context(url="http://other"), "", {"REGISTRY_TOKEN": "t"}, Context("http://other", token="t")),
        (Context(url=STAGING.url + "/"), "", {}, Context(STAGING.url + "/", STAGING.project, token="staging-token")),
        (Context(token_file="f"), "staging", {}, Context(STAGING.url, STAGING.project, token_file="f")),
    ],
)  # fmt: skip
def test_the_nearest_value_counts_and_nothing_goes_to_another_registry(
    contexts: Config, given: Context, context: str, environment: dict[str, str], expected: Context
) -> None:
    assert resolve(given, context, environment) == expected


def test_the_commands_of_the_server_do_not_mind_its_variables() -> None:
    """Both may have the same environment."""
    assert list(_unknown_variables([*VARIABLES.values(), CONTEXT_VARIABLE])) == []


def test_without_anything_it_is_the_registry_of_this_machine() -> None:
    assert resolve(environment={}) == Context("http://127.0.0.1:8080")


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("contexts: [", "line 1: this is not valid YAML"),
        ("a", "this must be a mapping"),
        ("contexts: {a: {uri: x}}", "context a: there is no setting 'uri'; the name most like it is 'url'"),
        ("contexts: {a: {project: 7}}", "context a: project must be a text"),
        ("current: b\ncontexts: {a: {}}", "current: there is no context 'b'"),
    ],
)
def test_a_wrong_file_is_explained(text: str, complaint: str) -> None:
    path().parent.mkdir(parents=True)
    path().write_text(text)
    with pytest.raises(ConfigError, match=complaint):
        load()


def test_no_token_is_told(contexts: Config) -> None:
    assert "staging-token" not in f"{contexts!r} {STAGING}"
    path().write_text('contexts: {a: {token: "secret}}')
    with pytest.raises(ConfigError) as raised:
        load()
    assert "secret" not in str(raised.value)
    assert raised.value.__suppress_context__
