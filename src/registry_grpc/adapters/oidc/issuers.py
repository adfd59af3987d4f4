"""Verifies JSON Web Tokens of configured issuers (OpenID Connect, Kubernetes). RFC 8725 says what has to be checked."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import jwt

from registry_grpc.adapters.oidc.keys import KeySet, KeySource
from registry_grpc.domain.access import TOKEN_NAME, Caller, is_name
from registry_grpc.domain.errors import Unauthenticated

_LEEWAY_SECONDS = 30
_LONGEST_TOKEN = 32 * 1024
_LONGEST_NAME = 255
_MOST_GROUPS = 1_000
_LATEST = int(datetime(9999, 12, 31, tzinfo=UTC).timestamp())
"""The latest time that can be shown; an issuer may name a later one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Issuer:
    """Whose tokens are accepted, and how their claims are read."""

    source: KeySource
    audiences: tuple[str, ...]
    algorithms: tuple[str, ...]
    """Those that are accepted, whatever a token says."""
    user_claim: str = "sub"
    groups_claim: str = "groups"
    prefix: str = ""
    """It is put before the names of users and groups, so that those of several issuers differ."""


class JwtIssuers:
    """Implements ports.access.Issuers."""

    def __init__(self, issuers: Iterable[Issuer]) -> None:
        self._issuers = {each.source.issuer: (each, KeySet(each.source, each.algorithms)) for each in issuers}

    async def caller_of(self, token: str) -> Caller:
        if len(token) > _LONGEST_TOKEN:
            raise Unauthenticated("the token is too long")
        header, claimed = _unverified(token)
        known = self._issuers.get(claimed)
        if known is None:
            raise Unauthenticated("the token is of an issuer that is not configured")
        issuer, keys = known
        if header.get("alg") not in issuer.algorithms:
            raise Unauthenticated(f"the token must be signed with {', '.join(issuer.algorithms)}")
        key = await keys.key(_text(header.get("kid")))
        if key is None:
            raise Unauthenticated("the issuer does not have the key with which the token is signed")
        return _caller_from(_verified(token, key, issuer), issuer)

    def close(self) -> None:
        for _, keys in self._issuers.values():
            keys.close()


def _unverified(token: str) -> tuple[Mapping[str, Any], str]:
    """The header, and the issuer that the token claims. Both only choose with what it is verified."""
    try:
        decoded = jwt.decode_complete(token, options={"verify_signature": False})
    except jwt.PyJWTError as error:
        raise Unauthenticated("the token is not a signed JSON Web Token") from error
    return decoded["header"], _text(decoded["payload"].get("iss"))


def _verified(token: str, key: jwt.PyJWK, issuer: Issuer) -> Mapping[str, Any]:
    try:
        claims: Mapping[str, Any] = jwt.decode(
            token,
            key,
            algorithms=list(issuer.algorithms),
            audience=list(issuer.audiences),
            issuer=issuer.source.issuer,
            leeway=_LEEWAY_SECONDS,
            options={"require": ["exp", "iss", "aud", "sub"]},
        )
    except jwt.ExpiredSignatureError as error:
        raise Unauthenticated("the token is expired") from error
    except jwt.InvalidAudienceError as error:
        raise Unauthenticated(f"the token is for another audience than {', '.join(issuer.audiences)}") from error
    except jwt.MissingRequiredClaimError as error:
        raise Unauthenticated(f"the token lacks the claim {error.claim}") from error
    except jwt.PyJWTError as error:
        raise Unauthenticated("the token is not valid") from error
    return claims


def _caller_from(claims: Mapping[str, Any], issuer: Issuer) -> Caller:
    name = _text(claims.get(issuer.user_claim))
    if len(name) > _LONGEST_NAME or not is_name(name):
        raise Unauthenticated(f"the claim {issuer.user_claim} of the token must be a name")
    if (issuer.prefix + name).startswith(TOKEN_NAME):
        raise Unauthenticated(f"the name of a user must not begin with {TOKEN_NAME}")
    if issuer.user_claim == "email" and claims.get("email_verified") is not True:
        raise Unauthenticated("the address in the token is not verified by the issuer")
    groups = claims.get(issuer.groups_claim)
    listed = [groups] if isinstance(groups, str) else groups if isinstance(groups, list) else []
    return Caller(
        name=issuer.prefix + name,
        method=issuer.source.issuer,
        groups=frozenset(issuer.prefix + group for group in map(_text, listed[:_MOST_GROUPS]) if is_name(group)),
        # Within the leeway it is accepted, but not remembered.
        expires_at=max(float(min(int(claims["exp"]), _LATEST)), time.time()),
    )


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""
