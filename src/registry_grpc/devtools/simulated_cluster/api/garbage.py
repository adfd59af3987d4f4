"""The garbage collector: what is deleted because its owner is, and which finalizers it takes off."""

from __future__ import annotations

import asyncio
import contextlib
from typing import Any

from registry_grpc.devtools.simulated_cluster.api.errors import ApiError
from registry_grpc.devtools.simulated_cluster.api.resources import NAMESPACES, RESOURCES, Resource
from registry_grpc.devtools.simulated_cluster.api.store import Change, Store
from registry_grpc.devtools.simulated_cluster.api.verbs import FOREGROUND, ORPHAN, Verbs


class GarbageCollector:
    """Follows the store's changes; call `run` as a task."""

    def __init__(self, store: Store, verbs: Verbs) -> None:
        self._store = store
        self._verbs = verbs
        self._pending: asyncio.Queue[str] = asyncio.Queue()
        store.listen(self._on_change)

    def _on_change(self, change: Change) -> None:
        metadata = change.obj["metadata"]
        if change.type == "DELETED":
            for _, dependent in self._store.dependents(metadata["uid"]):
                self._pending.put_nowait(dependent["metadata"]["uid"])
            if change.resource is NAMESPACES:
                self._empty(metadata["name"])
        elif "deletionTimestamp" in metadata or metadata.get("ownerReferences"):
            self._pending.put_nowait(metadata["uid"])
        # An owner that waits for its dependents is looked at again when one of them changes or goes.
        for reference in metadata.get("ownerReferences", ()):
            self._pending.put_nowait(reference["uid"])

    def _empty(self, namespace: str) -> None:
        for resource in RESOURCES:
            for obj in self._store.list(resource, namespace):
                self._store.remove(resource, obj)

    async def run(self) -> None:
        """Collects for ever."""
        while True:
            uid = await self._pending.get()
            found = self._store.by_uid(uid)
            if found is not None:
                # Somebody else's write in between only means that the object comes up again.
                with contextlib.suppress(ApiError):
                    self._collect(*found)

    def _collect(self, resource: Resource, obj: dict[str, Any]) -> None:
        metadata = obj["metadata"]
        finalizers = metadata.get("finalizers", [])
        if "deletionTimestamp" in metadata and ORPHAN in finalizers:
            self._orphan(resource, obj)
        elif "deletionTimestamp" in metadata and FOREGROUND in finalizers:
            self._delete_dependents(resource, obj)
        elif "deletionTimestamp" not in metadata and self._is_garbage(metadata):
            self._delete(resource, metadata, policy="Background")

    def _is_garbage(self, metadata: dict[str, Any]) -> bool:
        owners = metadata.get("ownerReferences", [])
        return bool(owners) and all(self._store.by_uid(owner["uid"]) is None for owner in owners)

    def _delete_dependents(self, resource: Resource, owner: dict[str, Any]) -> None:
        uid = owner["metadata"]["uid"]
        waiting = False
        for kind, dependent in list(self._store.dependents(uid)):
            references = dependent["metadata"]["ownerReferences"]
            blocking = any(item["uid"] == uid and item.get("blockOwnerDeletion") for item in references)
            others = [item for item in references if item["uid"] != uid and self._store.by_uid(item["uid"])]
            waiting = waiting or (blocking and not others)
            if not others and "deletionTimestamp" not in dependent["metadata"]:
                self._delete(kind, dependent["metadata"], policy="Foreground" if blocking else "Background")
        # Deleting may have removed the last dependents at once, and then this object has come up again.
        if not waiting:
            self._take_off(resource, owner, FOREGROUND)

    def _delete(self, resource: Resource, metadata: dict[str, Any], *, policy: str) -> None:
        body = {"propagationPolicy": policy, "preconditions": {"uid": metadata["uid"]}}
        self._verbs.delete(resource, metadata.get("namespace", ""), metadata["name"], body)

    def _orphan(self, resource: Resource, owner: dict[str, Any]) -> None:
        uid = owner["metadata"]["uid"]
        for kind, dependent in list(self._store.dependents(uid)):
            references = [item for item in dependent["metadata"]["ownerReferences"] if item["uid"] != uid]
            metadata = {**dependent["metadata"], "ownerReferences": references}
            self._verbs.update(kind, metadata.get("namespace", ""), {**dependent, "metadata": metadata})
        self._take_off(resource, owner, ORPHAN)

    def _take_off(self, resource: Resource, obj: dict[str, Any], finalizer: str) -> None:
        metadata = obj["metadata"]
        left = [item for item in metadata["finalizers"] if item != finalizer]
        namespace = metadata.get("namespace", "")
        self._verbs.patch(resource, namespace, metadata["name"], {"metadata": {"finalizers": left}})
