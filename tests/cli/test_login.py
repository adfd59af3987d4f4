"""Contexts, and people who log in at an issuer and with tokens."""

from __future__ import annotations

import json
import stat
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.cli.device_issuer import DeviceIssuer
from tests.cli.runner import Registry
from tests.e2e.stack import Stack


@pytest.fixture
def issuer() -> Iterator[DeviceIssuer]:
    issuer = DeviceIssuer()
    with issuer.in_thread():
        yield issuer


@pytest.fixture
def command(offline: Registry) -> Registry:
    """With a context and no variables."""
    command = Registry({})
    command("context", "add", "prod", "--url", offline.environment["REGISTRY_URL"])
    return command


def log_in(command: Registry, issuer: DeviceIssuer, *arguments: str) -> str:
    done = command("login", "--issuer", issuer.url, *arguments)
    assert (done.status, done.out) == (0, ""), done.err
    return done.err


@pytest.mark.slow
def test_contexts(tmp_path: Path) -> None:
    command, project = Registry({}), str(uuid.uuid4())
    assert command("context", "add", "a", "--url", "http://a:1", "--project", project).status == 0
    command("context", "add", "b", "--url", "http://b:1", "--keep-current")
    assert command.json("context", "list") == [
        {"name": "a", "url": "http://a:1", "project": project, "current": True},
        {"name": "b", "url": "http://b:1", "project": "", "current": False},
    ]
    command("context", "use", "b")
    assert command.json("context", "show")["url"] == "http://b:1"
    assert command.json("context", "show", "--context", "a")["project"] == project
    assert command.json("context", "show", "--url", "http://c:1")["url"] == "http://c:1"
    assert command("context", "use", "c").status == 2
    command("context", "remove", "b")
    assert command("context", "list", "-o", "name").text == "a\n"


def test_a_login_is_kept_for_its_owner_only_and_refreshed(
    command: Registry, issuer: DeviceIssuer, tmp_path: Path
) -> None:
    told = log_in(command, issuer)
    assert f"Open {issuer.url}/activate\nand confirm the code ABCD-EFGH.\n" in told
    assert issuer.polls == 3
    token = command("print-token").text.strip()
    assert command("print-token").text.strip() == token
    assert issuer.refreshes == 0
    (kept,) = (tmp_path / "config" / "registry" / "tokens").glob("*.json")
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600
    session = json.loads(kept.read_text())
    issuer.seconds += 60
    kept.write_text(json.dumps(session | {"token": issuer.token(exp=1)}))
    assert command("print-token").text.strip() != token
    assert issuer.refreshes == 1
    assert json.loads(kept.read_text())["refresh_token"] == "r1"
    kept.write_text(json.dumps(json.loads(kept.read_text()) | {"token": issuer.token(exp=1)}))
    issuer.is_revoked = True
    ended = command("models", "list")
    assert (ended.status, ended.out) == (4, "")
    assert ended.err == (
        "registry: The login has ended: invalid_grant.\n  hint: Log in again: registry login --context prod\n"
    )


def test_a_refused_login_ends_with_4(command: Registry, issuer: DeviceIssuer) -> None:
    issuer.user = ""
    refused = command("login", "--issuer", issuer.url)
    assert (refused.status, refused.err.splitlines()[-1]) == (4, "registry: The login was refused: access_denied.")
    unknown = command("login", "--issuer", issuer.url, "--client-id", "other")
    assert unknown.status == 4
    assert "invalid_client" in unknown.err


def test_an_issuer_that_cannot_be_trusted_is_refused(command: Registry, issuer: DeviceIssuer) -> None:
    assert "must begin with https://" in command("login", "--issuer", "http://issuer.example.com").err
    assert "does not tell its issuer" in command("login").err
    other = command("login", "--issuer", f"{issuer.url}/")
    assert (other.status, "offers no login" in other.err) == (1, True)


def test_logout_forgets_the_login(command: Registry, issuer: DeviceIssuer, tmp_path: Path) -> None:
    log_in(command, issuer)
    assert command("logout").status == 0
    assert not list((tmp_path / "config" / "registry" / "tokens").iterdir())
    assert command("print-token").status == 4
    assert command.json("context", "show")["token_command"] == ""


def test_a_token_is_read_from_stdin_and_never_shown(command: Registry, tmp_path: Path) -> None:
    kept = command("login", "--token", stdin="rgt_hidden\n")
    assert kept.status == 0
    file = Path(command.json("context", "show")["token_file"])
    assert (file.read_text(), stat.S_IMODE(file.stat().st_mode)) == ("rgt_hidden", 0o600)
    assert "rgt_hidden" not in kept.out + kept.err + command("context", "show").out
    assert command("login", "--token", stdin="\n").status == 2


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_people_of_a_project_with_roles(issuer: DeviceIssuer) -> None:
    """An operator makes a project and its admin, who gives others roles and makes tokens."""
    settings = {"REGISTRY_ISSUERS": json.dumps(issuer.settings), "REGISTRY_OPERATORS": "root"}
    stack = Stack(REGISTRY_AUTH="required", REGISTRY_CLUSTER="none", REGISTRY_WORKERS="1", **settings)
    try:
        url = stack.start().base_url
        operator = Registry({})
        operator("context", "add", "prod", "--url", url)
        issuer.user = "root"
        log_in(operator, issuer)
        project = operator(
            "projects", "create", "vision", "--max-models", "2", "-o", "name", "--project", str(uuid.uuid4())
        )
        operator("context", "add", "prod", "--url", url, "--project", project.text.strip())
        log_in(operator, issuer)
        assert operator("members", "set", "ann", "admin").status == 0
        assert operator.json("projects", "get", "vision")["usage"]["models"] == "0"
        assert operator.json("projects", "update", "vision", "--namespace", "vision")["namespaces"] == ["vision"]

        ann = Registry(
            {"REGISTRY_TOKEN": issuer.token(sub="ann"), "REGISTRY_URL": url, "REGISTRY_PROJECT": project.text.strip()}
        )
        assert ann.json("whoami")["role"] == "ROLE_ADMIN"
        ann("members", "set", "reviewers", "viewer", "--kind", "group")
        assert set(ann("members", "list", "-o", "name").text.split()) == {"ann", "reviewers"}
        token = ann("tokens", "create", "ci", "viewer", "--lifetime", "1d", "-o", "name").text.strip()
        ci = Registry({**ann.environment, "REGISTRY_TOKEN": token})
        assert ci("whoami", "-o", "name").text == "token:ci\n"
        refused = ci("models", "create", "iris")
        assert (refused.status, "reason: PERMISSION_DENIED" in refused.err) == (4, True)
        assert "hint: Ask an admin" in refused.err
        assert "hint: Ask an operator" in ann("projects", "list").err
        assert ann("tokens", "revoke", "ci", "--yes").status == 0
        ended = ci("models", "list")
        assert ended.status == 4
        assert "hint: Log in: registry login." in ended.err
        entries = ann.json("audit", "list", "--filter", 'type = "call.refused"')
        assert {each["actor"] for each in entries} >= {"token:ci"}
        shown = ann("audit", "list", "--filter", 'type = "call.refused" AND actor = "token:ci"').text
        assert "call.refused  CreateRegisteredModel  token:ci" in shown
        assert ann("members", "remove", "reviewers", "--kind", "group", "--yes").status == 0
    finally:
        stack.stop()
        stack.remove()
