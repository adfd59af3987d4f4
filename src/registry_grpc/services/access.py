"""The gate that admits calls, by the roles of members and API tokens."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import lru_cache
from uuid import UUID, uuid4

from registry_grpc.domain.access import (
    NOWHERE,
    TOKEN_PREFIX,
    ApiToken,
    Caller,
    NewApiToken,
    Role,
    hash_of,
    is_api_token,
    role_of,
)
from registry_grpc.domain.errors import PermissionDenied, RegistryError, Unauthenticated
from registry_grpc.ports.access import AccessRepository, Issuers
from registry_grpc.ports.projects import Tenants

_MOST_CALLERS = 10_000
MOST_PROJECTS = 1_000
_CALLER_SECONDS = 300.0
"""A token is verified anew after this time, so that one whose key was withdrawn ends."""
REMEMBERED_SECONDS = 5.0
"""How long roles, API tokens and projects are remembered. Changes are noticed at once while the database notifies."""
_DENIAL_SECONDS = 0.1
"""Before a caller is denied, what is older than this is read again."""
_PAUSE_SECONDS = 1.0
_LOOK_UPS = 16
"""How many API tokens are looked up at a time. Unknown ones are not remembered, and whoever sends many of them must not
fill the queue in which members are read, too."""


@dataclass(slots=True)
class Lookups:
    """How often something was remembered. Plain numbers, because they are counted several times in each call."""

    hits: int = 0
    misses: int = 0


async def issue_token(access: AccessRepository, project_id: UUID, new: NewApiToken, creator: Caller) -> ApiToken:
    """Returns the text of the token, which nobody can read later. Raises what AccessRepository.create_token raises."""
    now = datetime.now(UTC)
    token = ApiToken.create(new, id=uuid4(), project_id=project_id, created_by=creator.name, now=now)
    return await access.create_token(token, None if creator.role is Role.OPERATOR else creator)


class OpenGate:
    """Admits every call: authentication is switched off. Implements ports.access.Gate."""

    def __init__(self, tenants: Tenants) -> None:
        self._tenants = tenants

    async def caller_of(self, _authorization: str, user: str, /) -> Caller:
        return _anybody(user)

    def close(self) -> None:
        """It does nothing by itself."""

    async def enter(
        self,
        caller: Caller,
        project_id: UUID,
        least: Role,
        /,
        *,
        needs_object: bool,
    ) -> tuple[UUID, Role | None]:
        # Operators also work on projects that do not exist yet.
        exists = least is Role.OPERATOR or await self._tenants.find(project_id) is not None
        role = caller.role if exists else None
        return _entered(project_id, role, least, needs_object=needs_object)


@lru_cache(maxsize=1024)  # the same few names, mostly none, call all the time
def _anybody(name: str) -> Caller:
    return Caller(name=name, method="none", role=Role.OPERATOR)


@dataclass(slots=True)
class _Known:
    """What is remembered: callers and tokens until a time since the epoch, roles with the time when they were read, by
    the monotonic clock."""

    callers: dict[str, tuple[float, Caller]] = field(default_factory=dict)
    tokens: dict[str, tuple[float, Caller]] = field(default_factory=dict)
    roles: dict[tuple[UUID, Caller], tuple[float, Role | None]] = field(default_factory=dict)


class Gatekeeper:
    """Admits callers by their tokens and roles. Implements ports.access.Gate.

    What was verified or read is remembered, so that a call costs no more than a look-up.
    """

    def __init__(
        self,
        *,
        access: AccessRepository,
        tenants: Tenants,
        issuers: Issuers,
        operators: Iterable[str],
        operator_groups: Iterable[str],
    ) -> None:
        self._access = access
        self._tenants = tenants
        self._issuers = issuers
        self._operators = frozenset(operators)
        self._operator_groups = frozenset(operator_groups)
        self._known = _Known()
        self.token_lookups, self.role_lookups = Lookups(), Lookups()
        self._look_ups = asyncio.Semaphore(_LOOK_UPS)

    async def caller_of(self, authorization: str, _user: str, /) -> Caller:
        scheme, _, token = authorization.partition(" ")
        token = token.strip()
        if scheme.lower() != "bearer" or not token:
            raise Unauthenticated("send the header `Authorization: Bearer <token>`")
        now = time.time()
        known = self._known
        found = known.callers.get(token) or known.tokens.get(token)
        if found is not None and now < found[0]:
            self.token_lookups.hits += 1
            return found[1]
        self.token_lookups.misses += 1
        if token.startswith(TOKEN_PREFIX):
            return await self._token_caller(token, now)
        caller = await self._issuers.caller_of(token)
        if caller.name in self._operators or not caller.groups.isdisjoint(self._operator_groups):
            caller = replace(caller, role=Role.OPERATOR)
        remember(known.callers, token, (_until(caller, now + _CALLER_SECONDS), caller), _MOST_CALLERS)
        return caller

    def close(self) -> None:
        self._issuers.close()

    async def enter(
        self, caller: Caller, project_id: UUID, least: Role, /, *, needs_object: bool
    ) -> tuple[UUID, Role | None]:
        # Operators also work on projects that do not exist yet.
        is_operator = least is caller.role is Role.OPERATOR
        role = Role.OPERATOR if is_operator else await self._role(caller, project_id, REMEMBERED_SECONDS)
        if role is None or role < least:
            # Another worker may have given the role just now, and told its caller so.
            role = await self._role(caller, project_id, _DENIAL_SECONDS)
        return _entered(project_id, role, least, needs_object=needs_object)

    def forget(self) -> None:
        """Roles and API tokens may have changed. A new object, so that what is being read now is not remembered."""
        self._known = _Known(callers=self._known.callers)

    async def _token_caller(self, token: str, now: float) -> Caller:
        tokens = self._known.tokens
        found = None
        if is_api_token(token):
            async with self._look_ups:
                found = await self._access.token_by_hash(hash_of(token))
        if found is None:
            raise Unauthenticated("the API token is unknown, revoked or expired")
        caller = found.caller
        remember(tokens, token, (_until(caller, now + REMEMBERED_SECONDS), caller), _MOST_CALLERS)
        return caller

    async def _role(self, caller: Caller, project_id: UUID, oldest: float) -> Role | None:
        """The role as it was at most `oldest` seconds ago."""
        known, now = self._known, time.monotonic()
        found = known.roles.get(key := (project_id, caller))
        if found is not None and now - found[0] < oldest:
            self.role_lookups.hits += 1
        else:
            self.role_lookups.misses += 1
            role = None
            if await self._tenants.find(project_id) is not None:
                members = {} if caller.role else await self._access.members(project_id, caller)
                role = role_of(caller, project_id, members)
            found = (now, role)
            remember(known.roles, key, found, _MOST_CALLERS)
        return found[1]


def _entered(project_id: UUID, role: Role | None, least: Role, *, needs_object: bool) -> tuple[UUID, Role | None]:
    if role is None and least is not Role.OPERATOR and (least is Role.VIEWER or needs_object):
        return NOWHERE, None
    if role is None or role < least:
        raise PermissionDenied(least.name, role.name if role else "")
    return project_id, role


async def forget_changes(access: AccessRepository, forget: Iterable[Callable[[], None]]) -> None:
    """Call `forget` when members, API tokens or projects may have changed. Ends only by being cancelled."""
    while True:
        try:
            async for _ in access.changes():
                for each in forget:
                    each()
        except RegistryError:
            await asyncio.sleep(_PAUSE_SECONDS)


def _until(caller: Caller, latest: float) -> float:
    return latest if caller.expires_at is None else min(latest, caller.expires_at)


def remember(known: dict, key: object, value: object, most: int) -> None:  # type: ignore[type-arg]
    """Forgets the oldest when there are too many."""
    known.pop(key, None)
    if len(known) >= most:
        del known[next(iter(known))]
    known[key] = value
