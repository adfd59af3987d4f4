"""What KServe's controller does to a cluster: here by the verbs themselves, in tests also over HTTP to a real one."""

from __future__ import annotations

from typing import Protocol

from registry_grpc.devtools.simulated_cluster.api.resources import Resource
from registry_grpc.devtools.simulated_cluster.api.store import Object, Store
from registry_grpc.devtools.simulated_cluster.api.verbs import Verbs, WriteOptions

_MANAGER = "kserve-controller-manager"


class Objects(Protocol):
    """Every refusal is an ApiError."""

    async def find(self, resource: Resource, namespace: str, name: str) -> Object | None: ...

    async def list(self, resource: Resource, namespace: str = "") -> list[Object]: ...

    async def create(self, resource: Resource, obj: Object) -> None: ...

    async def update(self, resource: Resource, obj: Object, *, subresource: str = "") -> Object: ...

    async def delete(self, resource: Resource, obj: Object) -> None: ...


class StoredObjects:
    """The objects of the simulated cluster."""

    def __init__(self, store: Store, verbs: Verbs) -> None:
        self._store = store
        self._verbs = verbs

    async def find(self, resource: Resource, namespace: str, name: str) -> Object | None:
        return self._store.get(resource, namespace, name)

    async def list(self, resource: Resource, namespace: str = "") -> list[Object]:
        return self._store.list(resource, namespace)

    async def create(self, resource: Resource, obj: Object) -> None:
        self._verbs.create(resource, obj["metadata"]["namespace"], obj, WriteOptions(_MANAGER))

    async def update(self, resource: Resource, obj: Object, *, subresource: str = "") -> Object:
        return self._verbs.update(resource, obj["metadata"]["namespace"], obj, WriteOptions(_MANAGER, subresource))

    async def delete(self, resource: Resource, obj: Object) -> None:
        self._verbs.delete(resource, obj["metadata"]["namespace"], obj["metadata"]["name"])
