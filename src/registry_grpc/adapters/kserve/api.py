"""A thin JSON client for the Kubernetes API over the connections and credentials of `kubernetes.aio`.

It takes and returns dicts, because the generated models refuse objects that a newer or less strict server sends. Only
this module raises StatusError and Unreachable for requests that fail.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import aiohttp

from registry_grpc.adapters.kserve.errors import StatusError, Unreachable, status_error
from registry_grpc.adapters.kserve.throttle import Limits, Throttle

if TYPE_CHECKING:
    from kubernetes.aio.client import ApiClient  # takes most of a second to import

Json = dict[str, Any]

_APPLY = "application/apply-patch+yaml"
_MERGE_PATCH = "application/merge-patch+json"
_JSON = "application/json"
_PAGE = 500
_CONNECT_TIMEOUT = 5.0
_SILENCE = 90.0
"""A watch with bookmarks gets an event every minute, so after this many silent seconds the connection is dead."""
_PATIENCE = 15.0
"""How many seconds after its timeout a watch may still take to end."""
_LONGEST_HOLD = 30.0


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of object: the path of its API group and version, and its plural name.

    Methods that take a name raise a 404 for a name that no object can have.
    """

    api: str
    plural: str

    def everywhere(self) -> str:
        """The path of all objects, in all namespaces if the kind is namespaced."""
        return f"/{self.api}/{self.plural}"

    def within(self, namespace: str) -> str:
        """The path of all objects in a namespace."""
        return f"/{self.api}/namespaces/{_segment(namespace, 'namespaces')}/{self.plural}"

    def at(self, namespace: str, name: str) -> str:
        """The path of one object in a namespace."""
        return f"{self.within(namespace)}/{_segment(name, self.plural)}"

    def named(self, name: str) -> str:
        """The path of one object of a kind without namespaces."""
        return f"{self.everywhere()}/{_segment(name, self.plural)}"


def _segment(name: str, plural: str) -> str:
    # The API server refuses such names too, but a URL with them would be normalized to the path of another object.
    if name in {"", ".", ".."} or "/" in name or "%" in name:
        text = f'{plural} "{name}" not found: Kubernetes does not allow such a name'
        raise StatusError(HTTPStatus.NOT_FOUND, text, reason="NotFound", kind=plural)
    return quote(name, safe="")


@dataclass(frozen=True, slots=True)
class Answer:
    """A successful answer: the object and the server's time."""

    body: Json
    at: datetime


@dataclass(frozen=True, slots=True)
class Listing:
    """A complete list, and the resource version from which a watch continues."""

    items: list[Json]
    resource_version: str


