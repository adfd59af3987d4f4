"""Members and API tokens in PostgreSQL."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import suppress
from typing import Any
from uuid import UUID, uuid4

from registry_grpc.adapters.postgres.channel import Channel
from registry_grpc.adapters.postgres.columns import of_table, select_list
from registry_grpc.adapters.postgres.database import Database
from registry_grpc.adapters.postgres.listing import Conditions, Listing
from registry_grpc.domain.access import (
    TOKEN_NAME,
    ApiToken,
    Caller,
    Member,
    MemberKind,
    Members,
    NewMember,
    Role,
    hash_of,
)
from registry_grpc.domain.errors import NotFound, PermissionDenied, Reason, RegistryError
from registry_grpc.domain.paging import Page, Slice, Sort

_CHANNEL = "registry_access"
_POLL_SECONDS = 5.0

_MEMBER_FIELDS = ("id", "created_at", "updated_at", "project_id", "kind", "name", "role")
_MEMBERS = """
SELECT kind, name, role FROM member WHERE project_id = $1 AND kind = 'USER' AND name = $2
UNION ALL
SELECT kind, name, role FROM member WHERE project_id = $1 AND kind = 'GROUP' AND name = ANY($3::text[])
"""
_SET_MEMBER = f"""
INSERT INTO member (id, project_id, kind, name, role) VALUES ($1, $2, $3, $4, $5)
ON CONFLICT ON CONSTRAINT uq_member_project_name
    DO UPDATE SET role = $5, updated_at = greatest(now(), member.created_at)
