"""Tokens, roles and projects as clients meet them, with every RPC and every route."""

from __future__ import annotations

import asyncio
import importlib
import pkgutil
import re
import threading
import time
import uuid
from collections.abc import Iterator
from typing import Any

import grpc
import httpx
import pytest
from tests.e2e.api import NO_BODY, Api
from tests.e2e.bodies import BODY_ROUTES
from tests.e2e.builders import World, fresh
from tests.e2e.processes import wait_until
from tests.e2e.routes import ALL, FINDS, LISTS
from tests.e2e.stack import Addresses, Stack
from tests.issuer import TestIssuer

from modelregistry import v1
from modelregistry.v1 import access_pb2 as pb
from modelregistry.v1 import audit_pb2
from modelregistry.v1.access_pb2_grpc import AccessServiceStub
from modelregistry.v1.audit_pb2_grpc import AuditServiceStub
from registry_grpc.devtools.demo_issuer import new_key
from registry_grpc.shipped import PROJECT_ROOT

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

_STUB: Any = AccessServiceStub
_AUDIT_STUB: Any = AuditServiceStub
ROLES = ("VIEWER", "EDITOR", "DEPLOYER", "ADMIN")


class CallerApi(Api):
    """The REST API as the bearer of a token sees it."""

    def __init__(self, http: httpx.Client, project_id: str, token: str | None) -> None:
        super().__init__(http, project_id)
        self._headers = {} if token is None else {"Authorization": f"Bearer {token}"}

    def request(self, *args: Any, **given: Any) -> httpx.Response:
        return super().request(*args, **given | {"headers": self._headers | (given.get("headers") or {})})


class Registry:
    """A running registry with an issuer, and clients of it."""

    def __init__(self, stack: Stack, addresses: Addresses, issuer: TestIssuer) -> None:
        self.stack, self.addresses, self.issuer = stack, addresses, issuer
        self.project_id = str(uuid.uuid4())
        self.http = httpx.Client(base_url=addresses.base_url, timeout=30)
        self.channel = grpc.insecure_channel(addresses.target)
        self.access = _STUB(self.channel)
        self.operator = issuer.token(sub="boss")

    def metadata(self, token: str | None, project_id: str | None = None) -> list[tuple[str, str]]:
        project = [("project-id", project_id or self.project_id)]
        return project if token is None else [*project, ("authorization", f"Bearer {token}")]

    def client(self, token: str | None, project_id: str | None = None) -> Api:
        return CallerApi(self.http, project_id or self.project_id, token)

    def member(self, role: str) -> str:
        """The token of a user who has the role, or none."""
        name = f"{role.lower()}-{uuid.uuid4().hex}"
        if role:
            request = pb.SetMemberRequest(kind="MEMBER_KIND_USER", name=name, role=f"ROLE_{role}")
            self.access.SetMember(request, metadata=self.metadata(self.operator), timeout=20)
        return self.issuer.token(sub=name)

    def logs(self) -> str:
        return "".join(log.read_text(errors="replace") for log in self.stack.folder.rglob("*.log"))

    def code(self, path: str, token: str | None, project_id: str | None = None) -> grpc.StatusCode:
        """The code of the answer to an empty request."""
        call: Any = self.channel.unary_stream(path)
        try:
            for _ in call(b"", metadata=self.metadata(token, project_id), timeout=3):
                break
        except grpc.RpcError as error:
            code: grpc.StatusCode = error.code()
            return code
        return grpc.StatusCode.OK


@pytest.fixture(scope="module")
def registry() -> Iterator[Registry]:
    issuer, loop = TestIssuer(), asyncio.new_event_loop()
    running = issuer.running()
    loop.run_until_complete(running.__aenter__())
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    issuers = f'[{{"issuer": "{issuer.url}", "audiences": ["registry"], "algorithms": ["RS256"]}}]'
    stack = Stack(
        REGISTRY_AUTH="required", REGISTRY_ISSUERS=issuers, REGISTRY_OPERATORS="boss", REGISTRY_CLUSTER="none"
    )
    try:
        registry = Registry(stack, stack.start(), issuer)
        with registry.http, registry.channel:
            yield registry
    finally:
        stack.stop()
        stack.remove()
        asyncio.run_coroutine_threadsafe(running.__aexit__(None, None, None), loop).result()
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


