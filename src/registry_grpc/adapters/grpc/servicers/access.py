"""AccessService."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

from modelregistry.v1 import access_pb2 as pb
from registry_grpc.adapters.grpc.call import Call
from registry_grpc.adapters.grpc.mapping.common import cursor_slice_of, message_of, word_in
from registry_grpc.adapters.grpc.request_fields import path_id
from registry_grpc.adapters.grpc.rpc import cursor_page, nothing_but_grpc, only_grpc, rpc
from registry_grpc.domain.access import DEFAULT_LIFETIME, ApiToken, Member, MemberKind, NewApiToken, NewMember, Role
from registry_grpc.domain.errors import InvalidRequest, Violation
from registry_grpc.domain.paging import Page
from registry_grpc.ports.access import AccessRepository
from registry_grpc.services.access import issue_token


class _Seen(NamedTuple):
    name: str
    method: str
    groups: list[str]
    role: int
    expires_at: datetime | None


def _caller(seen: _Seen) -> pb.GetCallerResponse:
    return message_of(pb.GetCallerResponse, seen, role=seen.role)


def _member(member: Member) -> pb.Member:
    return message_of(pb.Member, member, role=member.role.value)


def _token(token: ApiToken) -> pb.ApiToken:
    return message_of(pb.ApiToken, token, role=token.role.value, token=token.text)


def _role_in(request: Any) -> Role | None:
    """The numbers of the proto are those of the domain. An unknown one is no role."""
    return Role(request.role) if request.role in set(Role) else None


def _lifetime_in(request: pb.CreateApiTokenRequest) -> timedelta:
    """One that is too long for a timedelta is too long for a token, too."""
    try:
        return request.lifetime.ToTimedelta() if request.HasField("lifetime") else DEFAULT_LIFETIME
    except OverflowError:
        return timedelta.max


class AccessServicer:
    """The RPCs on members and API tokens."""

    SERVICE = pb.DESCRIPTOR.services_by_name["AccessService"]

    def __init__(self, access: AccessRepository) -> None:
        self._access = access

    @rpc(only_grpc(_caller), Role.VIEWER)
    async def GetCaller(self, request: pb.GetCallerRequest, call: Call) -> _Seen:  # noqa: ARG002
        caller = call.caller
        expires_at = datetime.fromtimestamp(caller.expires_at, UTC) if caller.expires_at else None
        role = call.role.value if call.role else 0
        return _Seen(caller.name, caller.method, sorted(caller.groups), role, expires_at)

    @rpc(
        cursor_page(_member, lambda items, token: pb.ListMembersResponse(members=items, next_page_token=token)),
        Role.ADMIN,
    )
    async def ListMembers(self, request: pb.ListMembersRequest, call: Call) -> Page[Member]:
        return await self._access.list_members(call.project_id, cursor_slice_of(request, call))

    @rpc(only_grpc(_member, lambda it: pb.SetMemberResponse(member=it)), Role.ADMIN)
    async def SetMember(self, request: pb.SetMemberRequest, call: Call) -> Member:
        new = NewMember(kind=word_in(request, "kind", MemberKind), name=request.name, role=_role_in(request))
        return await self._access.set_member(call.project_id, new)

    @rpc(nothing_but_grpc(pb.RemoveMemberResponse), Role.ADMIN)
    async def RemoveMember(self, request: pb.RemoveMemberRequest, call: Call) -> None:
        kind = word_in(request, "kind", MemberKind)
        if kind is None:
            raise InvalidRequest([Violation("kind", "is required: USER or GROUP")])
        await self._access.remove_member(call.project_id, kind, request.name)

    @rpc(only_grpc(_token, lambda it: pb.CreateApiTokenResponse(api_token=it)), Role.ADMIN)
    async def CreateApiToken(self, request: pb.CreateApiTokenRequest, call: Call) -> ApiToken:
        new = NewApiToken(name=request.name, role=_role_in(request), lifetime=_lifetime_in(request))
        return await issue_token(self._access, call.project_id, new, call.caller)

    @rpc(
        cursor_page(_token, lambda items, token: pb.ListApiTokensResponse(api_tokens=items, next_page_token=token)),
        Role.ADMIN,
    )
    async def ListApiTokens(self, request: pb.ListApiTokensRequest, call: Call) -> Page[ApiToken]:
        return await self._access.list_tokens(call.project_id, cursor_slice_of(request, call))

    @rpc(only_grpc(_token, lambda it: pb.RevokeApiTokenResponse(api_token=it)), Role.ADMIN)
    async def RevokeApiToken(self, request: pb.RevokeApiTokenRequest, call: Call) -> ApiToken:
        return await self._access.revoke_token(call.project_id, path_id(request.id))
