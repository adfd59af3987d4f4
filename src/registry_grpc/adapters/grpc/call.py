"""One call of an RPC: who calls and for which project, besides the request itself."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import lru_cache
from ipaddress import IPv4Network, IPv6Network, ip_address
from typing import Any, TypeAlias
from urllib.parse import unquote
from uuid import UUID, uuid4

import grpc
import structlog

from registry_grpc.domain.access import Caller, Role
from registry_grpc.domain.actor import ACTOR, NAMELESS, ORIGIN, Origin
from registry_grpc.domain.audit import NO_PROJECT, Refused
from registry_grpc.domain.errors import PermissionDenied, ProjectIdRequired, RegistryError, Unauthenticated
from registry_grpc.domain.ids import parse_uuid
from registry_grpc.ports.access import Gate

Network: TypeAlias = IPv4Network | IPv6Network

NOBODY = Caller(name="", method="none")

# The request id only goes into the log, so a longer one is cut. The gateway's log cuts it as well.
_LONGEST_REQUEST_ID = 128
_TRACEPARENT = re.compile(r"[0-9a-f]{2}-([0-9a-f]{32})-[0-9a-f]{16}-[0-9a-f]{2}.*")
_LONGEST_MESSAGE = 500
_LONGEST_ADDRESS = 64
_SINGLE = frozenset(
    (
        "project-id",
        "x-request-id",
        "x-user",
        "x-envoy-original-path",
        "authorization",
        "x-gateway-client",
        "traceparent",
    )
)
_JOINED = frozenset(("if-match", "if-none-match", "idempotency-key", "tracestate"))


@dataclass(slots=True, kw_only=True)
class Call:
    """One call. Use cases get `project_id` and `user`; only adapters read the rest."""

    method: str
    """`modelregistry.v1.RegisteredModelService/GetRegisteredModel`, for the log."""
    request_id: str = ""
    """The id that the caller sent, or a new one."""
    project_id: UUID = NO_PROJECT
    gate: Gate | None = field(default=None, repr=False)
    authorization: str = field(default="", repr=False)
    named_project: UUID = NO_PROJECT
    """The project that the caller has named, even if it is not allowed to."""
    caller: Caller = NOBODY
    role: Role | None = None
    """The role of the caller in the project."""
    address: str = ""
    """That of the client."""
    is_rest: bool = False
    """Whether the call came over a REST route, for which the contract has a few lenient rules."""
    code: grpc.StatusCode = grpc.StatusCode.OK
    """The code that the log shows."""
    error: Exception | None = field(default=None, repr=False)
    """Why the call has failed, for the log."""

    @property
    def user(self) -> str:
        """The name of the caller. Histories and the event log keep it."""
        return self.caller.name

    def origin(self) -> Origin:
        """What the audit log keeps of the call."""
        return Origin(self.caller.method, self.method, self.request_id, self.address)

    def refused(self, error: RegistryError) -> Refused:
        """What the audit log keeps of its refusal. Without a role, the caller must not write into the project's log."""
        details = {"reason": str(error.reason), "message": error.message[:_LONGEST_MESSAGE]}
        has_role = self.role is not None or bool(error.metadata.get("role"))
        if not has_role and self.named_project != NO_PROJECT:
            details["project_id"] = str(self.named_project)
        project_id = self.named_project if has_role else NO_PROJECT
        return Refused(project_id=project_id, actor=self.user, origin=self.origin(), details=details)

    async def other_project(self, project_id: UUID, least: Role) -> UUID:
        """Another project from which the call reads: an empty one if the caller has no role in it. Raises
        PermissionDenied."""
        if self.gate is None or project_id == self.project_id:
            return project_id
        entered, _ = await self.gate.enter(self.caller, project_id, least, needs_object=True)
        return entered

    async def check_again(self, least: Role) -> None:
        """Find out whether a stream is still allowed. Raises Unauthenticated and PermissionDenied."""
        if self.gate is None:
            return
        self.caller = await self.gate.caller_of(self.authorization, self.user)
        project_id, _ = await self.gate.enter(self.caller, self.project_id, least, needs_object=False)
        if project_id != self.project_id:
            raise PermissionDenied(least.name, "")

    @asynccontextmanager
    async def while_proven(self) -> AsyncIterator[None]:
        """Ends the block when the token of the caller expires. Raises Unauthenticated then."""
        ends = self.caller.expires_at
        try:
            async with asyncio.timeout(None if ends is None else max(ends - time.time(), 0)) as life:
                yield
        except TimeoutError as error:
            if life.expired():
                raise Unauthenticated("the token has expired: open the stream again with a new one") from error
            raise

    async def identify(self, metadata: dict[str, str], gate: Gate, least: Role, *, needs_object: bool) -> None:
        """Find out who calls, for which project, and whether that is allowed. Raises Unauthenticated, ProjectIdRequired
        and PermissionDenied, in this order."""
        self.request_id = metadata.get("x-request-id", "")[:_LONGEST_REQUEST_ID] or str(uuid4())
        if found := _TRACEPARENT.fullmatch(metadata.get("traceparent", "")):
            structlog.contextvars.bind_contextvars(trace_id=found[1])
        self.gate = gate
        self.authorization = metadata.get("authorization", "")
        ORIGIN.set(self.origin)
        self.caller = await gate.caller_of(self.authorization, metadata.get("x-user", ""))
        ACTOR.set(self.user or NAMELESS)
        # Operators work on projects, not in one.
        self.named_project = NO_PROJECT if least is Role.OPERATOR else _project_id(metadata.get("project-id", ""))
        self.project_id, self.role = await gate.enter(self.caller, self.named_project, least, needs_object=needs_object)


