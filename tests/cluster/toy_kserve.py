"""`python -m tests.cluster.toy_kserve KUBECONFIG`: runs the simulated cluster's KServe on a real cluster, over HTTP."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable
from pathlib import Path

import aiohttp
import httpx
from tests.cluster.client import ClusterClient, path_of

from registry_grpc.devtools.simulated_cluster.api.errors import ApiError
from registry_grpc.devtools.simulated_cluster.api.resources import Resource
from registry_grpc.devtools.simulated_cluster.api.store import Object, Store
from registry_grpc.devtools.simulated_cluster.api.verbs import Verbs, WriteOptions
from registry_grpc.devtools.simulated_cluster.kserve.controller import WATCHED, KServeController

_PAUSE = 0.2
_WATCH_SECONDS = 240


class RemoteVerbs(Verbs):
    """The verbs that the controller uses, as calls to a cluster. A missing answer is an ApiError, too."""

    def __init__(self, http: httpx.Client) -> None:
        super().__init__(Store(), [])
        self._http = http

    def _call(self, method: str, path: str, body: Object | None = None) -> Object:
        try:
            answer = self._http.request(method, path, json=body)
        except httpx.TransportError as error:
            raise ApiError(503, "ServiceUnavailable", repr(error)) from error
        content: Object = answer.json() if answer.text.startswith("{") else {}
        if not answer.is_success:
            raise ApiError(answer.status_code, content.get("reason", ""), content.get("message", answer.text))
        return content

    def find(self, resource: Resource, namespace: str, name: str) -> Object | None:
        try:
            return self._call("GET", path_of(resource, namespace, name))
        except ApiError as error:
            if error.code == 404:
                return None
            raise

    def list(self, resource: Resource, namespace: str = "") -> list[Object]:
        items: list[Object] = self._call("GET", path_of(resource, namespace))["items"]
        return items

    def create(self, resource: Resource, namespace: str, obj: Object, options: WriteOptions | None = None) -> Object:
        return self._call("POST", path_of(resource, namespace), obj)

    def update(
        self, resource: Resource, namespace: str, name: str, obj: Object, options: WriteOptions | None = None
    ) -> Object:
        subresource = options.subresource if options else ""
        return self._call("PUT", path_of(resource, namespace, name, subresource), obj)

    def delete(self, resource: Resource, namespace: str, name: str, options: Object | None = None) -> Object:
        return self._call("DELETE", path_of(resource, namespace, name))


async def follow(client: ClusterClient, resource: Resource, on_change: Callable[[Resource, Object], None]) -> None:
    """Report every object that exists, and every change, without end. After an error, list again."""
    path = path_of(resource)
    while True:
        try:
            listed = await client.call("GET", path)
            for item in listed["items"]:
                on_change(resource, item)
            query = {"resourceVersion": listed["metadata"]["resourceVersion"], "timeoutSeconds": str(_WATCH_SECONDS)}
            async for event in client.watch(path, **query):
                if event["type"] == "ERROR":
                    break
                on_change(resource, event["object"])
        except (ApiError, aiohttp.ClientError, TimeoutError):
            await asyncio.sleep(_PAUSE)


async def run(kubeconfig: Path) -> None:
    """Run the controller, without end."""
    async with ClusterClient.from_kubeconfig(kubeconfig) as client, asyncio.TaskGroup() as group:
        # Its calls block the event loop, which does not matter here.
        with httpx.Client(base_url=client.url, headers=client.headers, verify=client.tls or True) as http:
            kserve = KServeController(RemoteVerbs(http))
            for resource in WATCHED:
                group.create_task(follow(client, resource, kserve.on_change))
            await group.create_task(kserve.work.run())


if __name__ == "__main__":
    asyncio.run(run(Path(sys.argv[1])))
