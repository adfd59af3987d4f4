"""Lists and watches."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
from typing import Any

from aiohttp import web

from registry_grpc.devtools.simulated_cluster.api.errors import ApiError, bad_request, expired
from registry_grpc.devtools.simulated_cluster.api.selectors import Selector
from registry_grpc.devtools.simulated_cluster.api.store import Change, Store
from registry_grpc.devtools.simulated_cluster.server.requests import Target

_LONGEST_WATCH = 1800.0
_LAST_BOOKMARK = 2.0
"""A kube-apiserver sends one more bookmark this long before a watch's timeout."""


def listed(store: Store, target: Target, selector: Selector, query: dict[str, str]) -> dict[str, Any]:
    """The `List` object, with `continue` when `limit` cuts it short."""
    version, start = store.resource_version, ("", "")
    if token := query.get("continue"):
        version, start = _read_continue(token)
        if version < store.compacted:
            raise expired(
                "The provided continue parameter is too old to display a consistent list result. You can start a "
                "new list without the continue parameter, or use the continue token in this response to retrieve "
                "the remainder of the results. Continuing with the provided token results in an inconsistent list "
                "- objects that were created, modified, or deleted between the time the first chunk was returned "
                "and now may show up in the list."
            )
    items = [obj for obj in store.list(target.resource, target.namespace) if selector(obj) and _key(obj) > start]
    metadata: dict[str, Any] = {"resourceVersion": str(version)}
    limit = int(query.get("limit", "0"))
    if 0 < limit < len(items):
        metadata["continue"] = _continue_token(version, _key(items[limit - 1]))
        metadata["remainingItemCount"] = len(items) - limit
        items = items[:limit]
    resource = target.resource
    return {
        "apiVersion": resource.api_version,
        "kind": f"{resource.kind}List",
        "metadata": metadata,
        "items": items,
    }


def _key(obj: dict[str, Any]) -> tuple[str, str]:
    return obj["metadata"].get("namespace", ""), obj["metadata"]["name"]


def _continue_token(version: int, last: tuple[str, str]) -> str:
    return base64.urlsafe_b64encode(json.dumps([version, *last]).encode()).decode()


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

    async def serve(self, request: web.Request, target: Target, selector: Selector) -> web.StreamResponse:
        """Streams changes until the timeout; a forgotten resourceVersion is an ERROR event in a 200."""
        response = web.StreamResponse(headers={"Content-Type": "application/json"})
        since = request.query.get("resourceVersion", "")
        initial = []
        try:
            if since in {"", "0"}:
                initial = [obj for obj in self._store.list(target.resource, target.namespace) if selector(obj)]
                queue = self._store.watch(target.resource, None)
            else:
                queue = self._store.watch(target.resource, _version(since))
        except ApiError as error:
            if error.code != 410:
                raise
            await response.prepare(request)
            await _send(response, "ERROR", error.body())
            return response
        self._open.append(request)
        try:
            await response.prepare(request)
            for obj in initial:
                await _send(response, "ADDED", obj)
            with contextlib.suppress(ConnectionError):
                await self._stream(request, response, queue, target, selector)
        finally:
            self._open.remove(request)
            self._store.unwatch(queue)
        return response

    async def _stream(
        self,
        request: web.Request,
        response: web.StreamResponse,
        queue: asyncio.Queue[Change | None],
        target: Target,
        selector: Selector,
    ) -> None:
        loop = asyncio.get_running_loop()
        deadline = loop.time() + float(request.query.get("timeoutSeconds") or _LONGEST_WATCH)
        bookmarks = request.query.get("allowWatchBookmarks") in {"1", "true"}
        bookmark_at = self._next_bookmark(loop.time(), deadline) if bookmarks else deadline
        while True:
            try:
                async with asyncio.timeout_at(min(deadline, bookmark_at)):
                    change = await queue.get()
            except TimeoutError:
                if loop.time() >= deadline:
                    return
                await _send(response, "BOOKMARK", self._bookmark(target))
                bookmark_at = self._next_bookmark(loop.time(), deadline)
                continue
            if change is None:
                return
            if event := _event_for(change, selector):
                await _send(response, *event)

    def _next_bookmark(self, now: float, deadline: float) -> float:
        last = deadline - _LAST_BOOKMARK
        return min(now + self._bookmark_interval, last if now < last else deadline)

    def _bookmark(self, target: Target) -> dict[str, Any]:
        return {
            "kind": target.resource.kind,
            "apiVersion": target.resource.api_version,
            "metadata": {"resourceVersion": str(self._store.resource_version), "creationTimestamp": None},
        }


def _version(text: str) -> int:
    try:
        return int(text)
    except ValueError:
        raise bad_request(f'invalid resource version "{text}"') from None


def _event_for(change: Change, selector: Selector) -> tuple[str, dict[str, Any]] | None:
    """The event a watcher with this selector sees: leaving the selection is a deletion to it."""
    before = change.before if change.before is not None and selector(change.before) else None
    if change.type != "DELETED" and selector(change.obj):
        return ("ADDED" if before is None else "MODIFIED"), change.obj
    if before is None:
        return None
    version = {"resourceVersion": change.obj["metadata"]["resourceVersion"]}
    return "DELETED", {**before, "metadata": {**before["metadata"], **version}}


async def _send(response: web.StreamResponse, kind: str, obj: dict[str, Any]) -> None:
    await response.write(json.dumps({"type": kind, "object": obj}).encode() + b"\n")
