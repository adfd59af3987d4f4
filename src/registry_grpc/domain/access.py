"""Who calls, and what callers may do: roles in a project, which its members and its API tokens have."""

from __future__ import annotations

import hashlib
import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import IntEnum, StrEnum
from typing import Self
from uuid import UUID, uuid4

from registry_grpc.domain.errors import InvalidRequest, Violation
from registry_grpc.domain.rules import check_fields
from registry_grpc.domain.times import NOT_STORED


class Role(IntEnum):
    """What a caller may do in a project. Each role may also do what the lower ones may. The API has these numbers."""

    VIEWER = 1
    """Read everything except keys."""
    EDITOR = 2
    """Write models, versions, artifacts and aliases."""
    DEPLOYER = 3
    """Write environments and inference services, and deploy."""
    ADMIN = 4
    """Manage members, API tokens and webhooks, and read keys."""
    OPERATOR = 5
    """Manage projects. An operator is ADMIN in all of them. Members and tokens cannot have this role."""


class MemberKind(StrEnum):
    """What the name of a member means."""

    USER = "USER"
    GROUP = "GROUP"


NOWHERE = uuid4()
"""A project that is empty, because nobody knows its id. A caller without a role in a project gets what it answers."""

TOKEN_PREFIX = "rgt_"  # noqa: S105 - by which scanners of secrets find tokens
TOKEN_NAME = "token:"  # noqa: S105 - the names of callers with API tokens begin with it, and no others
_TOKEN_BYTES = 32
_TOKEN = re.compile(TOKEN_PREFIX + r"[A-Za-z0-9_-]{43}")
DEFAULT_LIFETIME = timedelta(days=90)
_LONGEST_LIFETIME = timedelta(days=366)
_NAME_RULE = "must be as in tokens, which GetCaller shows: without blanks at its ends, and without control characters"
_ROLE_RULE = "is required: VIEWER, EDITOR, DEPLOYER or ADMIN"


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """Who calls, as far as it is proven."""

    name: str
    """The name that history and audit record. That of an API token begins with `token:`."""
    method: str
    """How the caller was recognized: `none`, `token` or the URL of the issuer."""
    groups: frozenset[str] = frozenset()
    expires_at: float | None = None
    """When the proof ends, in seconds since the epoch."""
    role: Role | None = None
    """The role that the caller has without being a member: in `project_id`, or in all projects if that is None."""
    project_id: UUID | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """A user or a group that has a role in a project."""

    id: UUID
    project_id: UUID
    kind: MemberKind
    name: str
    role: Role
    created_at: datetime = NOT_STORED
    updated_at: datetime = NOT_STORED


@dataclass(frozen=True, slots=True, kw_only=True)
class NewMember:
    """A member to add or to change. Raises InvalidRequest."""

    kind: MemberKind | None
    name: str
    role: Role | None

    def __post_init__(self) -> None:
        others = _role_errors(self.role)
        if self.kind is None:
            others.append(InvalidRequest([Violation("kind", "is required: USER or GROUP")]))
        if self.name and not is_name(self.name):
            others.append(InvalidRequest([Violation("name", _NAME_RULE)]))
        if self.kind is MemberKind.USER and self.name.startswith(TOKEN_NAME):
            text = f"must not begin with {TOKEN_NAME}: an API token has the role with which it was made"
            others.append(InvalidRequest([Violation("name", text)]))
        check_fields(self, limits={"name": 255}, required=("name",), others=others)


@dataclass(frozen=True, slots=True, kw_only=True)
class NewApiToken:
    """An API token to make. Raises InvalidRequest."""

    name: str
    role: Role | None
    lifetime: timedelta = DEFAULT_LIFETIME

    def __post_init__(self) -> None:
        others = _role_errors(self.role)
        if not timedelta() < self.lifetime <= _LONGEST_LIFETIME:
            text = f"must be more than 0 s and at most {_LONGEST_LIFETIME.days} days"
            others.append(InvalidRequest([Violation("lifetime", text)]))
        check_fields(self, limits={"name": 100}, required=("name",), others=others)


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiToken:
    """A token with a role in one project, for programs such as a CI pipeline."""

    id: UUID
    project_id: UUID
    name: str
    role: Role
    created_by: str
    created_at: datetime = NOT_STORED
    expires_at: datetime = NOT_STORED
    last_used_at: datetime | None = None
    """When it was last used, to the minute."""
    revoked_at: datetime | None = None
    text: str = ""
    """What the program sends. It is only known when the token is made, because only its hash is stored."""

    @classmethod
    def create(cls, new: NewApiToken, *, id: UUID, project_id: UUID, created_by: str, now: datetime) -> Self:
        if new.role is None:
            raise TypeError("a checked token has a role")
        return cls(
            id=id,
            project_id=project_id,
            name=new.name,
            role=new.role,
            created_by=created_by,
            created_at=now,
            expires_at=now + new.lifetime,
            text=TOKEN_PREFIX + secrets.token_urlsafe(_TOKEN_BYTES),
        )

    @property
    def caller(self) -> Caller:
        """Who calls with this token."""
        return Caller(
            name=TOKEN_NAME + self.name,
            method="token",
            expires_at=self.expires_at.timestamp(),
            role=self.role,
            project_id=self.project_id,
        )


Members = Mapping[tuple[MemberKind, str], Role]
"""The roles in one project."""


def role_of(caller: Caller, project_id: UUID, members: Members) -> Role | None:
    """The highest role that the caller has in the project."""
    if caller.role is not None:
        return caller.role if caller.project_id in {None, project_id} else None
    keys = [(MemberKind.USER, caller.name), *((MemberKind.GROUP, group) for group in caller.groups)]
    return max((members[key] for key in keys if key in members), default=None)


def is_name(text: str) -> bool:
    """Whether a user or a group can have this name. Others could not be stored, or would look like other names."""
    return bool(text) and text.isprintable() and text == text.strip()


def is_api_token(text: str) -> bool:
    """Whether it has the form of one. Nothing else needs to be looked up."""
    return _TOKEN.fullmatch(text) is not None


def hash_of(token: str) -> bytes:
    """What is stored of a token. It needs no salt, because a token is random."""
    return hashlib.sha256(token.encode()).digest()


def _role_errors(role: Role | None) -> list[InvalidRequest]:
    is_known = role is not None and role is not Role.OPERATOR
    return [] if is_known else [InvalidRequest([Violation("role", _ROLE_RULE)])]
