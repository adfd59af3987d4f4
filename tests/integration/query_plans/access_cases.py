"""The statements of members, API tokens and projects as tenants, and rows for them."""

from __future__ import annotations

from uuid import UUID, uuid4

import asyncpg
from tests.bench import data
from tests.fakes.builders import CREATED_AT, a_model
from tests.integration.query_plans import serving_data
from tests.integration.query_plans.loaded import CURSOR, Case, Loaded, once

from registry_grpc.domain.access import ApiToken, Caller, MemberKind, NewApiToken, NewMember, Role, hash_of
from registry_grpc.domain.project import Kind, NewProject, Project, ProjectPatch

PROJECT, TOKEN = data.PROJECT, UUID(int=7)
ALL = serving_data.ROWS
_MEMBERS = 50
_TOKENS = 10_000
# The project has a few members and many tokens, most of which were revoked; others have one of each.
_ROWS = f"""
INSERT INTO member (id, project_id, kind, name, role)
SELECT gen_random_uuid(), CASE WHEN i <= {_MEMBERS} THEN '{PROJECT}'::uuid ELSE gen_random_uuid() END, 'USER',
    'user-' || i, 'VIEWER'
FROM generate_series(1, {ALL}) AS i;
INSERT INTO api_token (id, created_at, project_id, name, role, hash, created_by, expires_at, revoked_at)
SELECT ('00000000-0000-0000-0000-' || lpad(to_hex(i), 12, '0'))::uuid, now() - i * interval '1 s',
    CASE WHEN i <= {_TOKENS} THEN '{PROJECT}'::uuid ELSE gen_random_uuid() END, 'token-' || i, 'EDITOR',
    sha256(i::text::bytea), 'ann', now() + interval '1 day', CASE WHEN i % 10 > 0 THEN now() END
FROM generate_series(1, {ALL}) AS i;
INSERT INTO project (id, name, description, namespaces, uris, service_accounts, runtimes)
SELECT CASE WHEN i = 1 THEN '{PROJECT}'::uuid ELSE gen_random_uuid() END, 'project-' || i, '',
    '{{}}', '{{}}', '{{}}', '{{}}'
FROM generate_series(1, {ALL}) AS i
"""


async def load(database_url: str) -> None:
    connection = await asyncpg.connect(database_url)
    try:
        await connection.execute(_ROWS)
    finally:
        await connection.close()


async def _use_a_token(loaded: Loaded) -> None:
    assert await loaded.access.token_by_hash(hash_of("10"))


async def _create_a_token(loaded: Loaded) -> None:
    token = ApiToken(
        id=uuid4(), project_id=PROJECT, name="new", role=Role.EDITOR, created_by="ann",
        created_at=CREATED_AT, expires_at=CREATED_AT, text="new",
    )  # fmt: skip
    await loaded.access.create_token(token)


async def _lower_a_member(loaded: Loaded) -> None:
    """With tokens that it has made."""
    for role in (Role.ADMIN, Role.VIEWER):
        await loaded.access.set_member(PROJECT, NewMember(kind=MemberKind.USER, name="user-9", role=role))
        if role is Role.ADMIN:
            token = ApiToken.create(
                NewApiToken(name="by 9", role=role), id=uuid4(), project_id=PROJECT, created_by="user-9", now=CREATED_AT
            )
            await loaded.access.create_token(token, Caller(name="user-9", method="", groups=frozenset({"team"})))


async def _grow(loaded: Loaded) -> None:
    """A write that may exceed quotas of all kinds."""
    kinds: tuple[Kind, ...] = ("models", "versions", "deployments", "bytes")
    await loaded.projects.update(PROJECT, ProjectPatch(max_models=0, max_versions=0, max_deployments=0, max_bytes=0))
    async with loaded.projects.bounded(PROJECT, kinds):
        await loaded.models.create(a_model(PROJECT))


_CALLER = Caller(name="user-9", method="", groups=frozenset({"team", "another"}))
# Sizes and deployments have no counters.
_USAGE = once("model_version", 2 * ALL) | once("artifact", 2 * ALL + 5_000) | once("deployment", ALL + 5_000)

CASES: dict[str, Case] = {
    "list members": Case(lambda loaded: loaded.access.list_members(PROJECT, CURSOR), 200),
    "add a member": Case(
        lambda loaded: loaded.access.set_member(PROJECT, NewMember(kind=MemberKind.USER, name="new", role=Role.VIEWER))
    ),
    # Most projects have so few members that any index finds one.
    "members": Case(lambda loaded: loaded.access.members(PROJECT, _CALLER), _MEMBERS),
    "remove a member": Case(lambda loaded: loaded.access.remove_member(PROJECT, MemberKind.USER, "user-7"), _MEMBERS),
    "lower a member": Case(_lower_a_member),
    "create a token": Case(_create_a_token, _MEMBERS),
    "list tokens": Case(lambda loaded: loaded.access.list_tokens(PROJECT, CURSOR), 200),
    "revoke a token": Case(lambda loaded: loaded.access.revoke_token(PROJECT, TOKEN)),
    "use a token": Case(_use_a_token),
    "create a project": Case(lambda loaded: loaded.projects.create(Project.create(NewProject(name="new"), uuid4()))),
    "get a project": Case(lambda loaded: loaded.projects.get(PROJECT)),
    "list projects": Case(lambda loaded: loaded.projects.list(CURSOR), 200),
    "change a project": Case(lambda loaded: loaded.projects.update(PROJECT, ProjectPatch(description="new"))),
    "usage of a project": Case(lambda loaded: loaded.projects.usage(PROJECT), walks=_USAGE),
    "a write that may exceed a quota": Case(_grow, walks=_USAGE, is_refused=True),
}
