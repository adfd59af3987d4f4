"""Sends webhooks with aiohttp.

A name is resolved for each connection, and the connection goes to an address that was checked, so that a name cannot
lead elsewhere after the check.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from registry_grpc.adapters.metrics import WEBHOOK_SECONDS
from registry_grpc.domain.webhook import Outcome, Reach

if TYPE_CHECKING:
    import aiohttp
    from aiohttp.abc import AbstractResolver

_TIMEOUT_SECONDS = 10.0
_LONGEST_ANSWER = 64 * 1024
_LONGEST_EXCERPT = 200
_USER_AGENT = "registry-grpc"


class HttpWebhookSender:
    """Implements ports.webhooks.WebhookSender."""

    def __init__(self, reach: Reach, resolver: AbstractResolver | None = None) -> None:
        self._reach = reach
        self._resolver = resolver
        self._sessions: dict[str, aiohttp.ClientSession] = {}

    async def send(self, url: str, headers: Mapping[str, str], body: bytes) -> Outcome:
        # Imported here because most workers never send one, and it takes 8 MB of each.
        import aiohttp  # noqa: PLC0415

        from registry_grpc.adapters.webhooks.resolver import RefusedError  # noqa: PLC0415

        parts = urlsplit(url)
        host = parts.hostname or ""
        # An address is not resolved, so the resolver does not check it.
        if _is_address(host) and (refusal := self._reach.refusal(parts.scheme, host)):
            return Outcome(None, f"the url {refusal}")
        try:
            with WEBHOOK_SECONDS.time():
                async with self._session(parts.scheme).post(
                    url, data=body, headers=dict(headers), allow_redirects=False
                ) as answer:
                    text = await _beginning(answer)
        except RefusedError as error:
            return Outcome(None, str(error))
        except aiohttp.ClientConnectorError as error:
            refused = error.os_error if isinstance(error.os_error, RefusedError) else error.__cause__
            is_refused = isinstance(refused, RefusedError)
            return Outcome(None, str(refused) if is_refused else f"cannot connect: {_cause(error)}")
        except TimeoutError:
            return Outcome(None, f"no answer within {_TIMEOUT_SECONDS:.0f} seconds")
        except (aiohttp.ClientError, OSError, ValueError) as error:
            return Outcome(None, f"the request failed: {type(error).__name__}")
        return Outcome(answer.status, "" if answer.ok and answer.status < 300 else text[:_LONGEST_EXCERPT])

    async def close(self) -> None:
        for session in self._sessions.values():
            await session.close()
        self._sessions.clear()

    def _session(self, scheme: str) -> aiohttp.ClientSession:
        """One for each scheme, because the scheme decides which addresses are allowed."""
        import aiohttp  # noqa: PLC0415

        from registry_grpc.adapters.webhooks.resolver import CheckedResolver  # noqa: PLC0415

        if scheme not in self._sessions:
            resolver = CheckedResolver(self._reach, scheme, self._resolver or aiohttp.ThreadedResolver())
            self._sessions[scheme] = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(resolver=resolver, use_dns_cache=False, limit_per_host=16),
                timeout=aiohttp.ClientTimeout(total=_TIMEOUT_SECONDS),
                headers={"user-agent": _USER_AGENT},
                cookie_jar=aiohttp.DummyCookieJar(),
                auto_decompress=False,
                max_line_size=_LONGEST_ANSWER,
                max_field_size=_LONGEST_ANSWER,
            )
        return self._sessions[scheme]


async def _beginning(answer: aiohttp.ClientResponse) -> str:
    """The beginning of the answer as printable text. A longer answer is not read to its end."""
    data = b""
    while len(data) < _LONGEST_ANSWER and (chunk := await answer.content.read(_LONGEST_ANSWER - len(data))):
        data += chunk
    if len(data) == _LONGEST_ANSWER:
        answer.close()
    text = data[: 4 * _LONGEST_EXCERPT].decode(errors="replace")
    return "".join(character if character.isprintable() else " " for character in text)


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return False
    return True


def _cause(error: aiohttp.ClientConnectorError) -> str:
    return error.os_error.strerror or type(error.os_error).__name__
