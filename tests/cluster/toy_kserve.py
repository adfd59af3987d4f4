"""`python -m tests.cluster.toy_kserve KUBECONFIG`: the toy KServe of the simulated cluster, on a real one over HTTP."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable
from pathlib import Path

import aiohttp
from tests.cluster.client import ClusterClient, path_of

from registry_grpc.devtools.simulated_cluster.api.errors import ApiError
from registry_grpc.devtools.simulated_cluster.api.resources import Resource
from registry_grpc.devtools.simulated_cluster.api.store import Object
from registry_grpc.devtools.simulated_cluster.kserve.controller import WATCHED, KServeController

_PAUSE = 0.2
_WATCH_SECONDS = 240


class RemoteObjects:
    """The objects of a cluster, as its API server answers them. An answer that does not come is an ApiError, too."""

    def __init__(self, client: ClusterClient) -> None:
        self._client = client

    async def _call(self, method: str, path: str, body: Object | None = None) -> Object:
        try:
            answer: Object = await self._client.call(method, path, body)
        except (aiohttp.ClientError, TimeoutError) as error:
            raise ApiError(503, "ServiceUnavailable", repr(error)) from error
        return answer

    async def find(self, resource: Resource, namespace: str, name: str) -> Object | None:
        try:
            return await self._call("GET", path_of(resource, namespace, name))
        except ApiError as error:
            if error.code == 404:
                return None
            raise

    async def list(self, resource: Resource, namespace: str = "") -> list[Object]:
        listed = await self._call("GET", path_of(resource, namespace))
        # The items of a list do not say their kind.
        kind = {"apiVersion": resource.api_version, "kind": resource.kind}
        return [{**item, **kind} for item in listed["items"]]

    async def create(self, resource: Resource, obj: Object) -> None:
        await self._call("POST", path_of(resource, obj["metadata"]["namespace"]), obj)

    async def update(self, resource: Resource, obj: Object, *, subresource: str = "") -> Object:
        path = path_of(resource, obj["metadata"]["namespace"], obj["metadata"]["name"], subresource)
        return await self._call("PUT", path, obj)

    async def delete(self, resource: Resource, obj: Object) -> None:
        path = path_of(resource, obj["metadata"]["namespace"], obj["metadata"]["name"])
        await self._call("DELETE", path, {"propagationPolicy": "Background"})

    async def follow(self, resource: Resource, on_change: Callable[[Resource, Object], None]) -> None:
        """Tells, for ever, of every object that is there, comes, changes or goes; after an error it lists again."""
        while True:
            try:
                listed = await self._call("GET", path_of(resource))
                for item in listed["items"]:
                    on_change(resource, item)
                await self._watch(resource, listed["metadata"]["resourceVersion"], on_change)
            except (ApiError, aiohttp.ClientError, TimeoutError):
                await asyncio.sleep(_PAUSE)

    async def _watch(self, resource: Resource, version: str, on_change: Callable[[Resource, Object], None]) -> None:
        query = {"resourceVersion": version, "timeoutSeconds": str(_WATCH_SECONDS)}
        async for event in self._client.watch(path_of(resource), **query):
            if event["type"] == "ERROR":
                return
            on_change(resource, event["object"])


async def run(kubeconfig: Path) -> None:
    """For ever."""
    async with ClusterClient.from_kubeconfig(kubeconfig) as client, asyncio.TaskGroup() as group:
        objects = RemoteObjects(client)
        kserve = KServeController(objects)
        for resource in WATCHED:
            group.create_task(objects.follow(resource, kserve.on_change))
        group.create_task(kserve.work.run())


if __name__ == "__main__":
    asyncio.run(run(Path(sys.argv[1])))
