"""Simulates the garbage collector: deletes objects whose owner was deleted, and ends deletions in the foreground."""

from __future__ import annotations

from registry_grpc.devtools.simulated_cluster.api.resources import NAMESPACES, Resource
from registry_grpc.devtools.simulated_cluster.api.store import Change, Object, Store, key_of
from registry_grpc.devtools.simulated_cluster.api.verbs import FOREGROUND, Verbs
from registry_grpc.devtools.simulated_cluster.worklist import Worklist


class GarbageCollector:
    """Works on every changed object and its dependents, by uid."""

    def __init__(self, store: Store, verbs: Verbs) -> None:
        self._store = store
        self._verbs = verbs
        self.work: Worklist[str] = Worklist(self._collect)
        store.listen(self._on_change)

    def _on_change(self, change: Change) -> None:
        metadata = change.obj["metadata"]
        if change.type == "DELETED":
            for _, dependent in self._store.dependents(metadata["uid"]):
                self.work.add(dependent["metadata"]["uid"])
            if change.resource is NAMESPACES:
                for resource, obj in list(self._store.everything()):
                    if obj["metadata"].get("namespace") == metadata["name"]:
                        self._store.remove(resource, obj)
        elif "deletionTimestamp" in metadata or metadata.get("ownerReferences"):
            self.work.add(metadata["uid"])
        # An owner may be waiting for its dependents, so it is checked again when one of them changes or is deleted.
        for reference in metadata.get("ownerReferences", ()):
            self.work.add(reference["uid"])

    def _collect(self, uid: str) -> None:
        found = self._store.by_uid(uid)
        if found is None:
            return
        resource, obj = found
        metadata = obj["metadata"]
        if "deletionTimestamp" not in metadata:
            if metadata.get("ownerReferences") and not self._living_owners(obj):
                self._delete(resource, obj, "Background")
        elif FOREGROUND in metadata.get("finalizers", ()):
            for kind, dependent in self._own(uid):
                if "deletionTimestamp" not in dependent["metadata"]:
                    self._delete(kind, dependent, "Foreground" if _blocks(dependent, uid) else "Background")
            if not any(_blocks(dependent, uid) for _, dependent in self._own(uid)):
                left = [item for item in metadata["finalizers"] if item != FOREGROUND]
                self._verbs.patch(resource, *key_of(obj), {"metadata": {"finalizers": left}})

    def _own(self, uid: str) -> list[tuple[Resource, Object]]:
        """The dependents without another living owner."""
        found = self._store.dependents(uid)
        return [item for item in found if [uid] == [owner["uid"] for owner in self._living_owners(item[1])]]

    def _living_owners(self, obj: Object) -> list[Object]:
        references = obj["metadata"].get("ownerReferences", ())
        return [reference for reference in references if self._store.by_uid(reference["uid"])]

    def _delete(self, resource: Resource, obj: Object, policy: str) -> None:
        options = {"propagationPolicy": policy, "preconditions": {"uid": obj["metadata"]["uid"]}}
        self._verbs.delete(resource, *key_of(obj), options)


def _blocks(dependent: Object, uid: str) -> bool:
    references = dependent["metadata"]["ownerReferences"]
    return any(item["uid"] == uid and item.get("blockOwnerDeletion") for item in references)
