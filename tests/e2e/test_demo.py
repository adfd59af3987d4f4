"""`REGISTRY_AUTH=demo make run` prints what the demo needs, and the commands of docs/access.md work with it."""

from __future__ import annotations

import base64
import hashlib
import html
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import grpc
import httpx
import jwt
import pytest
from tests.e2e.builders import fresh
from tests.e2e.processes import wait_until
from tests.e2e.stack import Addresses, Stack

from modelregistry.v1 import project_pb2
from modelregistry.v1.project_pb2_grpc import ProjectServiceStub
from registry_grpc.shipped import PROJECT_ROOT

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

_PROJECTS: Any = ProjectServiceStub
ROLES = ("viewer", "editor", "deployer", "admin")
PROGRAMS = Path(sys.executable).parent


class Demo:
    """A running demo, and what it has printed."""

    def __init__(self, stack: Stack, addresses: Addresses) -> None:
        self.addresses, self.printed = addresses, stack.log.read_text()
        found = dict(re.findall(r"^token (\w+) (\S+)$", self.printed, re.MULTILINE))
        assert tuple(found) == ROLES
        (self.project,) = re.findall(r"^project (\S+)$", self.printed, re.MULTILINE)
        self.tokens = {role.upper(): token for role, token in found.items()}

    def sh(self, text: str) -> str:
        return self._run(["sh", "-e"], text)

    def python(self, text: str) -> str:
        return self._run([sys.executable, "-"], text)

    def _run(self, command: list[str], text: str) -> str:
        environment = {
            **os.environ,
            **self.tokens,
            "PATH": f"{PROGRAMS}:{os.environ['PATH']}",
            "PROJECT": self.project,
            "REGISTRY_DATABASE_URL": self.addresses.database_url,
        }
        here = text.replace("127.0.0.1:8080", self.addresses.target)
        done = subprocess.run(command, input=here, env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout


@pytest.fixture(scope="module")
def demo() -> Iterator[Demo]:
    stack = Stack(REGISTRY_AUTH="demo", REGISTRY_CLUSTER="none")
    try:
        yield Demo(stack, stack.start())
    finally:
        stack.stop()
        stack.remove()


def blocks(heading: str) -> list[tuple[str, str]]:
    """The languages and texts of the code under a heading of docs/access.md."""
    text = (PROJECT_ROOT / "docs" / "access.md").read_text()
    section = re.split(r"^##+ ", text.split(f"\n## {heading}\n")[1], flags=re.MULTILINE)[0]
    return re.findall(r"^```(\w+)\n(.*?)^```$", section, re.MULTILINE | re.DOTALL)


def test_a_project_and_a_token_for_each_role_come_before_the_line_ready(demo: Demo) -> None:
    lines = [line.split()[0] for line in demo.printed.splitlines() if re.match(r"(project|token|ready) ", line)]
    assert lines == ["project", *["token"] * 4, "ready"]


def test_the_printed_command_works(demo: Demo) -> None:
    command = demo.printed.split("Try:\n")[1].split('\'{"name": "my-model"}\'')[0]
    assert '"name":"my-model"' in demo.sh(command + '\'{"name": "my-model"}\'').replace(" ", "")


def test_the_commands_of_the_guide_work(demo: Demo) -> None:
    (_, printed), (_, shell), (_, python) = blocks("Try it")
    assert [line.split()[0] for line in printed.splitlines()] == ["project", *["token"] * 4, "ready"]
    answers = demo.sh(shell)
    assert answers.count('"name":"iris"') == 2
    assert "needs the role EDITOR in the project, and has VIEWER" in answers
    assert "401 Unauthorized" in answers
    assert "www-authenticate: Bearer" in answers
    token = demo.python(python).strip()
    assert token.startswith("rgt_")
    headers = {"Authorization": f"Bearer {token}", "Project-ID": demo.project}
    url = f"{demo.addresses.base_url}/api/v1/model-registry/models"
    assert httpx.post(url, headers=headers, json={"name": fresh("m")}).status_code == 201


def test_the_commands_for_the_first_members_work(demo: Demo) -> None:
    ((_, shell),) = blocks("Members and groups")
    lines = demo.sh(shell).splitlines()
    assert lines[0] == f"user corp:ann@example.com is ADMIN in project {demo.project}"
    assert lines[1] == f"group corp:vision is EDITOR in project {demo.project}"
    headers = {"Authorization": f"Bearer {lines[2]}", "Project-ID": demo.project}
    url = f"{demo.addresses.base_url}/api/v1/model-registry/models"
    assert httpx.get(url, headers=headers).status_code == 200


def test_the_questions_of_an_auditor_are_answered(demo: Demo) -> None:
    headers = {"Authorization": f"Bearer {demo.tokens['VIEWER']}", "Project-ID": demo.project}
    url = f"{demo.addresses.base_url}/api/v1/model-registry/models"
    assert httpx.post(url, headers=headers, json={"name": "rose"}).status_code == 403
    name = fresh("user")
    demo.sh(f"registry-grpc members set --project $PROJECT --name {name} --role editor")
    ((_, python),) = blocks("Audit")
    lines = demo.python(python).splitlines()
    members = [line for line in lines if line.startswith(f"member.created {name} ")]
    assert len(members) == 1
    assert '"role": "EDITOR"' in members[0]
    refused = [line for line in lines if line.startswith("call.refused ")]
    assert "127.0.0.1" in refused[0]
    assert "needs the role EDITOR in the project, and has VIEWER" in refused[0]
    assert not any(line.startswith("model.") for line in lines)


def test_an_operator_without_an_issuer_runs_a_worker_of_its_own(demo: Demo, tmp_path: Path) -> None:
    address = f"unix:{tmp_path}/worker.sock"
    environment = {**os.environ, "REGISTRY_AUTH": "off", "REGISTRY_DATABASE_URL": demo.addresses.database_url}
    command = [str(PROGRAMS / "registry-grpc"), "worker", "--listen", address]
    with (tmp_path / "log").open("wb") as log:
        worker = subprocess.Popen(command, env=environment, stdout=log, stderr=log)
    try:
        assert wait_until((tmp_path / "worker.sock").exists, 60)
        with grpc.insecure_channel(address) as channel:
            request = project_pb2.CreateProjectRequest(id=demo.project, project={"name": fresh("team")})
            made = _PROJECTS(channel).CreateProject(request, timeout=30, wait_for_ready=True)
        assert made.project.id == demo.project
    finally:
        worker.terminate()
        worker.wait(timeout=30)


def test_a_browser_logs_in_by_the_code_flow(demo: Demo) -> None:
    """As the web UI does, at what /ui/config.json says."""
    known = httpx.get(f"{demo.addresses.base_url}/ui/config.json").json()
    assert (known["auth"], known["project"]) == ("required", demo.project)
    oidc = known["oidc"]
    origin = {"Origin": demo.addresses.base_url}
    policy = httpx.get(f"{demo.addresses.base_url}/ui/").headers["content-security-policy"]
    assert f"connect-src 'self' {oidc['issuer']};" in policy
    discovery = httpx.get(f"{oidc['issuer']}/.well-known/openid-configuration", headers=origin)
    assert discovery.headers["access-control-allow-origin"] == "*"
    places, verifier, back = discovery.json(), "v" * 43, f"{demo.addresses.base_url}/ui/login"
    challenge = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()
    asked = {
        "response_type": "code",
        "client_id": oidc["client_id"],
        "redirect_uri": back,
        "scope": " ".join(oidc["scopes"]),
        "state": "a&b",
        "nonce": "once",
        "code_challenge": challenge,
        "code_challenge_method": "S256",
    }
    page = httpx.get(places["authorization_endpoint"], params=asked)
    links = [html.unescape(link) for link in re.findall(r'<a href="([^"]+)">', page.text)]
    assert [link.rpartition("user=")[2] for link in links] == list(ROLES)
    redirected = httpx.get(oidc["issuer"] + links[0])
    target, _, query = redirected.headers["location"].partition("?")
    came_back = parse_qs(query)
    assert (redirected.status_code, target, came_back["state"]) == (302, back, ["a&b"])
    form = {
        "grant_type": "authorization_code",
        "code": came_back["code"][0],
        "redirect_uri": back,
        "client_id": oidc["client_id"],
    }
    endpoint = places["token_endpoint"]
    answer = httpx.post(endpoint, data={**form, "code_verifier": verifier}, headers=origin)
    assert (answer.status_code, answer.headers["access-control-allow-origin"]) == (200, "*")
    token = answer.json()["id_token"]
    claims = jwt.decode(token, options={"verify_signature": False})
    assert (claims["sub"], claims["aud"], claims["nonce"]) == ("viewer", oidc["client_id"], "once")
    headers = {"Authorization": f"Bearer {token}", "Project-ID": demo.project}
    url = f"{demo.addresses.base_url}/api/v1/model-registry/models"
    assert httpx.get(url, headers=headers).status_code == 200
    assert httpx.get(url, headers={"Project-ID": demo.project}).status_code == 401, "data is not public"
    again = httpx.post(endpoint, data={**form, "code_verifier": verifier})
    assert (again.status_code, again.json()) == (400, {"error": "invalid_grant"}), "a code is good for one token"


def test_the_demos_login_only_leads_to_this_machine(demo: Demo) -> None:
    issuer = httpx.get(f"{demo.addresses.base_url}/ui/config.json").json()["oidc"]["issuer"]
    asked = {"response_type": "code", "client_id": "registry", "code_challenge": "x", "code_challenge_method": "S256"}
    for wrong in (
        {},
        {"redirect_uri": "https://evil.example/"},
        {"redirect_uri": "http://127.0.0.1/", "client_id": "x"},
    ):
        assert httpx.get(f"{issuer}/authorize", params={**asked, **wrong, "user": "admin"}).status_code == 400
    here = {**asked, "redirect_uri": "http://127.0.0.1/", "user": "admin"}
    code = parse_qs(httpx.get(f"{issuer}/authorize", params=here).headers["location"].partition("?")[2])["code"][0]
    form = {"code": code, "redirect_uri": here["redirect_uri"], "client_id": "registry", "code_verifier": "another"}
    assert httpx.post(f"{issuer}/token", data=form).json() == {"error": "invalid_grant"}
