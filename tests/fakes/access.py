"""Members and API tokens in memory."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from uuid import UUID, uuid4

from tests.fakes.store import page_of

from registry_grpc.domain.access import ApiToken, Caller, Member, MemberKind, Members, NewMember, Role, hash_of
from registry_grpc.domain.errors import AlreadyExists, NotFound, PermissionDenied, Reason
from registry_grpc.domain.paging import Page, Slice, Sort


@dataclass
class InMemoryAccess:
    """Implements ports.access.AccessRepository. `reads` counts what decisions have read."""

    found: dict[tuple[UUID, MemberKind, str], Member] = field(default_factory=dict)
    tokens: dict[bytes, ApiToken] = field(default_factory=dict)
    changed: asyncio.Event = field(default_factory=asyncio.Event)
    reads: int = 0
    holders: dict[UUID, UUID | None] = field(default_factory=dict)
    """The members that limit tokens, by the ids of both."""

    async def members(self, project_id: UUID, caller: Caller) -> Members:
        self.reads += 1
        keys = [(MemberKind.USER, caller.name), *((MemberKind.GROUP, group) for group in caller.groups)]
        return {key: self.found[project_id, *key].role for key in keys if (project_id, *key) in self.found}

    async def list_members(self, project_id: UUID, slice: Slice) -> Page[Member]:
        return page_of([it for it in self.found.values() if it.project_id == project_id], Sort(), slice)

    async def set_member(self, project_id: UUID, new: NewMember) -> Member:
        assert new.kind is not None
        assert new.role is not None
        key, now = (project_id, new.kind, new.name), datetime.now(UTC)
        fresh = Member(
            id=uuid4(), project_id=project_id, kind=new.kind, name=new.name, role=new.role, created_at=now,
            updated_at=now,
        )  # fmt: skip
        old = self.found.get(key)
        self.found[key] = replace(old, role=new.role, updated_at=now) if old else fresh
        for token in self._limited_by(self.found[key]):
            self._put(replace(token, role=min(token.role, new.role)))
        self.changed.set()
        return self.found[key]

    async def remove_member(self, project_id: UUID, kind: MemberKind, name: str) -> None:
        if (removed := self.found.pop((project_id, kind, name), None)) is None:
            raise NotFound(Reason.MEMBER_NOT_FOUND, kind=kind, name=name)
        for token in self._limited_by(removed):
            await self.revoke_token(project_id, token.id)
        self.changed.set()

    async def create_token(self, token: ApiToken, creator: Caller | None = None) -> ApiToken:
        live = {(it.project_id, it.name) for it in self.tokens.values() if it.revoked_at is None}
        if (token.project_id, token.name) in live:
            raise AlreadyExists(Reason.API_TOKEN_NAME_TAKEN)
        self.holders[token.id] = self._holder(token.project_id, creator) if creator else None
        self.tokens[hash_of(token.text)] = replace(token, text="")
        return token

    async def list_tokens(self, project_id: UUID, slice: Slice) -> Page[ApiToken]:
        return page_of([it for it in self.tokens.values() if it.project_id == project_id], Sort(), slice)

    async def revoke_token(self, project_id: UUID, id: UUID) -> ApiToken:
        for key, token in self.tokens.items():
            if (token.id, token.project_id) == (id, project_id):
                self.tokens[key] = replace(token, revoked_at=token.revoked_at or datetime.now(UTC))
                self.changed.set()
                return self.tokens[key]
        raise NotFound.of(Reason.API_TOKEN_NOT_FOUND, id)

    async def token_by_hash(self, hash: bytes) -> ApiToken | None:
        self.reads += 1
        token, now = self.tokens.get(hash), datetime.now(UTC)
        if token is None or token.revoked_at is not None or token.expires_at <= now:
            return None
        self.tokens[hash] = replace(token, last_used_at=now)
        return token

    def _holder(self, project_id: UUID, creator: Caller) -> UUID | None:
        parents = [t for t in self.tokens.values() if t.caller.name == creator.name and t.project_id == project_id]
        for parent in parents:
            if parent.revoked_at is None:
                return self.holders[parent.id]
        keys = [(MemberKind.USER, creator.name), *((MemberKind.GROUP, group) for group in sorted(creator.groups))]
        for key in keys:
            member = self.found.get((project_id, *key))
            if member and member.role is Role.ADMIN:
                return member.id
        raise PermissionDenied(Role.ADMIN.name, "")

    def _limited_by(self, member: Member) -> list[ApiToken]:
        return [token for token in self.tokens.values() if self.holders[token.id] == member.id]

    def _put(self, token: ApiToken) -> None:
        (key,) = (key for key, it in self.tokens.items() if it.id == token.id)
        self.tokens[key] = token

    async def changes(self) -> AsyncGenerator[None, None]:
        while True:
            yield None
            await self.changed.wait()
            self.changed.clear()
