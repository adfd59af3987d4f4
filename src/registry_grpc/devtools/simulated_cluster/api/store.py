"""Stores objects like etcd, with one counter for all changes and a limited history for watches."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from registry_grpc.devtools.simulated_cluster.api.errors import ApiError
from registry_grpc.devtools.simulated_cluster.api.resources import RESOURCES, Resource

Object = dict[str, Any]
Key = tuple[str, str]
"""Namespace ("" for cluster-scoped kinds) and name."""

_HISTORY = 20_000


def key_of(obj: Object) -> Key:
    return obj["metadata"].get("namespace", ""), obj["metadata"]["name"]


@dataclass(frozen=True)
class Change:
    """One write: the object afterwards (for a deletion: its last state) and before."""

    resource: Resource
    type: str
    obj: Object
    before: Object | None = None

    @property
    def version(self) -> int:
        return int(self.obj["metadata"]["resourceVersion"])


class Store:
    """Stores objects. They are never changed in place: every write stores a new one, so readers need no copy."""

    def __init__(self) -> None:
        self.version = 1000
        """The resourceVersion of the last change."""
        self.compacted = self.version
        """Watches cannot begin before this change."""
        self.journal: Callable[[Change], None] = lambda _: None
        """Called before each change. If it raises, the change is not made."""
        self._objects: dict[Resource, dict[Key, Object]] = {resource: {} for resource in RESOURCES}
        self._by_uid: dict[str, tuple[Resource, Key]] = {}
        self._dependents: dict[str, set[str]] = {}
        self._history: deque[Change] = deque(maxlen=_HISTORY)
        self._watchers: dict[asyncio.Queue[Change | None], Resource] = {}
        self._listeners: list[Callable[[Change], object]] = []

    def get(self, resource: Resource, namespace: str, name: str) -> Object | None:
        return self._objects[resource].get((namespace, name))

    def by_uid(self, uid: str) -> tuple[Resource, Object] | None:
        place = self._by_uid.get(uid)
        return (place[0], self._objects[place[0]][place[1]]) if place else None

    def list(self, resource: Resource, namespace: str = "") -> list[Object]:
        """All objects of a kind, of one namespace or of all, in the order of their keys."""
        objects = self._objects[resource]
        return [objects[key] for key in sorted(objects) if not namespace or key[0] == namespace]

    def everything(self) -> Iterator[tuple[Resource, Object]]:
        return ((resource, obj) for resource in RESOURCES for obj in self.list(resource))

    def dependents(self, uid: str) -> tuple[tuple[Resource, Object], ...]:
        """The objects whose ownerReferences name the uid."""
        found = (self.by_uid(dependent) for dependent in sorted(self._dependents.get(uid, ())))
        return tuple(item for item in found if item)

    def put(self, resource: Resource, obj: Object) -> Object:
        """Stores the object with the next resourceVersion."""
        before = self.get(resource, *key_of(obj))
        return self._make(resource, "MODIFIED" if before else "ADDED", obj, before)

    def remove(self, resource: Resource, obj: Object) -> Object:
        """Removes the object. The deletion has its own resourceVersion, as in etcd."""
        return self._make(resource, "DELETED", obj, self.get(resource, *key_of(obj)))

    def _make(self, resource: Resource, kind: str, obj: Object, before: Object | None) -> Object:
        version = {"resourceVersion": str(self.version + 1)}
        change = Change(resource, kind, {**obj, "metadata": {**obj["metadata"], **version}}, before)
        self.journal(change)
        self.restore(change)
        if len(self._history) == _HISTORY:
            self.compacted = self._history[0].version
        self._history.append(change)
        for queue, watched in self._watchers.items():
            if watched is resource:
                queue.put_nowait(change)
        for listener in self._listeners:
            listener(change)
        return change.obj

    def restore(self, change: Change) -> None:
        """Makes a change without notifying anybody."""
        resource, key, uid = change.resource, key_of(change.obj), change.obj["metadata"]["uid"]
        self.version = max(self.version, change.version)
        before = self._objects[resource].pop(key, None)
        for reference in before["metadata"].get("ownerReferences", ()) if before else ():
            self._dependents[reference["uid"]].discard(uid)
        self._by_uid.pop(uid, None)
        if change.type != "DELETED":
            self._objects[resource][key] = change.obj
            self._by_uid[uid] = (resource, key)
            for reference in change.obj["metadata"].get("ownerReferences", ()):
                self._dependents.setdefault(reference["uid"], set()).add(uid)

    def listen(self, listener: Callable[[Change], object]) -> None:
        """Calls the listener with all present objects, and then, synchronously, after every change."""
        for resource, obj in self.everything():
            listener(Change(resource, "ADDED", obj))
        self._listeners.append(listener)

    def watch(self, resource: Resource, since: int | None) -> asyncio.Queue[Change | None]:
        """A queue of the kind's changes after `since` (None: from now on). Raises 410 if the history is too short.

        None in the queue ends the watch. Close it with `unwatch`.
        """
        if since is not None and since < self.compacted:
            raise ApiError(410, "Expired", f"too old resource version: {since} ({self.compacted})")
        queue: asyncio.Queue[Change | None] = asyncio.Queue()
        for change in self._history if since is not None else ():
            if change.resource is resource and change.version > (since or 0):
                queue.put_nowait(change)
        self._watchers[queue] = resource
        return queue

    def unwatch(self, queue: asyncio.Queue[Change | None]) -> None:
        self._watchers.pop(queue, None)

    def end_watches(self) -> None:
        """Ends every open watch cleanly, as a kube-apiserver does when it stops."""
        for queue in self._watchers:
            queue.put_nowait(None)

    def compact(self) -> None:
        """Deletes the history, so that watches from an earlier resourceVersion get 410."""
        self._history.clear()
        self.compacted = self.version