def every_rpc() -> list[str]:
    names = [module.name for module in pkgutil.iter_modules(v1.__path__) if module.name.endswith("_pb2")]
    files = [importlib.import_module(f"{v1.__name__}.{name}").DESCRIPTOR for name in names]
    services = [service for file in files for service in file.services_by_name.values()]
    return [f"/{service.full_name}/{method}" for service in services for method in service.methods_by_name]


def bad_tokens(registry: Registry) -> dict[str, str | None]:
    issuer, made = registry.issuer, registry.access.CreateApiToken
    request = pb.CreateApiTokenRequest(name=fresh("revoked"), role=pb.ROLE_ADMIN)
    revoked = made(request, metadata=registry.metadata(registry.operator), timeout=20).api_token
    registry.access.RevokeApiToken(
        pb.RevokeApiTokenRequest(id=revoked.id), metadata=registry.metadata(registry.operator), timeout=20
    )
    boss = registry.operator.split(".")
    return {
        "none": None,
        "garbage": "garbage",
        "expired": issuer.token(sub="boss", exp=int(time.time()) - 60),
        "wrong audience": issuer.token(sub="boss", aud="another"),
        "wrong issuer": issuer.token(sub="boss", iss="https://another"),
        "alg none": f"eyJhbGciOiJub25lIiwia2lkIjoiazEifQ.{boss[1]}.",
        "another key": issuer.token(sub="boss", key=new_key()),
        "tampered": f"{boss[0]}.{issuer.token(sub='admin').split('.')[1]}.{boss[2]}",
        "unknown API token": "rgt_" + "x" * 43,
        "revoked API token": revoked.token,
    }


def test_no_rpc_and_no_route_answers_whom_it_does_not_know(registry: Registry) -> None:
    world = World(registry.client(registry.operator))
    for name, token in bad_tokens(registry).items():
        for path in every_rpc():
            assert registry.code(path, token) is grpc.StatusCode.UNAUTHENTICATED, (name, path)
        api = registry.client(token)
        for route in ALL:
            answer = api.request(route.method, world.path(route.path))
            assert (answer.status_code, list(answer.json())) == (401, ["error"]), (name, route)
            assert answer.headers["www-authenticate"] == "Bearer", (name, route)
        assert api.get("!/healthz").status_code == 200


def least_roles() -> dict[str, str]:
    """The table in docs/access.md."""
    text = (PROJECT_ROOT / "docs" / "access.md").read_text()
    rows = re.findall(r"^\| (VIEWER|EDITOR|DEPLOYER|ADMIN|OPERATOR) \| (.*) \|$", text, re.MULTILINE)
    return {name: role for role, names in rows for name in re.findall(r"`(\w+)`", names)}


@pytest.mark.parametrize("role", ROLES)
def test_each_rpc_needs_the_role_of_the_documented_table(registry: Registry, role: str) -> None:
    token, least = registry.member(role), least_roles()
    paths = every_rpc()
    assert {path.rpartition("/")[2] for path in paths} == set(least), "the table has every RPC"
    order = (*ROLES, "OPERATOR")
    for path in paths:
        needed = least[path.rpartition("/")[2]]
        is_denied = registry.code(path, token) is grpc.StatusCode.PERMISSION_DENIED
        assert is_denied == (order.index(role) < order.index(needed)), (path, needed)


def test_a_project_of_others_looks_empty_and_cannot_be_written(registry: Registry) -> None:
    world = World(registry.client(registry.operator))
    bodies = {(route.method, route.path): route.good(world) for route in BODY_ROUTES}
    stranger = registry.client(registry.issuer.token(sub="stranger"))
    empty = registry.client(registry.operator, str(uuid.uuid4()))
    for route in ALL:
        path, body = world.path(route.path), bodies.get((route.method, route.path), NO_BODY)
        path += "?name=x&externalId=x" if route in FINDS else ""
        seen = stranger.request(route.method, path, body)
        if route.method == "POST" and route.path in {"/models", "/serving_environments"}:
            assert (seen.status_code, list(seen.json())) == (403, ["error"]), route
            continue
        expected = empty.request(route.method, path, body)
        assert (seen.status_code, seen.content) == (expected.status_code, expected.content), route
        assert seen.status_code == 200 or seen.status_code >= 400, route
        assert seen.status_code != 200 or route in LISTS
    assert empty.get("/models").json()["total"] == 0
    for path in every_rpc():
        assert registry.code(path, registry.issuer.token(sub="stranger")) is not grpc.StatusCode.INTERNAL, path


