"""A thin JSON client for the Kubernetes API over the connections and credentials of `kubernetes.aio`.

It takes and returns dicts, because the generated models refuse objects that a newer or less strict server sends. Only
this module raises StatusError and Unreachable for requests that fail.
"""

from __future__ import annotations

import asyncio
import json
import re
import time
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, TypedDict, Unpack
from urllib.parse import quote

import aiohttp
import structlog

from registry_grpc.adapters.kserve.errors import NoConnection, StatusError, Unreachable, status_error
from registry_grpc.adapters.kserve.throttle import Limits, Throttle
from registry_grpc.adapters.metrics import KUBERNETES_REQUESTS, KUBERNETES_SECONDS
from registry_grpc.adapters.spans import add, current

if TYPE_CHECKING:
    from kubernetes.aio.client import ApiClient  # takes most of a second to import
    from opentelemetry.trace import Span

_log = structlog.get_logger("kubernetes")

Json = dict[str, Any]

_APPLY = "application/apply-patch+yaml"
_MERGE_PATCH = "application/merge-patch+json"
_JSON = "application/json"
_ANY = f"{_JSON}, */*"
_METADATA, _METADATA_LIST = (f"{_JSON};as=PartialObjectMetadata{of};g=meta.k8s.io;v=v1, {_JSON}" for of in ("", "List"))
_PAGE = 500
_CONNECT_TIMEOUT = 5.0
_SILENCE = 90.0
"""A watch with bookmarks gets an event every minute, so after this many silent seconds the connection is dead."""
_PATIENCE = 15.0
"""How many seconds after its timeout a watch may still take to end."""
_LONGEST_HOLD = 30.0
ASK_SECONDS = 1.0
"""The pause between two questions to an API server that is away."""
_UNREADY_ANSWERS = 5
_PATH = re.compile(r"/(?:api|apis/[^/]+)/[^/]+(?:/namespaces/[^/]+(?=/))?/(?P<kind>[^/]+)(?:/[^/]+)?(?P<part>/[^/]+)?")
"""The path of an object, of a part of it such as its log, or of a list."""


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


class _Content(TypedDict, total=False):
    """What a request sends and accepts, if it is not the usual."""

    body: Json | None
    content_type: str
    accept: str


class Api:
    """The verbs of the Kubernetes API. Owns the ApiClient: `close` closes it."""

    def __init__(self, client: ApiClient, limits: Limits | None = None) -> None:
        limits = limits or Limits()
        self._client = client
        self._timeout = limits.timeout
        self._throttle = Throttle(limits)
        self._asking: asyncio.Task[None] | None = None
        """Only while the API server is away."""

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
        """The resource version of a list, from which a watch can start, without reading the list. Raises NoConnection
        without asking if somebody waits until the server is ready."""
        if self._asking is not None:
            raise NoConnection("the Kubernetes API is away")
        body = (await self._call("GET", path, {**query, "limit": "1"}, accept=_METADATA_LIST)).body
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
        """The events of one watch, which the server ends after `seconds`. Close it with `aclosing`. The objects in them
        only have metadata: a watch on Secrets gets no keys."""
        query |= {"watch": "1", "allowWatchBookmarks": "true", "timeoutSeconds": str(seconds)}
        timeout = aiohttp.ClientTimeout(total=seconds + _PATIENCE, sock_connect=_CONNECT_TIMEOUT, sock_read=_SILENCE)
        await self._throttle.turn()
        async with _network(), self._response("GET", path, query, accept=_METADATA, timeout=timeout) as response:
            async for line in response.content:
                yield _decoded(line)

    async def until_ready(self) -> None:
        """Wait, after a NoConnection, until the API server is ready. However many wait, one small request at a time
        asks for all of them."""
        if self._asking is None:
            self._asking = asyncio.create_task(self._ask_until_ready())
            self._asking.add_done_callback(self._asked)
        await asyncio.shield(self._asking)

    def _asked(self, _: asyncio.Task[None]) -> None:
        self._asking = None

    async def _ask_until_ready(self) -> None:
        """A server that has just started refuses all users for a moment, because it does not know their rights yet. But
        it need not tell everybody when it is ready, so after a few answers it counts as such."""
        answers = 0
        while answers < _UNREADY_ANSWERS:
            await asyncio.sleep(ASK_SECONDS)
            try:
                await self.text("/readyz")
            except NoConnection:
                continue
            except (StatusError, Unreachable):
                answers += 1
            else:
                return

    async def close(self) -> None:
        if self._asking is not None:
            self._asking.cancel()
        await self._client.close()  # type: ignore[no-untyped-call]

    async def _call(
        self, method: str, path: str, query: Mapping[str, str] | None = None, **content: Unpack[_Content]
    ) -> Answer:
        read, at = await self._read(method, path, query, **content)
        return Answer(_decoded(read), at)

    async def _read(
        self, method: str, path: str, query: Mapping[str, str] | None = None, **content: Unpack[_Content]
    ) -> tuple[bytes, datetime]:
        timeout = aiohttp.ClientTimeout(total=None, sock_connect=_CONNECT_TIMEOUT)
        async with (
            self._throttle.slot(),
            _network(),
            asyncio.timeout(self._timeout),
            self._response(method, path, query, timeout=timeout, **content) as response,
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
        accept: str = _ANY,
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        """A successful response. Its connection is reused if the response was read to its end, and closed otherwise."""
        _, url, headers, _, _ = await self._client.param_serialize(
            method,
            path,
            query_params=list((query or {}).items()),
            header_params={"Accept": accept, "Content-Type": content_type},
            auth_settings=["BearerToken"],
        )
        verb, began, status = _verb(method, query or {}), time.monotonic(), 0
        try:
            answer = await self._client.call_api(method, url, headers, body, _request_timeout=timeout)
            response: aiohttp.ClientResponse = answer.response
            status = response.status
        finally:
            # 0: there was no answer.
            seconds = time.monotonic() - began
            KUBERNETES_REQUESTS.labels(verb, str(status or "none")).inc()
            KUBERNETES_SECONDS.labels(verb).observe(seconds)
            ms = round(seconds * 1000, 2)
            _log.debug("kubernetes.called", method=method, path=path, status=status, duration_ms=ms)
            if (span := current()) is not None:
                _add_span(span, verb, path, status, seconds)
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
    except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError) as error:
        raise NoConnection(f"the Kubernetes API cannot be reached: {error}") from error
    except TimeoutError as error:
        raise Unreachable("the Kubernetes API did not answer in time") from error
    except (aiohttp.ClientError, OSError) as error:
        raise Unreachable(f"the Kubernetes API cannot be reached: {error or type(error).__name__}") from error


def _add_span(parent: Span, verb: str, path: str, status: int, seconds: float) -> None:
    """That an object is not there is often no error, but what was to be found out."""
    found = _PATH.fullmatch(path)
    kind = f"{found['kind']}{found['part'] or ''}" if found else path
    code = str(status or "none")
    is_error = not status or (status >= HTTPStatus.BAD_REQUEST and status != HTTPStatus.NOT_FOUND)
    attributes = {"kubernetes.verb": verb, "kubernetes.kind": kind, "kubernetes.code": code}
    add(parent, f"{verb} {kind}", seconds, attributes, code if is_error else "")


def _verb(method: str, query: Mapping[str, str]) -> str:
    """As Kubernetes names it in its rules of access."""
    if method == "GET":
        return "watch" if "watch" in query else "list" if "limit" in query else "get"
    return {"POST": "create"}.get(method, method.lower())


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
