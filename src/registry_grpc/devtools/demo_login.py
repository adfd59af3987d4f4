"""The login of the demo's issuer: OpenID Connect's code flow with PKCE, in which the user says who it is."""

from __future__ import annotations

import base64
import hashlib
import secrets
from collections.abc import Callable, Mapping
from html import escape
from typing import Any
from urllib.parse import urlencode, urlsplit

from aiohttp import web

FOR_ALL_PAGES = {"Access-Control-Allow-Origin": "*"}
"""Web pages of any origin may read the answers: a code is worth nothing without its verifier."""
LOGIN_SECONDS = 3600


class CodeFlow:
    """Hands out codes, and a token for each code, once."""

    def __init__(self, url: str, client_id: str, users: Mapping[str, str], new_token: Callable[..., str]) -> None:
        """`users` has the names of the users and what to call them; `new_token` makes a token of claims."""
        self._url, self._client_id, self._users, self._new_token = url, client_id, users, new_token
        self._codes: dict[str, tuple[str, Mapping[str, str]]] = {}

    def add_to(self, application: web.Application) -> None:
        application.router.add_get("/authorize", self._authorize)
        application.router.add_post("/token", self._token)

    @property
    def discovery(self) -> dict[str, Any]:
        return {
            "authorization_endpoint": f"{self._url}/authorize",
            "token_endpoint": f"{self._url}/token",
            "response_types_supported": ["code"],
            "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": ["RS256"],
            "code_challenge_methods_supported": ["S256"],
            "token_endpoint_auth_methods_supported": ["none"],
            "scopes_supported": ["openid"],
        }

    async def _authorize(self, request: web.Request) -> web.StreamResponse:
        """Without a `user`, a page with a link for each; with one, back to where the request says, with a code."""
        asked = dict(request.query)
        if problem := self._problem(asked):
            return web.Response(status=400, text=problem)
        if (user := asked.pop("user", "")) not in self._users:
            links = "".join(
                f'<li><a href="/authorize?{escape(urlencode({**asked, "user": user}))}">{escape(called)}</a></li>\n'
                for user, called in self._users.items()
            )
            return web.Response(content_type="text/html", text=_PAGE.format(links=links))
        code = secrets.token_urlsafe(16)
        self._codes[code] = user, asked
        answer = {"code": code} | {name: asked[name] for name in ("state",) if name in asked}
        glue = "&" if urlsplit(asked["redirect_uri"]).query else "?"
        raise web.HTTPFound(f"{asked['redirect_uri']}{glue}{urlencode(answer)}")

    def _problem(self, asked: Mapping[str, str]) -> str:
        """What is wrong with a request for a code."""
        if urlsplit(asked.get("redirect_uri", "")).hostname not in {"127.0.0.1", "localhost", "::1"}:
            return "redirect_uri must lead to this machine"
        if asked.get("client_id") != self._client_id:
            return f"client_id must be {self._client_id}"
        if asked.get("response_type") != "code":
            return "response_type must be code"
        if asked.get("code_challenge_method") != "S256" or not asked.get("code_challenge"):
            return "code_challenge with the code_challenge_method S256 is needed"
        return ""

    async def _token(self, request: web.Request) -> web.StreamResponse:
        form = {name: str(value) for name, value in (await request.post()).items()}
        user, asked = self._codes.pop(form.get("code", ""), ("", {}))
        digest = hashlib.sha256(form.get("code_verifier", "").encode()).digest()
        challenge = base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
        is_same = all(form.get(name) == asked.get(name) for name in ("client_id", "redirect_uri"))
        if not (user and is_same and secrets.compare_digest(challenge, asked["code_challenge"])):
            return web.json_response({"error": "invalid_grant"}, status=400, headers=FOR_ALL_PAGES)
        token = self._new_token(sub=user, nonce=asked.get("nonce"))
        answer = {"access_token": token, "id_token": token, "token_type": "Bearer", "expires_in": LOGIN_SECONDS}
        return web.json_response(answer, headers={**FOR_ALL_PAGES, "Cache-Control": "no-store"})


_PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>Log in to the demo</title>
<link rel="icon" href="data:,">
</head>
<body>
<main>
<h1>Log in to the demo</h1>
<p>There are no passwords. Choose who you are:</p>
<ul>
{links}</ul>
</main>
</body>
</html>
"""
