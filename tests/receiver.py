"""An HTTP server that receives webhooks and answers as a test wants."""

from __future__ import annotations

import base64
import hmac
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web


async def _ok(_: web.Request) -> web.StreamResponse:
    return web.Response(status=204)


@dataclass
class HttpReceiver:
    """Keeps what it has accepted: the ids and the events, in the order of arrival."""

    url: str = ""
    answer: Callable[[web.Request], Awaitable[web.StreamResponse]] = _ok
    got: list[tuple[dict[str, str], bytes]] = field(default_factory=list)
    accepted: list[dict[str, Any]] = field(default_factory=list)

    async def handle(self, request: web.Request) -> web.StreamResponse:
        body = await request.read()
        self.got.append(({name.lower(): value for name, value in request.headers.items()}, body))
        answer = await self.answer(request)
        if 200 <= answer.status < 300:
            self.accepted.append(json.loads(body))
        return answer


@asynccontextmanager
async def receiving(port: int = 0) -> AsyncIterator[HttpReceiver]:
    receiver = HttpReceiver()
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", receiver.handle)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", port, reuse_address=True)
    await site.start()
    receiver.url = f"http://127.0.0.1:{runner.addresses[0][1]}/hook"
    try:
        yield receiver
    finally:
        await runner.cleanup()


def is_signed(headers: dict[str, str], body: bytes, secret: str) -> bool:
    """As a receiver checks it by the specification."""
    key = base64.b64decode(secret.removeprefix("whsec_"))
    content = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
    expected = base64.b64encode(hmac.digest(key, content, "sha256")).decode()
    return headers["webhook-signature"] == f"v1,{expected}"
