"""The issuer of `REGISTRY_AUTH=demo`, with faults that tests choose."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

from aiohttp import web
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from registry_grpc.devtools.demo_issuer import DemoIssuer


@dataclass
class TestIssuer(DemoIssuer):
    """`reads` counts how often the keys were read, and `asked` is set then."""

    __test__ = False

    reads: int = 0
    asked: asyncio.Event = field(default_factory=asyncio.Event)
    status: int = 200
    named: str = ""
    """The issuer in the discovery document; empty: the right one."""
    document: bytes | None = None
    """Instead of the keys; it is sent in two parts."""
    redirect: str = ""
    gate: asyncio.Event | None = None
    """Answers wait for it."""

    def public_pem(self, key_id: str = "k1") -> bytes:
        return self.keys[key_id].public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)

    async def discovery(self, request: web.Request) -> web.StreamResponse:
        if self.named:
            return web.json_response({"issuer": self.named, "jwks_uri": f"{self.url}/keys"})
        return await super().discovery(request)

    async def answer_keys(self, request: web.Request) -> web.StreamResponse:
        self.reads += 1
        self.asked.set()
        if self.gate is not None:
            await self.gate.wait()
        if self.redirect:
            raise web.HTTPFound(self.redirect)
        if self.document is not None:
            answer = web.StreamResponse()
            await answer.prepare(request)
            half = len(self.document) // 2
            for part in (self.document[:half], self.document[half:]):
                await answer.write(part)
                await asyncio.sleep(0.02)
            return answer
        return web.json_response({"keys": [*self.public_keys, {"kty": "unknown"}]}, status=self.status)
