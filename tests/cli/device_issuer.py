"""An issuer with the device authorization of OpenID Connect (RFC 8628), which runs in a thread."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field

from aiohttp import web
from tests.issuer import TestIssuer

CLIENT = "registry"
_GRANT = "urn:ietf:params:oauth:grant-type:device_code"


@dataclass
class DeviceIssuer(TestIssuer):
    """Somebody confirms each code when it is asked for the third time, as `user`; or refuses it, as nobody."""

    user: str = "ann"
    seconds: int = 600
    """For how long tokens are valid."""
    polls: int = 0
    refreshes: int = 0
    is_revoked: bool = False
    seen: list[dict[str, str]] = field(default_factory=list)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        application = web.Application()
        application.router.add_get("/.well-known/openid-configuration", self.discovery)
        application.router.add_get("/keys", self.answer_keys)
        application.router.add_post("/device", self.authorize)
        application.router.add_post("/token", self.answer_token)
        runner = web.AppRunner(application, access_log=None)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", self.port).start()
        try:
            yield
        finally:
            await runner.cleanup()

    async def discovery(self, request: web.Request) -> web.StreamResponse:
        endpoints = {"device_authorization_endpoint": f"{self.url}/device", "token_endpoint": f"{self.url}/token"}
        return web.json_response({"issuer": self.url, "jwks_uri": f"{self.url}/keys", **endpoints})

    async def authorize(self, request: web.Request) -> web.StreamResponse:
        form = await request.post()
        if form["client_id"] != CLIENT:
            return web.json_response({"error": "invalid_client"}, status=401)
        device = {"device_code": "d1", "user_code": "ABCD-EFGH", "verification_uri": f"{self.url}/activate"}
        return web.json_response(device | {"expires_in": 60, "interval": 0.01})

    async def answer_token(self, request: web.Request) -> web.StreamResponse:
        form = {name: str(value) for name, value in (await request.post()).items()}
        self.seen.append(form)
        if form["grant_type"] == _GRANT:
            assert form["device_code"] == "d1"
            self.polls += 1
            if self.polls < 3:
                return _refused("authorization_pending")
            if not self.user:
                return _refused("access_denied")
        elif self.is_revoked or form["refresh_token"] != f"r{self.refreshes}":
            return _refused("invalid_grant")
        else:
            self.refreshes += 1
        token = self.token(sub=self.user, exp=int(time.time()) + self.seconds)
        return web.json_response({"id_token": token, "refresh_token": f"r{self.refreshes}", "token_type": "Bearer"})

    @contextmanager
    def in_thread(self) -> Iterator[None]:
        started, loop = threading.Event(), asyncio.new_event_loop()
        stop = asyncio.Event()

        async def serve() -> None:
            async with self.running():
                started.set()
                await stop.wait()

        thread = threading.Thread(target=lambda: loop.run_until_complete(serve()))
        thread.start()
        assert started.wait(30)
        try:
            yield
        finally:
            loop.call_soon_threadsafe(stop.set)
            thread.join()
            loop.close()


def _refused(error: str) -> web.StreamResponse:
    return web.json_response({"error": error}, status=400)
