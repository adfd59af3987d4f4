"""Lists and watches."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json

from aiohttp import web

from registry_grpc.devtools.simulated_cluster.api.errors import ApiError, bad_request, expired
from registry_grpc.devtools.simulated_cluster.api.selectors import Selector
from registry_grpc.devtools.simulated_cluster.api.store import Change, Object, Store, key_of
from registry_grpc.devtools.simulated_cluster.server import tables
from registry_grpc.devtools.simulated_cluster.server.requests import Target, selector_of

_LONGEST_WATCH = 1800.0
_LAST_BOOKMARK = 2.0
"""A kube-apiserver sends one more bookmark this long before a watch's timeout."""


def listed(store: Store, request: web.Request, target: Target) -> Object:
    """The `List` object, with `continue` when `limit` cuts it short."""
    selector = selector_of(request, target)
    version, start = store.version, ("", "")
    if token := request.query.get("continue"):
        version, start = _read_continue(token)
        if version < store.compacted:
            raise expired("The provided continue parameter is too old to display a consistent list result.")
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


def _read_continue(token: str) -> tuple[int, tuple[str, str]]:
    try:
        version, namespace, name = json.loads(base64.urlsafe_b64decode(token))
    except ValueError:
        raise bad_request("continue key is not valid") from None
    return version, (namespace, name)


class Watches:
    """The open watches of a server."""

    def __init__(self, store: Store, *, bookmark_interval: float) -> None:
        self._store = store
        self._bookmark_interval = bookmark_interval
        self._open: list[web.Request] = []

    def drop(self) -> None:
        """Resets the connection of every open watch."""
        for request in list(self._open):
            if request.transport is not None:
                request.transport.abort()

    async def serve(self, request: web.Request, target: Target) -> web.StreamResponse:
        """Streams changes until the timeout; a forgotten resourceVersion is an ERROR event in a 200."""
        selector = selector_of(request, target)
        watch = _Watch(request, target, selector)
        since = request.query.get("resourceVersion", "")
        with_what_is_there = since in {"", "0"} or request.query.get("sendInitialEvents") == "true"
        try:
            queue = self._store.watch(target.resource, None if with_what_is_there else _version(since))
        except ApiError as error:
            if error.code != 410:
                raise
            await watch.response.prepare(request)
            await watch.send("ERROR", error.body())
            return watch.response
        there = self._store.list(target.resource, target.namespace) if with_what_is_there else []
        self._open.append(request)
        try:
            await watch.response.prepare(request)
            for obj in filter(selector, there):
                await watch.send_object("ADDED", obj)
            if request.query.get("sendInitialEvents") == "true":
                await watch.send_bookmark(self._store.version, {"k8s.io/initial-events-end": "true"})
            with contextlib.suppress(ConnectionError):
                await self._stream(watch, queue)
        finally:
            self._open.remove(request)
            self._store.unwatch(queue)
        return watch.response

    async def _stream(self, watch: _Watch, queue: asyncio.Queue[Change | None]) -> None:
        loop = asyncio.get_running_loop()
        query = watch.request.query
        deadline = loop.time() + float(query.get("timeoutSeconds") or _LONGEST_WATCH)
        wants_bookmarks = query.get("allowWatchBookmarks") in {"1", "true"}
        while (now := loop.time()) < deadline:
            last = deadline - _LAST_BOOKMARK
            bookmark_at = min(now + self._bookmark_interval, last if now < last else deadline)
            try:
                async with asyncio.timeout_at(bookmark_at if wants_bookmarks else deadline):
                    while (change := await queue.get()) is not None:
                        await watch.tell(change)
            except TimeoutError:
                if loop.time() < deadline:
                    await watch.send_bookmark(self._store.version)
            else:
                return


class _Watch:
    """One watch and its response."""

    def __init__(self, request: web.Request, target: Target, selector: Selector) -> None:
        self.request = request
        self.response = web.StreamResponse(headers={"Content-Type": "application/json"})
        self._target = target
        self._selector = selector
        self._has_columns = False

    async def tell(self, change: Change) -> None:
        """The event that this watcher sees, if any: leaving the selection is a deletion to it."""
        before = change.before if change.before is not None and self._selector(change.before) else None
        if change.type != "DELETED" and self._selector(change.obj):
            await self.send_object("ADDED" if before is None else "MODIFIED", change.obj)
        elif before is not None:
            version = {"resourceVersion": change.obj["metadata"]["resourceVersion"]}
            await self.send_object("DELETED", {**before, "metadata": {**before["metadata"], **version}})

    async def send_object(self, kind: str, obj: Object) -> None:
        if tables.are_wanted(self.request):
            version = {"resourceVersion": obj["metadata"]["resourceVersion"]}
            obj = tables.table(self._target.resource, [obj], version, with_columns=not self._has_columns)
            self._has_columns = True
        await self.send(kind, obj)

    async def send_bookmark(self, version: int, annotations: dict[str, str] | None = None) -> None:
        metadata: Object = {"resourceVersion": str(version), "creationTimestamp": None}
        metadata |= {"annotations": annotations} if annotations else {}
        resource = self._target.resource
        await self.send("BOOKMARK", {"kind": resource.kind, "apiVersion": resource.api_version, "metadata": metadata})

    async def send(self, kind: str, obj: Object) -> None:
        await self.response.write(json.dumps({"type": kind, "object": obj}).encode() + b"\n")


def _version(text: str) -> int:
    try:
        return int(text)
    except ValueError:
        raise bad_request(f'invalid resource version "{text}"') from None
