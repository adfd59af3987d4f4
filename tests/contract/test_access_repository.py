"""The contract of AccessRepository."""

from __future__ import annotations

import asyncio
import itertools
from contextlib import aclosing
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from tests.fakes.access import InMemoryAccess
from tests.refusals import refused

from registry_grpc.adapters.postgres.access import PostgresAccessRepository
from registry_grpc.adapters.postgres.database import Database
from registry_grpc.domain.access import ApiToken, Caller, MemberKind, NewApiToken, NewMember, Role, hash_of
from registry_grpc.domain.errors import AlreadyExists, NotFound, PermissionDenied, Reason
from registry_grpc.domain.paging import Slice
from registry_grpc.ports.access import AccessRepository

FIRST = Slice(by_cursor=True)


@pytest.fixture(params=["fake", "postgres"])
def access(request: pytest.FixtureRequest) -> AccessRepository:
    if request.param == "fake":
        return InMemoryAccess()
    database: Database = request.getfixturevalue("database")
    return PostgresAccessRepository(database)


def a_member(name: str = "ann", role: Role = Role.EDITOR, kind: MemberKind = MemberKind.USER) -> NewMember:
    return NewMember(kind=kind, name=name, role=role)


ANN = Caller(name="ann", method="https://issuer", groups=frozenset({"ann", "team"}))


def a_token(project_id: UUID, name: str = "ci", **fields: Any) -> ApiToken:
    now = fields.pop("now", datetime.now(UTC))
    given: dict[str, Any] = {"name": name, "role": Role.DEPLOYER} | fields
    new = NewApiToken(**given)
    return ApiToken.create(new, id=uuid4(), project_id=project_id, created_by="ann", now=now)


async def test_a_member_has_the_role_that_was_set_last(access: AccessRepository, project_id: UUID) -> None:
    added = await access.set_member(project_id, a_member())
    changed = await access.set_member(project_id, a_member(role=Role.ADMIN))
    assert (changed.id, changed.created_at, changed.role) == (added.id, added.created_at, Role.ADMIN)
    assert await access.members(project_id, ANN) == {(MemberKind.USER, "ann"): Role.ADMIN}
    assert (await access.list_members(project_id, FIRST)).items == (changed,)


async def test_users_and_groups_of_one_name_are_two_members(access: AccessRepository, project_id: UUID) -> None:
    await access.set_member(project_id, a_member())
    await access.set_member(project_id, a_member(kind=MemberKind.GROUP, role=Role.VIEWER))
    await access.remove_member(project_id, MemberKind.USER, "ann")
    assert await access.members(project_id, ANN) == {(MemberKind.GROUP, "ann"): Role.VIEWER}


async def test_of_many_members_only_the_caller_and_its_groups_are_read(
    access: AccessRepository, project_id: UUID
) -> None:
    """Otherwise a project with many of them would take the time of the others."""
    await access.set_member(project_id, a_member(role=Role.VIEWER))
    for kind, name in itertools.product(MemberKind, ("team", "ann2", "teams")):
        await access.set_member(project_id, a_member(name, Role.ADMIN, kind))
    found = await access.members(project_id, ANN)
    assert found == {(MemberKind.USER, "ann"): Role.VIEWER, (MemberKind.GROUP, "team"): Role.ADMIN}
    assert await access.members(project_id, Caller(name="bob", method="https://issuer")) == {}


async def test_members_and_tokens_of_other_projects_do_not_exist(access: AccessRepository, project_id: UUID) -> None:
    other = uuid4()
    await access.set_member(other, a_member())
    token = await access.create_token(a_token(other))
    assert await access.members(project_id, ANN) == {}
    assert not (await access.list_members(project_id, FIRST)).items
    assert not (await access.list_tokens(project_id, FIRST)).items
    with refused(NotFound, Reason.MEMBER_NOT_FOUND):
        await access.remove_member(project_id, MemberKind.USER, "ann")
    with refused(NotFound, Reason.API_TOKEN_NOT_FOUND):
        await access.revoke_token(project_id, token.id)
    assert await access.token_by_hash(hash_of(token.text)) is not None


async def test_a_token_is_found_by_its_hash_only(access: AccessRepository, project_id: UUID) -> None:
    token = await access.create_token(a_token(project_id))
    found = await access.token_by_hash(hash_of(token.text))
    assert found is not None
    assert (found.id, found.name, found.role, found.text) == (token.id, "ci", Role.DEPLOYER, "")
    assert await access.token_by_hash(hash_of(token.text + "x")) is None
    assert await access.token_by_hash(token.text.encode()) is None
    (listed,) = (await access.list_tokens(project_id, FIRST)).items
    assert listed.last_used_at is not None
    assert listed.text == ""


async def test_a_revoked_token_is_not_found_and_frees_its_name(access: AccessRepository, project_id: UUID) -> None:
    token = await access.create_token(a_token(project_id))
    with refused(AlreadyExists, Reason.API_TOKEN_NAME_TAKEN):
        await access.create_token(a_token(project_id))
    revoked = await access.revoke_token(project_id, token.id)
    assert await access.revoke_token(project_id, token.id) == revoked, "the time of the first revocation"
    assert await access.token_by_hash(hash_of(token.text)) is None
    await access.create_token(a_token(project_id))


async def test_an_expired_token_is_not_found(access: AccessRepository, project_id: UUID) -> None:
    then = datetime.now(UTC) - timedelta(days=2)
    token = await access.create_token(a_token(project_id, now=then, lifetime=timedelta(days=1)))
    assert await access.token_by_hash(hash_of(token.text)) is None


