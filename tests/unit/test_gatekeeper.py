"""Who is admitted, and what is remembered."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from tests.fakes.access import InMemoryAccess

from modelregistry.v1 import access_pb2
from registry_grpc.adapters.grpc.call import Call
from registry_grpc.adapters.grpc.servicers.access import AccessServicer
from registry_grpc.domain.access import NOWHERE, Caller, MemberKind, NewApiToken, NewMember, Role, role_of
from registry_grpc.domain.errors import InvalidRequest, PermissionDenied, Unauthenticated
from registry_grpc.domain.paging import Slice
from registry_grpc.services import access as access_module
from registry_grpc.services.access import Gatekeeper, OpenGate, forget_changes, issue_token
from registry_grpc.services.projects import OpenTenancy

PROJECT = uuid4()
BOSS = Caller(name="boss", method="https://issuer", role=Role.OPERATOR)
ANN = Caller(name="ann", method="https://issuer", groups=frozenset({"team"}), expires_at=time.time() + 3600)


@dataclass
class Issuer:
    """Implements ports.access.Issuers: each token is a name."""

    callers: dict[str, Caller] = field(default_factory=lambda: {"ann": ANN})
    asked: int = 0
    is_closed: bool = False

    async def caller_of(self, token: str) -> Caller:
        self.asked += 1
        if token not in self.callers:
            raise Unauthenticated("the token is not valid")
        return self.callers[token]

    def close(self) -> None:
        self.is_closed = True


class World:
    def __init__(self, *, operators: tuple[str, ...] = (), operator_groups: tuple[str, ...] = ()) -> None:
        self.access, self.issuer = InMemoryAccess(), Issuer()
        self.gate = Gatekeeper(
            access=self.access,
            tenants=OpenTenancy(),
            issuers=self.issuer,
            operators=operators,
            operator_groups=operator_groups,
        )

    async def member(self, name: str, role: Role, kind: MemberKind = MemberKind.USER, project: UUID = PROJECT) -> None:
        await self.access.set_member(project, NewMember(kind=kind, name=name, role=role))

    async def enter(self, least: Role, *, needs_object: bool = False, project: UUID = PROJECT) -> UUID:
        caller = await self.gate.caller_of("Bearer ann", "somebody else")
        entered, _ = await self.gate.enter(caller, project, least, needs_object=needs_object)
        return entered


@pytest.mark.parametrize("role", [Role.VIEWER, Role.EDITOR, Role.DEPLOYER, Role.ADMIN])
async def test_each_role_may_do_what_lower_ones_may(role: Role) -> None:
    world = World()
    await world.member("ann", role)
    for least in Role:
        if least <= role:
            assert await world.enter(least) == PROJECT
        else:
            with pytest.raises(PermissionDenied) as denied:
                await world.enter(least, needs_object=True)
            assert denied.value.metadata == {"needed_role": least.name, "role": role.name}


async def test_without_a_role_the_project_is_empty_and_nothing_can_be_made_in_it() -> None:
    world = World()
    await world.member("bob", Role.ADMIN)
    assert await world.enter(Role.VIEWER) == NOWHERE
    assert await world.enter(Role.ADMIN, needs_object=True) == NOWHERE
    with pytest.raises(PermissionDenied):
        await world.enter(Role.EDITOR)
    with pytest.raises(PermissionDenied):
        await world.enter(Role.OPERATOR, needs_object=True)


async def test_the_highest_role_of_user_and_groups_counts() -> None:
    world = World()
    await world.member("ann", Role.VIEWER)
    await world.member("team", Role.DEPLOYER, MemberKind.GROUP)
    await world.member("team", Role.ADMIN, MemberKind.USER)
    await world.member("team", Role.ADMIN, MemberKind.GROUP, uuid4())
    caller = await world.gate.caller_of("Bearer ann", "")
    assert await world.gate.enter(caller, PROJECT, Role.VIEWER, needs_object=False) == (PROJECT, Role.DEPLOYER)


async def test_operators_are_admins_everywhere_by_name_or_group() -> None:
    for world in (World(operators=("ann",)), World(operator_groups=("team",))):
        assert await world.enter(Role.OPERATOR) == PROJECT
        assert await world.enter(Role.ADMIN, project=uuid4()) != NOWHERE
    for world in (World(operators=("team",)), World(operator_groups=("ann",))):
        assert await world.enter(Role.VIEWER) == NOWHERE


@pytest.mark.parametrize(
    "authorization", ["", "ann", "Bearer", "Bearer ", "Basic ann", "Bearer bob", "Bearer rgt_unknown"]
)
async def test_who_proves_nothing_is_refused(authorization: str) -> None:
    with pytest.raises(Unauthenticated) as refused:
        await World().gate.caller_of(authorization, "ann")
    assert "bob" not in str(refused.value)


async def test_a_token_of_an_issuer_is_verified_once_until_it_expires() -> None:
    world = World()
    for _ in range(3):
        assert await world.gate.caller_of("Bearer ann", "") == ANN
    assert world.issuer.asked == 1
    world.issuer.callers["old"] = replace(ANN, expires_at=time.time() - 1)
    for _ in range(3):
        await world.gate.caller_of("Bearer old", "")
    assert world.issuer.asked == 4


async def test_other_spellings_of_a_token_do_not_fill_what_is_remembered() -> None:
    world = World()
    for blanks in range(1, 5):
        for scheme in ("Bearer", "bearer", "BEARER"):
            assert await world.gate.caller_of(f"{scheme}{' ' * blanks}ann ", "") == ANN
    assert world.issuer.asked == 1


async def test_what_has_not_the_form_of_an_api_token_is_not_looked_up() -> None:
    world = World()
    for text in ("rgt_", "rgt_unknown", "rgt_" + "x" * 42, "rgt_" + "x" * 44, "rgt_" + "é" * 43):
        with pytest.raises(Unauthenticated):
            await world.gate.caller_of(f"Bearer {text}", "")
    assert world.access.reads == 0


async def test_many_unknown_tokens_leave_room_to_read_members(monkeypatch: pytest.MonkeyPatch) -> None:
    """Both use the same connections of the database, whose queue is bounded."""
    world, proceed, under_way = World(), asyncio.Event(), list[bytes]()

    async def slowly(hash: bytes) -> None:
        under_way.append(hash)
        await proceed.wait()

    monkeypatch.setattr(world.access, "token_by_hash", slowly)
    calls = [asyncio.create_task(world.gate.caller_of(f"Bearer rgt_{n:043}", "")) for n in range(1000)]
    for _ in range(5):
        await asyncio.sleep(0)
    assert 0 < len(under_way) <= 20
    proceed.set()
    refusals = await asyncio.gather(*calls, return_exceptions=True)
    assert {type(refusal) for refusal in refusals} == {Unauthenticated}
    assert len(under_way) == 1000


async def test_an_api_token_has_its_role_in_its_project_only() -> None:
    world = World()
    created = await issue_token(world.access, PROJECT, NewApiToken(name="ci", role=Role.EDITOR), BOSS)
    assert created.created_by == "boss"
    caller = await world.gate.caller_of(f"Bearer {created.text}", "")
    assert caller.name == "token:ci"
    assert await world.gate.enter(caller, PROJECT, Role.EDITOR, needs_object=False) == (PROJECT, Role.EDITOR)
    assert await world.gate.enter(caller, uuid4(), Role.VIEWER, needs_object=False) == (NOWHERE, None)
    with pytest.raises(PermissionDenied):
        await world.gate.enter(caller, PROJECT, Role.DEPLOYER, needs_object=True)
    assert (await world.access.list_tokens(PROJECT, Slice(by_cursor=True))).items[0].last_used_at is not None


async def test_roles_and_api_tokens_are_remembered_until_something_changes() -> None:
    world = World()
    await world.member("ann", Role.EDITOR)
    created = await issue_token(world.access, PROJECT, NewApiToken(name="ci", role=Role.EDITOR), BOSS)
    running = asyncio.create_task(forget_changes(world.access, [world.gate.forget]))
    await asyncio.sleep(0)
    for _ in range(3):
        await world.enter(Role.EDITOR)
        await world.gate.caller_of(f"Bearer {created.text}", "")
    assert world.access.reads == 2
    await world.access.remove_member(PROJECT, MemberKind.USER, "ann")
    await world.access.revoke_token(PROJECT, created.id)
    async with asyncio.timeout(20):
        while await world.enter(Role.VIEWER) != NOWHERE:  # noqa: ASYNC110 - the gate tells nobody
            await asyncio.sleep(0)
    with pytest.raises(Unauthenticated):
        await world.gate.caller_of(f"Bearer {created.text}", "")
    running.cancel()


async def test_what_was_read_before_a_change_is_not_remembered_after_it() -> None:
    world = World()
    await world.member("ann", Role.EDITOR)
    world.access.changed.clear()
    read = world.access.members

    async def slowly(project_id: UUID, caller: Caller) -> object:
        found = await read(project_id, caller)
        await world.access.remove_member(PROJECT, MemberKind.USER, "ann")
        for _ in range(5):
            await asyncio.sleep(0)
        world.access.members = read  # type: ignore[method-assign]
        return found

    world.access.members = slowly  # type: ignore[method-assign, assignment]
    running = asyncio.create_task(forget_changes(world.access, [world.gate.forget]))
    await asyncio.sleep(0)
    assert await world.enter(Role.EDITOR) == PROJECT
    assert await world.enter(Role.VIEWER) == NOWHERE
    running.cancel()


async def test_without_authentication_the_caller_is_whom_it_says() -> None:
    gate = OpenGate(OpenTenancy())
    caller = await gate.caller_of("Bearer ann", "bob")
    assert (caller.name, caller.method) == ("bob", "none")
    assert await gate.enter(caller, PROJECT, Role.OPERATOR, needs_object=False) == (PROJECT, Role.OPERATOR)


def test_a_caller_without_groups_has_no_role_by_an_empty_name() -> None:
    caller = Caller(name="", method="m")
    assert role_of(caller, PROJECT, {(MemberKind.GROUP, ""): Role.ADMIN}) is None


@pytest.mark.parametrize("role", [None, Role.OPERATOR])
def test_members_and_tokens_cannot_be_operators(role: Role | None) -> None:
    with pytest.raises(InvalidRequest) as refused:
        NewMember(kind=None, name="", role=role)
    assert {violation.field for violation in refused.value.violations} == {"kind", "name", "role"}
    with pytest.raises(InvalidRequest) as refused:
        NewApiToken(name="", role=role, lifetime=timedelta(days=367))
    assert {violation.field for violation in refused.value.violations} == {"name", "role", "lifetime"}


@pytest.mark.parametrize("seconds", [-(2**62), -1, 0, 367 * 86_400, 2**62])
async def test_a_lifetime_out_of_range_is_refused(seconds: int) -> None:
    create: Any = vars(AccessServicer)["CreateApiToken"]
    request = access_pb2.CreateApiTokenRequest(name="ci", role=access_pb2.ROLE_VIEWER)
    request.lifetime.seconds = seconds
    call = Call(method="CreateApiToken", project_id=PROJECT)
    with pytest.raises(InvalidRequest) as refused:
        await create.serve(AccessServicer(InMemoryAccess()), request, call)
    assert [violation.field for violation in refused.value.violations] == ["lifetime"]


@pytest.mark.parametrize(
    "name", ["", " ", "ann ", "\tann", "ann\n", "a\0n", "ann\u200b", "ann\u00a0", "x" * 256, "token:ci"]
)
def test_names_that_no_caller_can_have_are_no_members(name: str) -> None:
    with pytest.raises(InvalidRequest) as refused:
        NewMember(kind=MemberKind.USER, name=name, role=Role.VIEWER)
    assert {violation.field for violation in refused.value.violations} == {"name"}


def test_names_of_members_are_kept_as_they_are_written() -> None:
    for name in ("Alice@Example.com", "ann von x", "Ärger", "repo:acme/models:ref:refs/heads/main"):
        assert NewMember(kind=MemberKind.GROUP, name=name, role=Role.VIEWER).name == name
    caller = Caller(name="alice@example.com", method="m")
    assert role_of(caller, PROJECT, {(MemberKind.USER, "Alice@Example.com"): Role.ADMIN}) is None


async def test_a_role_that_another_worker_gives_is_noticed_before_its_caller_is_denied(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    world = World()
    monkeypatch.setattr(access_module, "_DENIAL_SECONDS", 0)
    assert await world.enter(Role.VIEWER) == NOWHERE
    await world.member("ann", Role.EDITOR)  # nobody tells this gate
    assert await world.enter(Role.EDITOR) == PROJECT
    reads = world.access.reads
    assert await world.enter(Role.EDITOR) == PROJECT
    assert world.access.reads == reads


async def test_a_closed_gate_closes_its_issuers() -> None:
    world = World()
    world.gate.close()
    assert world.issuer.is_closed