def test_roles_change_at_once_for_every_worker(registry: Registry) -> None:
    name, admin = fresh("user"), registry.metadata(registry.operator)
    api = registry.client(registry.issuer.token(sub=name))

    def codes() -> set[int]:
        return {api.post("/models", {"name": fresh("m")}).status_code for _ in range(20)}

    assert codes() == {403}
    for role, expected in (("ROLE_EDITOR", 201), ("ROLE_VIEWER", 403)):
        request = pb.SetMemberRequest(kind="MEMBER_KIND_USER", name=name, role=role)
        registry.access.SetMember(request, metadata=admin, timeout=20)
        until(lambda expected=expected: codes() == {expected})


def until(condition: Any) -> None:
    deadline = time.monotonic() + 3  # well below the time after which workers ask again without a notification
    while not condition():
        assert time.monotonic() < deadline


def test_a_key_is_rotated_under_load_without_a_refused_request(registry: Registry) -> None:
    """The issuer publishes a new key before it signs with it, and withdraws the old one when its tokens have ended."""
    issuer, refused, stop = registry.issuer, [], threading.Event()
    token = {"now": registry.member("VIEWER")}
    user = "rotated-" + uuid.uuid4().hex

    def read() -> None:
        with httpx.Client(base_url=registry.addresses.base_url, timeout=30) as client:
            while not stop.is_set():
                headers = {"Authorization": f"Bearer {token['now']}", "Project-ID": registry.project_id}
                answer = client.get("/api/v1/model-registry/models", headers=headers)
                if answer.status_code != 200:
                    refused.append(answer.text)

    threads = [threading.Thread(target=read) for _ in range(4)]
    for thread in threads:
        thread.start()
    time.sleep(1)
    issuer.keys["k2"] = new_key()
    # A worker asks for unknown keys every 10 s at most; the issuer publishes keys well before it uses them.
    time.sleep(11)
    token["now"] = issuer.token(key_id="k2", sub=user)
    time.sleep(2)
    stop.set()
    for thread in threads:
        thread.join()
    del issuer.keys["k2"]
    assert refused == []


def test_history_has_the_caller_of_the_token_and_not_the_one_it_names(registry: Registry) -> None:
    caller = registry.access.GetCaller(
        pb.GetCallerRequest(), metadata=[*registry.metadata(registry.member("ADMIN")), ("x-user", "boss")], timeout=20
    )
    assert caller.name.startswith("admin-")
    assert (caller.method, caller.role) == (registry.issuer.url, pb.ROLE_ADMIN)


def test_an_api_token_works_for_rest_and_grpc(registry: Registry) -> None:
    request = pb.CreateApiTokenRequest(name=fresh("ci"), role=pb.ROLE_EDITOR)
    made = registry.access.CreateApiToken(request, metadata=registry.metadata(registry.operator), timeout=20).api_token
    api = registry.client(made.token)
    assert api.post("/models", {"name": fresh("m")}).status_code == 201
    assert registry.client(made.token, str(uuid.uuid4())).get("/models").json()["total"] == 0
    caller = registry.access.GetCaller(pb.GetCallerRequest(), metadata=registry.metadata(made.token), timeout=20)
    assert (caller.name, caller.role) == (f"token:{made.name}", pb.ROLE_EDITOR)
    assert made.token not in registry.logs()
    assert registry.operator not in registry.logs()


