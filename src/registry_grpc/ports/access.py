"""The ports of access: who calls, and what callers may do. Every method may raise Unavailable or Overloaded."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from typing import Protocol
from uuid import UUID

from registry_grpc.domain.access import ApiToken, Caller, Member, MemberKind, Members, NewMember, Role
from registry_grpc.domain.paging import Page, Slice


class Issuers(Protocol):
    """Verifies tokens that others have issued."""

    async def caller_of(self, token: str) -> Caller:
        """Raises Unauthenticated, whose text has nothing of the token."""

    def close(self) -> None:
        """Stop reading keys."""


class Gate(Protocol):
    """Admits calls. It is asked for every call, before anything is read from the request."""

    async def caller_of(self, authorization: str, user: str, /) -> Caller:
        """Who calls, by the header `Authorization` and by the name that the caller gives for itself. Raises
        Unauthenticated."""

    def close(self) -> None:
        """Stop what it does by itself."""

    async def enter(
        self, caller: Caller, project_id: UUID, least: Role, /, *, needs_object: bool
    ) -> tuple[UUID, Role | None]:
        """The project to work in, and the caller's role in it. It is an empty project for a caller without any role in
        the given one, if the request only reads or has to name an object: then it finds none. Raises
        PermissionDenied."""


class AccessRepository(Protocol):
    """Keeps members and API tokens of projects."""

    async def members(self, project_id: UUID, caller: Caller) -> Members:
        """Those that are the caller or one of its groups, however many others there are."""

    async def list_members(self, project_id: UUID, slice: Slice) -> Page[Member]:
        """Newest first."""

    async def set_member(self, project_id: UUID, new: NewMember) -> Member:
        """Add the member, or change its role. Its API tokens get no higher role than it has now."""

    async def remove_member(self, project_id: UUID, kind: MemberKind, name: str) -> None:
        """Revokes its API tokens, too. Raises NotFound."""

    async def create_token(self, token: ApiToken, creator: Caller | None = None) -> ApiToken:
        """The token is from then on one of the member by which its creator is ADMIN: the user, or else one of the
        groups; if the creator is a token, the member of that one. Without a creator it is nobody's. Raises
        PermissionDenied if the creator is no longer ADMIN; AlreadyExists if a token of the project that is not revoked
        has the name."""

    async def list_tokens(self, project_id: UUID, slice: Slice) -> Page[ApiToken]:
        """Newest first, revoked ones too."""

    async def revoke_token(self, project_id: UUID, id: UUID) -> ApiToken:
        """Can be repeated. Raises NotFound."""

    async def token_by_hash(self, hash: bytes) -> ApiToken | None:
        """The token if it is neither revoked nor expired. Notes that it is used, to the minute."""

    def changes(self) -> AsyncGenerator[None, None]:
        """Yields at the start, and soon after anything may have changed, also by other processes."""
