"""Answers lists and watches."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
from collections.abc import Awaitable, Callable

from aiohttp import web

from registry_grpc.devtools.simulated_cluster.api.errors import ApiError, bad_request
from registry_grpc.devtools.simulated_cluster.api.store import Change, Object, Store, key_of
from registry_grpc.devtools.simulated_cluster.server import tables
from registry_grpc.devtools.simulated_cluster.server.requests import Selector, Target, selector_of

_LONGEST_WATCH = 1800.0
_LAST_BOOKMARK = 2.0
"""A kube-apiserver sends one more bookmark this long before a watch's timeout."""

Send = Callable[[str, Object], Awaitable[None]]
"""A function that sends an event of this type with this object."""


def listed(store: Store, request: web.Request, target: Target) -> Object:
    """The `List` object, with `continue` if `limit` shortens it."""
    selector = selector_of(request, target)
    version, start = store.version, tuple[str, ...]()
    if token := request.query.get("continue"):
        version, *place = json.loads(base64.urlsafe_b64decode(token))
        start = tuple(place)
        if version < store.compacted:
            text = "The provided continue parameter is too old to display a consistent list result."
            raise ApiError(410, "Expired", text)
    items = [obj for obj in store.list(target.resource, target.namespace) if selector(obj) and key_of(obj) > start]
    metadata: Object = {"resourceVersion": str(version)}
    limit = int(request.query.get("limit", "0"))
    if 0 < limit < len(items):
        place = [version, *key_of(items[limit - 1])]
        metadata["continue"] = base64.urlsafe_b64encode(json.dumps(place).encode()).decode()
        metadata["remainingItemCount"] = len(items) - limit
        items = items[:limit]
    kind = {"apiVersion": target.resource.api_version, "kind": f"{target.resource.kind}List"}
    return {**kind, "metadata": metadata, "items": items}


class Watches:
    """The open watches of a server."""

    def __init__(self, store: Store, *, bookmark_interval: float) -> None:
        self._store = store
        self._bookmark_interval = bookmark_interval

    async def serve(self, request: web.Request, target: Target) -> web.StreamResponse:
        """Streams changes until the timeout. If the history is too short, sends an ERROR event in a 200."""
        selector = selector_of(request, target)
        since = request.query.get("resourceVersion", "")
        wants_all = since in {"", "0"} or request.query.get("sendInitialEvents") == "true"
        response = web.StreamResponse(headers={"Content-Type": "application/json"})
        send = _sender(request, response, target)
        if not (wants_all or since.isdecimal()):
            raise bad_request(f'invalid resource version "{since}"')
        try:
            queue = self._store.watch(target.resource, None if wants_all else int(since))
        except ApiError as error:
            if error.code != 410:
                raise
            await response.prepare(request)
            await send("ERROR", error.body())
            return response
        there = filter(selector, self._store.list(target.resource, target.namespace)) if wants_all else ()
        try:
            await response.prepare(request)
            for obj in there:
                await send("ADDED", obj)
            if request.query.get("sendInitialEvents") == "true":
                await send("BOOKMARK", self._bookmark(target, {"k8s.io/initial-events-end": "true"}))
            with contextlib.suppress(ConnectionError):
                await self._stream(request, target, queue, selector, send)
        finally:
            self._store.unwatch(queue)
        return response

    async def _stream(
        self, request: web.Request, target: Target, queue: asyncio.Queue[Change | None], selector: Selector, send: Send
    ) -> None:
        loop = asyncio.get_running_loop()
        deadline = loop.time() + float(request.query.get("timeoutSeconds") or _LONGEST_WATCH)
        wants_bookmarks = request.query.get("allowWatchBookmarks") in {"1", "true"}
        while (now := loop.time()) < deadline:
            last = deadline - _LAST_BOOKMARK
            bookmark_at = min(now + self._bookmark_interval, last if now < last else deadline)
            try:
                async with asyncio.timeout_at(bookmark_at if wants_bookmarks else deadline):
                    while change := await queue.get():
                        if event := _event_for(change, selector):
                            await send(*event)
            except TimeoutError:
                if loop.time() < deadline:
                    await send("BOOKMARK", self._bookmark(target))
            else:
                return

    def _bookmark(self, target: Target, annotations: dict[str, str] | None = None) -> Object:
        kind = {"kind": target.resource.kind, "apiVersion": target.resource.api_version}
        version = {"resourceVersion": str(self._store.version), "creationTimestamp": None}
        return {**kind, "metadata": {**version, **({"annotations": annotations} if annotations else {})}}


def _sender(request: web.Request, response: web.StreamResponse, target: Target) -> Send:
    async def send(kind: str, obj: Object) -> None:
        if tables.are_wanted(request) and kind in {"ADDED", "MODIFIED", "DELETED"}:
            obj = tables.table(target.resource, obj)
        await response.write(json.dumps({"type": kind, "object": obj}).encode() + b"\n")

    return send


def _event_for(change: Change, selector: Selector) -> tuple[str, Object] | None:
    """The event for a watch with this selector. An object that no longer matches it is reported as deleted."""
    before = change.before if change.before is not None and selector(change.before) else None
    if change.type != "DELETED" and selector(change.obj):
        return ("ADDED" if before is None else "MODIFIED"), change.obj
    if before is None:
        return None
    version = {"resourceVersion": change.obj["metadata"]["resourceVersion"]}
    return "DELETED", {**before, "metadata": {**before["metadata"], **version}}