RETURNING {", ".join(_MEMBER_FIELDS)}
"""
_REMOVE_MEMBER = "DELETE FROM member WHERE project_id = $1 AND kind = $2 AND name = $3 RETURNING id"
_MEMBER_LISTING = Listing(
    columns=of_table("m", _MEMBER_FIELDS),
    source="member m",
    table="m",
    sort_columns={"created_at": "m.created_at"},
)

_TOKEN_FIELDS = (
    "id", "created_at", "project_id", "name", "role", "created_by", "expires_at", "last_used_at", "revoked_at"
)  # fmt: skip
_TOKEN_COLUMNS = select_list(of_table("t", _TOKEN_FIELDS))
# The member stays as it is until the end of the transaction: those who lower or remove it then find the token.
_CREATE_TOKEN = f"""
WITH parent AS (
    SELECT member_id FROM api_token WHERE project_id = $3 AND revoked_at IS NULL
        AND name = CASE WHEN starts_with($9, '{TOKEN_NAME}') THEN substr($9, {len(TOKEN_NAME) + 1}) END
), holder AS MATERIALIZED (
    SELECT id FROM member WHERE project_id = $3 AND role = 'ADMIN' AND (
        id = (SELECT member_id FROM parent)
        OR kind = 'USER' AND name = $9
        OR kind = 'GROUP' AND name = ANY($10::text[])
    ) ORDER BY kind DESC LIMIT 1 FOR SHARE
)
INSERT INTO api_token (id, created_at, project_id, name, role, created_by, expires_at, hash, member_id)
SELECT $1, $2, $3, $4, $5, $6, $7, $8, (SELECT id FROM holder)
WHERE $9::text IS NULL OR EXISTS (SELECT FROM holder) OR EXISTS (SELECT FROM parent WHERE member_id IS NULL)
RETURNING id
"""
_LOWER_TOKENS = "UPDATE api_token SET role = $2 WHERE member_id = $1 AND role = ANY($3)"
_REVOKE_TOKENS = "UPDATE api_token SET revoked_at = now() WHERE member_id = $1 AND revoked_at IS NULL"
_REVOKE_TOKEN = f"""
UPDATE api_token t SET revoked_at = coalesce(revoked_at, now()) WHERE id = $1 AND project_id = $2
RETURNING {_TOKEN_COLUMNS}
"""
_TOKEN_BY_HASH = (
    f"SELECT {_TOKEN_COLUMNS} FROM api_token t WHERE hash = $1 AND revoked_at IS NULL AND expires_at > now()"
)
_NOTE_USE = """
UPDATE api_token SET last_used_at = now()
WHERE id = $1 AND (last_used_at IS NULL OR last_used_at < now() - interval '1 minute')
"""
_TOKEN_LISTING = Listing(
    columns=of_table("t", _TOKEN_FIELDS),
    source="api_token t",
    table="t",
    sort_columns={"created_at": "t.created_at"},
)


class PostgresAccessRepository:
    """Implements ports.access.AccessRepository."""

    def __init__(self, database: Database) -> None:
        self._database = database.share("access")
        self._channel = Channel(database, _CHANNEL, poll_seconds=_POLL_SECONDS)

    async def members(self, project_id: UUID, caller: Caller) -> Members:
        rows = await self._database.fetch(_MEMBERS, project_id, caller.name, list(caller.groups))
        return {(MemberKind(row["kind"]), row["name"]): Role[row["role"]] for row in rows}

    async def list_members(self, project_id: UUID, slice: Slice) -> Page[Member]:
        of_project = Conditions.equal(project_id=project_id)
        return await _MEMBER_LISTING.page(self._database, of_project, Sort(), slice, total=None, item=_member_from)

    async def set_member(self, project_id: UUID, new: NewMember) -> Member:
        kind, role = _given(new)
        higher = [each.name for each in Role if each > role]
        async with self._database.transaction() as connection:
            row: Any = await connection.fetchrow(_SET_MEMBER, uuid4(), project_id, kind, new.name, role.name)
            await connection.execute(_LOWER_TOKENS, row["id"], role.name, higher)
        return _member_from(row)

    async def remove_member(self, project_id: UUID, kind: MemberKind, name: str) -> None:
        async with self._database.transaction() as connection:
            if (id_ := await connection.fetchval(_REMOVE_MEMBER, project_id, kind, name)) is None:
                raise NotFound(Reason.MEMBER_NOT_FOUND, kind=kind, name=name)
            await connection.execute(_REVOKE_TOKENS, id_)

    async def create_token(self, token: ApiToken, creator: Caller | None = None) -> ApiToken:
        values = (token.id, token.created_at, token.project_id, token.name, token.role.name, token.created_by)
        by = (creator.name, list(creator.groups)) if creator else (None, [])
        if not await self._database.write(_CREATE_TOKEN, *values, token.expires_at, hash_of(token.text), *by):
            raise PermissionDenied(Role.ADMIN.name, "")
        return token

    async def list_tokens(self, project_id: UUID, slice: Slice) -> Page[ApiToken]:
        of_project = Conditions.equal(project_id=project_id)
        return await _TOKEN_LISTING.page(self._database, of_project, Sort(), slice, total=None, item=_token_from)

    async def revoke_token(self, project_id: UUID, id: UUID) -> ApiToken:
        row = await self._database.write(_REVOKE_TOKEN, id, project_id)
        if row is None:
            raise NotFound.of(Reason.API_TOKEN_NOT_FOUND, id)
        return _token_from(row)

    async def token_by_hash(self, hash: bytes) -> ApiToken | None:
        row = await self._database.fetchrow(_TOKEN_BY_HASH, hash)
        if row is None:
            return None
        with suppress(RegistryError):  # a standby cannot note it
            await self._database.execute(_NOTE_USE, row["id"])
        return _token_from(row)

    def changes(self) -> AsyncGenerator[None, None]:
        return self._channel.wake_ups()


def _given(new: NewMember) -> tuple[MemberKind, Role]:
    if new.kind is None or new.role is None:
        raise TypeError("a checked member has a kind and a role")
    return new.kind, new.role


def _member_from(row: Any) -> Member:
    values = {name: row[name] for name in _MEMBER_FIELDS}
    return Member(**values | {"kind": MemberKind(row["kind"]), "role": Role[row["role"]]})


def _token_from(row: Any) -> ApiToken:
    return ApiToken(**{name: row[name] for name in _TOKEN_FIELDS} | {"role": Role[row["role"]]})