@lru_cache(maxsize=1024)  # the same few projects call all the time
def _project_id(text: str) -> UUID:
    """Refuses the all-zero UUID, which switched tenancy off in the Go service (quirks Q1, Q2)."""
    project_id = parse_uuid(text)
    if not text:
        raise ProjectIdRequired("the metadata key `project-id` is missing or empty")
    if project_id is None:
        raise ProjectIdRequired("the metadata key `project-id` is malformed, it must be one UUID")
    if project_id == NO_PROJECT:
        raise ProjectIdRequired("the metadata key `project-id` must not be the all-zero UUID")
    return project_id


def metadata_of(pairs: Iterable[tuple[str, Any]] | None) -> dict[str, str]:
    """The metadata that the service reads. The first value of a repeated key counts, as in the Go service; the values
    of keys that it does not read are joined (RFC 9110, 5.3).

    Two different projects or tokens count as a malformed one, because a proxy may have checked the other one.
    """
    found: dict[str, str] = {}
    for key, value in pairs or ():
        if key in _JOINED:
            found[key] = f"{found[key]}, {value}" if key in found else value
        elif key in _SINGLE and found.setdefault(key, value) != value and key in {"project-id", "authorization"}:
            found[key] = "two of them"
    return found


class Peers:
    """Tells the address of a client: the one that the gateway tells, or else that of the peer."""

    def __init__(self, gateways: Iterable[Network]) -> None:
        self._gateways = tuple(gateways)
        self._is_gateway = lru_cache(maxsize=256)(self._is_gateway_at)

    def address(self, peer: str, told: str) -> str:
        """`peer` is that of gRPC: `ipv4:127.0.0.1:50051`, `ipv6:%5B::1%5D:50051`, `unix:…`."""
        kind, _, place = peer.partition(":")
        host = unquote(place).rpartition(":")[0].strip("[]") if kind in {"ipv4", "ipv6"} else ""
        return told[:_LONGEST_ADDRESS] if told and self._is_gateway(host) else host

    def _is_gateway_at(self, host: str) -> bool:
        """Only processes of this host can connect to a unix socket."""
        try:
            return not host or any(ip_address(host) in network for network in self._gateways)
        except ValueError:
            return False