def test_an_api_token_may_do_no_more_than_the_member_who_has_made_it(registry: Registry) -> None:
    name, boss = fresh("ann"), registry.metadata(registry.operator)
    ann = registry.metadata(registry.issuer.token(sub=name))

    def is_now(role: str) -> None:
        request = pb.SetMemberRequest(kind="MEMBER_KIND_USER", name=name, role=f"ROLE_{role}")
        registry.access.SetMember(request, metadata=boss, timeout=20)

    is_now("ADMIN")
    request = pb.CreateApiTokenRequest(name=fresh("ci"), role=pb.ROLE_EDITOR)
    made = registry.access.CreateApiToken(request, metadata=ann, timeout=20).api_token
    api = registry.client(made.token)
    assert api.post("/models", {"name": fresh("m")}).status_code == 201
    is_now("VIEWER")
    assert wait_until(lambda: api.post("/models", {"name": fresh("m")}).status_code == 403, 20)
    assert api.get("/models").status_code == 200
    removal = pb.RemoveMemberRequest(kind="MEMBER_KIND_USER", name=name)
    registry.access.RemoveMember(removal, metadata=boss, timeout=20)
    path = "/modelregistry.v1.AccessService/GetCaller"
    assert wait_until(lambda: registry.code(path, made.token) is grpc.StatusCode.UNAUTHENTICATED, 20)
    assert api.get("/models").status_code == 401
    listed = registry.access.ListApiTokens(pb.ListApiTokensRequest(page_size=1000), metadata=boss, timeout=20)
    (seen,) = (token for token in listed.api_tokens if token.id == made.id)
    assert (seen.role, seen.created_by, seen.HasField("revoked_at")) == (pb.ROLE_VIEWER, name, True)


@pytest.mark.parametrize("name", ["", " ann", "ann\n", "token:ci"])
def test_members_have_names_that_callers_can_have(registry: Registry, name: str) -> None:
    request = pb.SetMemberRequest(kind="MEMBER_KIND_USER", name=name, role=pb.ROLE_VIEWER)
    with pytest.raises(grpc.RpcError) as refused:
        registry.access.SetMember(request, metadata=registry.metadata(registry.operator), timeout=20)
    error: Any = refused.value
    assert error.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert "name" in error.details()


def audited(registry: Registry, **request: Any) -> list[audit_pb2.AuditEntry]:
    """Newest first."""
    stub = _AUDIT_STUB(registry.channel)
    asked = audit_pb2.ListAuditEntriesRequest(page_size=100, **request)
    return [*stub.ListAuditEntries(asked, metadata=registry.metadata(registry.operator), timeout=20).audit_entries]


def test_writes_and_refused_calls_are_audited_with_the_address_of_the_client(registry: Registry) -> None:
    editor, viewer = registry.member("EDITOR"), registry.member("VIEWER")
    request_id, name, models = str(uuid.uuid4()), fresh("audited"), "/models"
    spoofed = {"X-Gateway-Client": "192.0.2.66", "X-Request-ID": request_id}
    said: dict[str, Any] = {"headers": spoofed, "body": {"name": name}}
    assert registry.client(editor).request("POST", models, **said).status_code == 201
    (written,) = audited(registry, filter=f'request_id = "{request_id}"')
    assert (written.type, written.name, written.address) == ("model.created", name, "127.0.0.1")
    assert written.actor.startswith("editor-")
    assert (written.authentication, written.rpc) == (
        registry.issuer.url, "modelregistry.v1.rest.RegisteredModelService/CreateRegisteredModel"
    )  # fmt: skip
    assert registry.client(viewer).request("POST", models, **said).status_code == 403
    refused = audited(registry, filter=f'request_id = "{request_id}"')[0]
    assert (refused.type, refused.details["reason"], refused.address) == (
        "call.refused", "PERMISSION_DENIED", "127.0.0.1"
    )  # fmt: skip
    assert registry.client(None).request("POST", models, **said).status_code == 401
    assert audited(registry, filter=f'request_id = "{request_id}"') == [refused, written]
    # Other tests may have had as many calls refused in this minute as are written, so it need not be this one.
    everywhere = audited(registry, filter='details.reason = "UNAUTHENTICATED"', all_projects=True)
    reasons = {(entry.details["reason"], entry.project_id) for entry in everywhere}
    assert ("UNAUTHENTICATED", str(uuid.UUID(int=0))) in reasons
