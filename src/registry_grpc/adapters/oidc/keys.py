"""The public keys of an issuer, read over HTTP and read again when it rotates them."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable
from contextvars import Context
from dataclasses import dataclass
from pathlib import Path
from ssl import SSLContext, create_default_context
from typing import Any

import aiohttp
import jwt
import orjson
import structlog

from registry_grpc.domain.errors import Reason, Unavailable

_log = structlog.get_logger("issuer")
_FRESH_SECONDS = 600.0
"""After this time the keys are read again, whether somebody calls or not, so that withdrawn ones end."""
_AGAIN_SECONDS = 60.0
"""The same after a read that has failed."""
_READ_SECONDS = 5.0
"""How long a read may take."""
_OLDEST_SECONDS = 24 * 3600.0
"""While the issuer does not answer, its last keys are used up to this age."""
_PAUSE_SECONDS = 10.0
"""The least time between two reads, however many unknown keys are named."""
_TIMEOUT = aiohttp.ClientTimeout(connect=2)
_LARGEST_ANSWER = 1 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class KeySource:
    """Where the keys of an issuer are."""

    issuer: str
    jwks_url: str = ""
    """Empty: the discovery document of the issuer names it (OpenID Connect Discovery 1.0, section 4)."""
    ca_file: Path | None = None
    token_file: Path | None = None
    """A file with a token for the issuer, such as that of a service account for the Kubernetes API server."""


class KeySet:
    """The keys of one issuer. Concurrent callers share one read, and nobody waits for the refresh of a known key."""

    def __init__(self, source: KeySource, algorithms: Iterable[str]) -> None:
        self._source = source
        self._algorithms = frozenset(algorithms)
        self._ssl: SSLContext | bool = True
        if source.ca_file is not None:
            self._ssl = create_default_context(cafile=source.ca_file)
        self._keys: dict[str, jwt.PyJWK] = {}
        self._read_at = -_OLDEST_SECONDS
        self._tried_at = -_PAUSE_SECONDS
        self._failed = False
        self._reading: asyncio.Task[None] | None = None
        self._next: asyncio.TimerHandle | None = None

    async def key(self, key_id: str) -> jwt.PyJWK | None:
        """The key with this id, or None if the issuer has none. Without an id: the only key. Raises Unavailable."""
        found = self._find(key_id)
        if found is None and (self._reading is not None or time.monotonic() - self._tried_at >= _PAUSE_SECONDS):
            # It is not cancelled with a caller who gives up.
            await asyncio.shield(self._read())
            found = self._find(key_id)
        if time.monotonic() - self._read_at > _OLDEST_SECONDS:
            raise Unavailable(Reason.ISSUER_UNAVAILABLE)
        return found

    def close(self) -> None:
        """Read no more."""
        for pending in (self._reading, self._next):
            if pending is not None:
                pending.cancel()

    def _find(self, key_id: str) -> jwt.PyJWK | None:
        if key_id:
            return self._keys.get(key_id)
        return next(iter(self._keys.values())) if len(self._keys) == 1 else None

    def _read(self) -> asyncio.Task[None]:
        """The read that is under way, or a new one."""
        if self._reading is None:
            self._tried_at = time.monotonic()
            context = Context()  # this read, and those that follow, do not belong to the call that needs it first
            self._reading = asyncio.create_task(self._replace(), context=context)
            self._reading.add_done_callback(self._ended, context=context)
        return self._reading

    def _ended(self, reading: asyncio.Task[None]) -> None:
        self._reading = None
        if reading.cancelled():
            return
        if self._next is not None:
            self._next.cancel()
        seconds = _AGAIN_SECONDS if self._failed else _FRESH_SECONDS
        self._next = asyncio.get_running_loop().call_later(seconds, self._read)

    async def _replace(self) -> None:
        try:
            async with asyncio.timeout(_READ_SECONDS):
                self._keys = _keys_in(await self._fetched(), self._algorithms)
            self._read_at, self._failed = time.monotonic(), False
        except (aiohttp.ClientError, OSError, TimeoutError, ValueError, KeyError, TypeError) as error:
            self._failed = True
            cause = str(error) or type(error).__name__
            _log.warning("issuer.unreachable", issuer=self._source.issuer, cause=cause)

    async def _fetched(self) -> Any:
        headers = {}
        if self._source.token_file is not None:
            token = await asyncio.to_thread(self._source.token_file.read_text)
            headers["Authorization"] = f"Bearer {token.strip()}"
        async with aiohttp.ClientSession(timeout=_TIMEOUT, headers=headers) as session:
            url = self._source.jwks_url
            if not url:
                issuer = self._source.issuer
                document = await self._json(session, f"{issuer.rstrip('/')}/.well-known/openid-configuration")
                if document.get("issuer") != issuer:
                    raise ValueError("its discovery document names another issuer")
                url = document["jwks_uri"]
            return await self._json(session, url)

    async def _json(self, session: aiohttp.ClientSession, url: str) -> Any:
        async with session.get(url, ssl=self._ssl, allow_redirects=False) as answer:
            if answer.status != 200:
                raise ValueError(f"{url} answers {answer.status}")
            body = bytearray()
            async for part in answer.content.iter_any():
                body += part
                if len(body) > _LARGEST_ANSWER:
                    raise ValueError(f"{url} answers more than {_LARGEST_ANSWER} bytes")
            document = orjson.loads(body)
        if not isinstance(document, dict):
            raise ValueError(f"{url} does not answer a JSON object")  # noqa: TRY004 - the answer has the wrong value
        return document


def _keys_in(document: Any, algorithms: frozenset[str]) -> dict[str, jwt.PyJWK]:
    """The keys for signatures by their ids, without those that PyJWT cannot read. Raises ValueError without a list."""
    keys = {}
    for each in document["keys"]:
        try:
            key = jwt.PyJWK(each)
        except (jwt.PyJWTError, AttributeError, TypeError, ValueError):
            continue
        is_named = isinstance(key.key_id, str | None)
        if is_named and each.get("use", "sig") == "sig" and key.algorithm_name in algorithms:
            keys[key.key_id or ""] = key
    return keys
