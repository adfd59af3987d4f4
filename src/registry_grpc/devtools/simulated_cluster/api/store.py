"""What etcd is to a cluster: the objects, one counter for all changes, and a bounded history to watch from."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from registry_grpc.devtools.simulated_cluster.api.errors import expired
from registry_grpc.devtools.simulated_cluster.api.resources import RESOURCES, Resource

Key = tuple[str, str]
"""Namespace ("" for cluster-scoped kinds) and name."""

_HISTORY = 20_000


@dataclass(frozen=True)
class Change:
    """One write: the object afterwards (for a deletion: as it was last) and before."""

    resource_version: int
    resource: Resource
    type: str
    obj: dict[str, Any]
    before: dict[str, Any] | None


class Store:
    """Stored objects are never changed in place: every write puts a new one, so readers need no copy."""

    def __init__(self) -> None:
        self.resource_version = 1000
        self._objects: dict[Resource, dict[Key, dict[str, Any]]] = {resource: {} for resource in RESOURCES}
        self._by_uid: dict[str, tuple[Resource, Key]] = {}
        self._dependents: dict[str, set[str]] = {}
        self._history: deque[Change] = deque(maxlen=_HISTORY)
        self.compacted = self.resource_version
        self._watchers: dict[asyncio.Queue[Change | None], Resource] = {}
        self._listeners: list[Callable[[Change], None]] = []

    def get(self, resource: Resource, namespace: str, name: str) -> dict[str, Any] | None:
        return self._objects[resource].get((namespace, name))

    def by_uid(self, uid: str) -> tuple[Resource, dict[str, Any]] | None:
        place = self._by_uid.get(uid)
        return (place[0], self._objects[place[0]][place[1]]) if place else None

    def list(self, resource: Resource, namespace: str = "") -> list[dict[str, Any]]:
        """All objects of a kind, of one namespace or of all, in the order of their keys."""
        objects = self._objects[resource]
        return [objects[key] for key in sorted(objects) if not namespace or key[0] == namespace]

    def dependents(self, uid: str) -> Iterator[tuple[Resource, dict[str, Any]]]:
        """The objects whose ownerReferences name the uid."""
        for dependent in sorted(self._dependents.get(uid, ())):
            found = self.by_uid(dependent)
            if found:
                yield found

    def put(self, resource: Resource, obj: dict[str, Any]) -> dict[str, Any]:
        """Stores the object under its name with the next resourceVersion."""
        key = _key(obj)
        before = self._objects[resource].get(key)
        self.resource_version += 1
        stored = {**obj, "metadata": {**obj["metadata"], "resourceVersion": str(self.resource_version)}}
        self._objects[resource][key] = stored
        self._index(resource, key, before, stored)
        self._publish(resource, "MODIFIED" if before else "ADDED", stored, before)
        return stored

    def remove(self, resource: Resource, obj: dict[str, Any]) -> dict[str, Any]:
        """Removes the object; the deletion has a resourceVersion of its own, as in etcd."""
        key = _key(obj)
        before = self._objects[resource].pop(key)
        self.resource_version += 1
        last = {**before, "metadata": {**before["metadata"], "resourceVersion": str(self.resource_version)}}
        self._index(resource, key, before, None)
        self._publish(resource, "DELETED", last, before)
        return last

    def _index(self, resource: Resource, key: Key, before: dict[str, Any] | None, after: dict[str, Any] | None) -> None:
        if before:
            uid = before["metadata"]["uid"]
            self._by_uid.pop(uid, None)
            for reference in before["metadata"].get("ownerReferences", ()):
                self._dependents.get(reference["uid"], set()).discard(uid)
        if after:
            uid = after["metadata"]["uid"]
            self._by_uid[uid] = (resource, key)
            for reference in after["metadata"].get("ownerReferences", ()):
                self._dependents.setdefault(reference["uid"], set()).add(uid)

    def _publish(self, resource: Resource, kind: str, obj: dict[str, Any], before: dict[str, Any] | None) -> None:
        change = Change(self.resource_version, resource, kind, obj, before)
        if len(self._history) == _HISTORY:
            self.compacted = self._history[0].resource_version
        self._history.append(change)
        for queue, watched in self._watchers.items():
            if watched is resource:
                queue.put_nowait(change)
        for listener in self._listeners:
            listener(change)

    def listen(self, listener: Callable[[Change], None]) -> None:
        """Calls the listener, synchronously, after every change."""
        self._listeners.append(listener)

    def watch(self, resource: Resource, since: int | None) -> asyncio.Queue[Change | None]:
        """A queue of the kind's changes after `since` (None: from now on); raises 410 when they are forgotten.

        None in the queue means that the watch is to end. Close it with `unwatch`.
        """
        if since is not None and since < self.compacted:
            raise expired(f"too old resource version: {since} ({self.compacted})")
        queue: asyncio.Queue[Change | None] = asyncio.Queue()
        if since is not None:
            for change in self._history:
                if change.resource is resource and change.resource_version > since:
                    queue.put_nowait(change)
        self._watchers[queue] = resource
        return queue

    def unwatch(self, queue: asyncio.Queue[Change | None]) -> None:
        self._watchers.pop(queue, None)

    def end_watches(self) -> None:
        """Ends every open watch cleanly, as a kube-apiserver does when it goes away."""
        for queue in self._watchers:
            queue.put_nowait(None)

    def compact(self) -> None:
        """Forgets the history, so that watching from an earlier resourceVersion answers 410."""
        self._history.clear()
        self.compacted = self.resource_version

    def snapshot(self) -> dict[str, Any]:
        """Everything, as JSON can hold it."""
        objects = [obj for resource in RESOURCES for obj in self.list(resource)]
        return {"resourceVersion": self.resource_version, "objects": objects}

    def restore(self, snapshot: dict[str, Any]) -> None:
        """Takes over a snapshot; the history starts empty."""
        kinds = {(resource.api_version, resource.kind): resource for resource in RESOURCES}
        for obj in snapshot["objects"]:
            resource = kinds[obj["apiVersion"], obj["kind"]]
            self._objects[resource][_key(obj)] = obj
            self._index(resource, _key(obj), None, obj)
        self.resource_version = snapshot["resourceVersion"]
        self.compact()


def _key(obj: dict[str, Any]) -> Key:
    return obj["metadata"].get("namespace", ""), obj["metadata"]["name"]
