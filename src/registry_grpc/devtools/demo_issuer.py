"""An issuer of tokens: its discovery document, its keys, and for `REGISTRY_AUTH=demo` a token for each role and the
login of the web UI."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import jwt
from aiohttp import web
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, generate_private_key
from jwt.algorithms import RSAAlgorithm

from registry_grpc.adapters.postgres.access import PostgresAccessRepository
from registry_grpc.adapters.postgres.database import Database
from registry_grpc.devtools.demo_login import FOR_ALL_PAGES, LOGIN_SECONDS, CodeFlow
from registry_grpc.devtools.free_port import free_port
from registry_grpc.domain.access import MemberKind, NewMember, Role
from registry_grpc.pages import Login

PROJECT = UUID("11111111-1111-1111-1111-111111111111")
"""The project in which the demo's users have roles."""
AUDIENCE = "registry"
_SECONDS = 12 * 3600
_ROLES = (Role.VIEWER, Role.EDITOR, Role.DEPLOYER, Role.ADMIN)


def new_key() -> RSAPrivateKey:
    return generate_private_key(public_exponent=65537, key_size=2048)


@dataclass
class DemoIssuer:
    """An OpenID Connect issuer on a port of this machine. It has a new key each time it starts."""

    keys: dict[str, RSAPrivateKey] = field(default_factory=lambda: {"k1": new_key()})
    port: int = field(default_factory=free_port)

    def __post_init__(self) -> None:
        self._flow = CodeFlow(
            self.url,
            AUDIENCE,
            {role.name.lower(): role.name.capitalize() for role in _ROLES},
            lambda **claims: self.token(exp=int(time.time()) + LOGIN_SECONDS, **claims),
        )

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def settings(self) -> list[Mapping[str, Any]]:
        """For REGISTRY_ISSUERS."""
        return [{"issuer": self.url, "audiences": [AUDIENCE], "algorithms": ["RS256"]}]

    @property
    def tokens(self) -> dict[Role, str]:
        """A token for each role in PROJECT, for half a day. The user is called like the role."""
        return {role: self.token(sub=role.name.lower(), exp=int(time.time()) + _SECONDS) for role in _ROLES}

    @property
    def login(self) -> Login:
        """For the web UI."""
        return Login(issuer=self.url, client_id=AUDIENCE, scopes=("openid",))

    @property
    def public_keys(self) -> list[dict[str, Any]]:
        return [
            {**RSAAlgorithm.to_jwk(key.public_key(), as_dict=True), "kid": key_id, "alg": "RS256", "use": "sig"}
            for key_id, key in self.keys.items()
        ]

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        application = web.Application()
        application.router.add_get("/.well-known/openid-configuration", self.discovery)
        application.router.add_get("/keys", self.answer_keys)
        self._flow.add_to(application)
        runner = web.AppRunner(application, access_log=None)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", self.port).start()
        try:
            yield
        finally:
            await runner.cleanup()

    def token(self, *, key_id: str | None = "k1", key: Any = None, algorithm: str = "RS256", **claims: Any) -> str:
        """Valid for ten minutes. Claims that are None are left out."""
        now = int(time.time())
        given = {"iss": self.url, "aud": AUDIENCE, "sub": "ann", "iat": now, "exp": now + 600} | claims
        payload = {name: value for name, value in given.items() if value is not None}
        headers = {} if key_id is None else {"kid": key_id}
        signing = self.keys[key_id or "k1"] if key is None else key
        return jwt.encode(payload, signing, algorithm=algorithm, headers=headers)

    async def discovery(self, _: web.Request) -> web.StreamResponse:
        document = {"issuer": self.url, "jwks_uri": f"{self.url}/keys", **self._flow.discovery}
        return web.json_response(document, headers=FOR_ALL_PAGES)

    async def answer_keys(self, _: web.Request) -> web.StreamResponse:
        return web.json_response({"keys": self.public_keys}, headers=FOR_ALL_PAGES)


async def add_demo_members(database_url: str) -> None:
    """Give each of the demo's users its role."""
    database = Database(database_url)
    try:
        access = PostgresAccessRepository(database)
        for role in _ROLES:
            await access.set_member(PROJECT, NewMember(kind=MemberKind.USER, name=role.name.lower(), role=role))
    finally:
        await database.close()