class Api:
    """The verbs of the Kubernetes API. Owns the ApiClient: `close` closes it."""

    def __init__(self, client: ApiClient, limits: Limits | None = None) -> None:
        limits = limits or Limits()
        self._client = client
        self._timeout = limits.timeout
        self._throttle = Throttle(limits)

    async def get(self, path: str) -> Answer:
        return await self._call("GET", path)

    async def find(self, kind: Kind, name: str, *, namespace: str | None = None) -> Json | None:
        """The object, or None if it does not exist or the server does not know its kind."""
        try:
            return (await self.get(kind.named(name) if namespace is None else kind.at(namespace, name))).body
        except StatusError as error:
            if error.code == HTTPStatus.NOT_FOUND:
                return None
            raise

    async def list(self, path: str, **query: str) -> Listing:
        """The complete list, read page by page."""
        items: list[Json] = []
        page = {**query, "limit": str(_PAGE)}
        while True:
            body = (await self._call("GET", path, page)).body
            items += body.get("items") or ()
            metadata = body.get("metadata") or {}
            if not metadata.get("continue"):
                return Listing(items, metadata.get("resourceVersion") or "")
            page = {**page, "continue": metadata["continue"]}

    async def text(self, path: str, **query: str) -> str:
        """An answer that is no JSON, such as a log."""
        return (await self._read("GET", path, query))[0].decode(errors="replace")

    async def version(self, path: str, **query: str) -> str:
        """The resource version of a list, from which a watch can start, without reading the list."""
        body = (await self._call("GET", path, {**query, "limit": "1"})).body
        return (body.get("metadata") or {}).get("resourceVersion") or ""

    async def create(self, path: str, body: Json) -> Json:
        return (await self._call("POST", path, body=body)).body

    async def apply(self, path: str, body: Json, *, manager: str, force: bool, dry_run: bool = False) -> Json:
        """Server-side apply. The server refuses fields that are not in the schema."""
        query = {"fieldManager": manager, "fieldValidation": "Strict", "force": str(force).lower()}
        if dry_run:
            query["dryRun"] = "All"
        return (await self._call("PATCH", path, query, body=body, content_type=_APPLY)).body

    async def merge(self, path: str, patch: Json, *, manager: str) -> Json:
        """A JSON merge patch."""
        query = {"fieldManager": manager}
        return (await self._call("PATCH", path, query, body=patch, content_type=_MERGE_PATCH)).body

    async def delete(self, path: str, options: Json | None = None) -> None:
        await self._call("DELETE", path, body=options or {})

    async def watch(self, path: str, *, seconds: int, **query: str) -> AsyncGenerator[Json, None]:
        """The events of one watch, which the server ends after `seconds`. Close it with `aclosing`."""
        query |= {"watch": "1", "allowWatchBookmarks": "true", "timeoutSeconds": str(seconds)}
        timeout = aiohttp.ClientTimeout(total=seconds + _PATIENCE, sock_connect=_CONNECT_TIMEOUT, sock_read=_SILENCE)
        await self._throttle.turn()
        async with _network(), self._response("GET", path, query, timeout=timeout) as response:
            async for line in response.content:
                yield _decoded(line)

    async def close(self) -> None:
        await self._client.close()  # type: ignore[no-untyped-call]

    async def _call(
        self,
        method: str,
        path: str,
        query: Mapping[str, str] | None = None,
        *,
        body: Json | None = None,
        content_type: str = _JSON,
    ) -> Answer:
        content, at = await self._read(method, path, query, body=body, content_type=content_type)
        return Answer(_decoded(content), at)

    async def _read(
        self,
        method: str,
        path: str,
        query: Mapping[str, str] | None = None,
        *,
        body: Json | None = None,
        content_type: str = _JSON,
    ) -> tuple[bytes, datetime]:
        timeout = aiohttp.ClientTimeout(total=None, sock_connect=_CONNECT_TIMEOUT)
        async with (
            self._throttle.slot(),
            _network(),
            asyncio.timeout(self._timeout),
            self._response(method, path, query, body=body, content_type=content_type, timeout=timeout) as response,
        ):
            return await response.read(), _time_of(response)

    @asynccontextmanager
    async def _response(
        self,
        method: str,
        path: str,
        query: Mapping[str, str] | None,
        *,
        timeout: aiohttp.ClientTimeout,
        body: Json | None = None,
        content_type: str = _JSON,
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        """A successful response. Its connection is reused if the response was read to its end, and closed otherwise."""
        _, url, headers, _, _ = await self._client.param_serialize(
            method,
            path,
            query_params=list((query or {}).items()),
            header_params={"Accept": f"{_JSON}, */*", "Content-Type": content_type},
            auth_settings=["BearerToken"],
        )
        answer = await self._client.call_api(method, url, headers, body, _request_timeout=timeout)
        response: aiohttp.ClientResponse = answer.response
        try:
            if response.status >= HTTPStatus.MULTIPLE_CHOICES:
                raise await self._error(response)
            yield response
        finally:
            response.close()

    async def _error(self, response: aiohttp.ClientResponse) -> StatusError:
        text = await response.text(errors="replace")
        try:
            body = json.loads(text)
        except ValueError:
            body = {}
        error = status_error(
            response.status,
            body if isinstance(body, dict) else {},
            text,
            retry_after=response.headers.get("Retry-After", ""),
            at=_time_of(response),
        )
        if error.retry_after:
            self._throttle.close_for(min(error.retry_after, _LONGEST_HOLD))
        return error


@asynccontextmanager
async def _network() -> AsyncIterator[None]:
    try:
        yield
    except TimeoutError as error:
        raise Unreachable("the Kubernetes API did not answer in time") from error
    except (aiohttp.ClientError, OSError) as error:
        raise Unreachable(f"the Kubernetes API cannot be reached: {error or type(error).__name__}") from error


def _decoded(text: bytes) -> Json:
    try:
        body = json.loads(text)
    except ValueError:
        body = None
    if not isinstance(body, dict):
        raise Unreachable("the server that answers is not a Kubernetes API: its answer is not a JSON object")
    return body


def _time_of(response: aiohttp.ClientResponse) -> datetime:
    """The server's time, because the times in its objects are the server's too."""
    try:
        return parsedate_to_datetime(response.headers["Date"])
    except (KeyError, ValueError):
        return datetime.now(UTC)