def a_caller(name: str = "ann", *groups: str) -> Caller:
    return Caller(name=name, method="https://issuer", groups=frozenset(groups))


async def roles(access: AccessRepository, *tokens: ApiToken) -> list[Role | None]:
    """The present roles of the tokens, None for those that no longer work."""
    found = [await access.token_by_hash(hash_of(token.text)) for token in tokens]
    return [token.role if token else None for token in found]


@pytest.mark.parametrize("kind", MemberKind)
async def test_a_token_may_never_do_more_than_the_member_by_which_its_creator_could_make_it(
    access: AccessRepository, project_id: UUID, kind: MemberKind
) -> None:
    by_ann = a_caller("ann", "team")
    name = "ann" if kind is MemberKind.USER else "team"
    await access.set_member(project_id, a_member(name, Role.ADMIN, kind))
    await access.set_member(project_id, a_member("another", role=Role.ADMIN))
    first, second = a_token(project_id, "a", role=Role.ADMIN), a_token(project_id, "v", role=Role.VIEWER)
    for token in (first, second):
        await access.create_token(token, by_ann)
    made_with_first, others = a_token(project_id, "c"), a_token(project_id, "o")
    await access.create_token(made_with_first, first.caller)
    await access.create_token(others, a_caller("another"))

    await access.set_member(project_id, a_member(name, Role.EDITOR, kind))
    assert await roles(access, first, made_with_first, second) == [Role.EDITOR, Role.EDITOR, Role.VIEWER]
    await access.set_member(project_id, a_member(name, Role.ADMIN, kind))
    assert await roles(access, first, second) == [Role.EDITOR, Role.VIEWER], "for good"
    await access.remove_member(project_id, kind, name)

    assert await roles(access, first, made_with_first, second, others) == [None, None, None, Role.DEPLOYER]
    revoked = {it.name for it in (await access.list_tokens(project_id, FIRST)).items if it.revoked_at}
    assert revoked == {"a", "c", "v"}


async def test_a_user_counts_before_its_groups(access: AccessRepository, project_id: UUID) -> None:
    for kind, name in ((MemberKind.GROUP, "team"), (MemberKind.USER, "ann")):
        await access.set_member(project_id, a_member(name, Role.ADMIN, kind))
    token = await access.create_token(a_token(project_id), a_caller("ann", "team"))
    await access.remove_member(project_id, MemberKind.GROUP, "team")
    assert await roles(access, token) == [Role.DEPLOYER]
    await access.remove_member(project_id, MemberKind.USER, "ann")
    assert await roles(access, token) == [None]


async def test_tokens_that_nobody_limits_stay(access: AccessRepository, project_id: UUID) -> None:
    """Those of operators and of the command line, and those that are made with them."""
    await access.set_member(project_id, a_member(role=Role.ADMIN))
    first = await access.create_token(a_token(project_id, "first", role=Role.ADMIN))
    second = await access.create_token(a_token(project_id, "second"), first.caller)
    await access.remove_member(project_id, MemberKind.USER, "ann")
    assert await roles(access, first, second) == [Role.ADMIN, Role.DEPLOYER]


async def test_who_is_no_admin_any_more_makes_no_token(access: AccessRepository, project_id: UUID) -> None:
    """The gate may have admitted the creator just before."""
    await access.set_member(project_id, a_member(role=Role.ADMIN))
    await access.set_member(project_id, a_member("team", Role.EDITOR, MemberKind.GROUP))
    parent = await access.create_token(a_token(project_id, "parent", role=Role.ADMIN), a_caller())
    await access.remove_member(project_id, MemberKind.USER, "ann")
    for creator in (a_caller("ann", "team"), a_caller("ann", "ann"), parent.caller):
        with pytest.raises(PermissionDenied):
            await access.create_token(a_token(project_id), creator)
    assert [it.name for it in (await access.list_tokens(project_id, FIRST)).items] == ["parent"]


async def test_no_token_outlives_a_member_that_is_removed_while_it_is_made(
    database: Database, project_id: UUID
) -> None:
    access, token, other = PostgresAccessRepository(database), a_token(project_id), a_token(project_id, "other")
    await access.set_member(project_id, a_member(role=Role.ADMIN))
    made, removal_waits = asyncio.Event(), asyncio.Event()

    async def make() -> None:
        async with database.unit():
            await access.create_token(token, a_caller())
            made.set()
            await removal_waits.wait()

    making = asyncio.create_task(make())
    await made.wait()
    removing = asyncio.create_task(access.remove_member(project_id, MemberKind.USER, "ann"))
    waiting = "SELECT FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE 'DELETE FROM member%'"
    async with asyncio.timeout(20):
        while not removing.done() and not await database.fetch(waiting):
            pass
    removal_waits.set()
    await asyncio.gather(making, removing)
    assert await roles(access, token) == [None]
    with pytest.raises(PermissionDenied):
        await access.create_token(other, a_caller())


async def test_changes_are_told(access: AccessRepository, project_id: UUID) -> None:
    token = await access.create_token(a_token(project_id))
    async with aclosing(access.changes()) as changes, asyncio.timeout(20):
        await anext(changes)
        await access.set_member(project_id, a_member())
        await anext(changes)
        await access.revoke_token(project_id, token.id)
        await anext(changes)
        await access.remove_member(project_id, MemberKind.USER, "ann")
        await anext(changes)
