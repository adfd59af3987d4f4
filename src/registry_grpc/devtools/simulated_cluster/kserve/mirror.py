"""A local copy of a collection, kept up to date by list and watch."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from typing import Any

import aiohttp

from registry_grpc.devtools.simulated_cluster.api.errors import ApiError
from registry_grpc.devtools.simulated_cluster.api.resources import Resource
from registry_grpc.devtools.simulated_cluster.kserve.client import ClusterClient, path_of

_PAUSE = 0.2
_TIMEOUT = "240"


class Mirror:
    """`objects` lags behind the cluster; `on_change` is called with every object that came, changed or went."""

    def __init__(
        self,
        client: ClusterClient,
        resource: Resource,
        on_change: Callable[[dict[str, Any]], None],
        *,
        selector: str = "",
    ) -> None:
        self._client = client
        self._path = path_of(resource)
        self._on_change = on_change
        self._params = {"labelSelector": selector} if selector else {}
        self._objects: dict[str, dict[str, Any]] = {}

    def objects(self, namespace: str = "") -> list[dict[str, Any]]:
        """The objects of a namespace, or all."""
        found = self._objects.values()
        return [obj for obj in found if not namespace or obj["metadata"].get("namespace") == namespace]

    async def run(self) -> None:
        """Follows the collection for ever; whatever goes wrong, it lists again."""
        while True:
            with contextlib.suppress(ApiError, aiohttp.ClientError, TimeoutError):
                await self._follow(await self._list())
            await asyncio.sleep(_PAUSE)

    async def _list(self) -> str:
        listed = await self._client.call("GET", self._path, **self._params)
        gone = self._objects
        self._objects = {}
        for item in listed["items"]:
            self._take(item)
            gone.pop(item["metadata"]["uid"], None)
        for obj in gone.values():
            self._on_change(obj)
        return str(listed["metadata"]["resourceVersion"])

    async def _follow(self, version: str) -> None:
        while True:
            query = {"resourceVersion": version, "timeoutSeconds": _TIMEOUT, "allowWatchBookmarks": "true"}
            async for event in self._client.watch(self._path, **self._params, **query):
                if event["type"] == "ERROR":
                    return
                obj = event["object"]
                version = obj["metadata"]["resourceVersion"]
                if event["type"] == "DELETED":
                    self._objects.pop(obj["metadata"]["uid"], None)
                    self._on_change(obj)
                elif event["type"] != "BOOKMARK":
                    self._take(obj)

    def _take(self, obj: dict[str, Any]) -> None:
        self._objects[obj["metadata"]["uid"]] = obj
        self._on_change(obj)
