"""Plays the Deployment controller: one ReplicaSet per pod template, and rolling updates between them."""

from __future__ import annotations

import asyncio
import contextlib
import datetime as dt
import hashlib
import json
import math
from typing import Any

from registry_grpc.devtools.simulated_cluster.api.errors import ApiError
from registry_grpc.devtools.simulated_cluster.api.resources import DEPLOYMENTS, PODS, REPLICA_SETS, Resource
from registry_grpc.devtools.simulated_cluster.api.store import Change, Key, Store
from registry_grpc.devtools.simulated_cluster.api.verbs import Verbs, WriteOptions
from registry_grpc.devtools.simulated_cluster.workloads.deployment_status import status_of
from registry_grpc.devtools.simulated_cluster.workloads.replica_sets import ReplicaSets, owner_reference

_CONTROLLER = WriteOptions(manager="kube-controller-manager")
_HASH = "pod-template-hash"
REVISION = "deployment.kubernetes.io/revision"
_SURGE = 0.25
_REVISIONS_KEPT = 10


class DeploymentPlayer:
    """Follows Deployments and what they own; call `run` as a task."""

    def __init__(self, store: Store, verbs: Verbs) -> None:
        self._store = store
        self._verbs = verbs
        self._replica_sets = ReplicaSets(store, verbs)
        self._pending: asyncio.Queue[Key] = asyncio.Queue()
        self._queued: set[Key] = set()
        store.listen(self._on_change)

    def _on_change(self, change: Change) -> None:
        found: tuple[Resource, dict[str, Any]] | None = (change.resource, change.obj)
        # A pod belongs to a ReplicaSet, a ReplicaSet to a Deployment.
        while found and found[0] in {PODS, REPLICA_SETS}:
            owners = found[1]["metadata"].get("ownerReferences", [])
            found = self._store.by_uid(owners[0]["uid"]) if owners else None
        if found and found[0] is DEPLOYMENTS:
            self._enqueue(found[1])

    def _enqueue(self, deployment: dict[str, Any]) -> None:
        key = (deployment["metadata"]["namespace"], deployment["metadata"]["name"])
        if key not in self._queued:
            self._queued.add(key)
            self._pending.put_nowait(key)

    async def run(self) -> None:
        """Reconciles for ever."""
        for deployment in self._store.list(DEPLOYMENTS):
            self._enqueue(deployment)
        while True:
            key = await self._pending.get()
            self._queued.discard(key)
            live = self._store.get(DEPLOYMENTS, *key)
            if live and "deletionTimestamp" not in live["metadata"]:
                # A lost race with a deletion or an update; the change that won has queued the key again.
                with contextlib.suppress(ApiError):
                    self._reconcile(live)

    def _reconcile(self, deployment: dict[str, Any]) -> None:
        name = _template_hash(deployment)
        owned = self._owned(deployment)
        if not any(item["metadata"]["labels"].get(_HASH) == name for item in owned):
            self._create(deployment, name, owned)
        current = self._owned(deployment)
        new = next(item for item in current if item["metadata"]["labels"][_HASH] == name)
        old = [item for item in current if item is not new]
        new = self._promoted(deployment, new, old)
        for replica_set, replicas in _rolling_update(deployment, new, old):
            self._replica_sets.reconcile(self._scaled(replica_set, replicas))
        self._write_status(deployment, name)
        self._forget(old)

    def _forget(self, old: list[dict[str, Any]]) -> None:
        """Deletes ReplicaSets of revisions nobody goes back to."""
        idle = [item for item in old if not item["spec"]["replicas"]]
        for replica_set in idle[:-_REVISIONS_KEPT]:
            metadata = replica_set["metadata"]
            self._verbs.delete(REPLICA_SETS, metadata["namespace"], metadata["name"])

    def _owned(self, deployment: dict[str, Any]) -> list[dict[str, Any]]:
        """The Deployment's ReplicaSets, oldest revision first."""
        found = self._store.dependents(deployment["metadata"]["uid"])
        owned = [obj for resource, obj in found if resource is REPLICA_SETS]
        return sorted(owned, key=_revision)

    def _create(self, deployment: dict[str, Any], name: str, owned: list[dict[str, Any]]) -> None:
        template = deployment["spec"]["template"]
        labels = {**template["metadata"].get("labels", {}), _HASH: name}
        annotations = {
            **deployment["metadata"].get("annotations", {}),
            REVISION: str(max(map(_revision, owned), default=0) + 1),
        }
        replica_set = {
            "metadata": {
                "name": f"{deployment['metadata']['name']}-{name}",
                "labels": labels,
                "annotations": annotations,
                "ownerReferences": [owner_reference(deployment)],
            },
            "spec": {
                "replicas": 0,
                "selector": {"matchLabels": {**deployment["spec"]["selector"]["matchLabels"], _HASH: name}},
                "template": {**template, "metadata": {**template["metadata"], "labels": labels}},
            },
        }
        self._verbs.create(REPLICA_SETS, deployment["metadata"]["namespace"], replica_set, _CONTROLLER)

    def _promoted(self, deployment: dict[str, Any], new: dict[str, Any], old: list[dict[str, Any]]) -> dict[str, Any]:
        """The wanted ReplicaSet with the highest revision, which a rollback to an old template has to raise."""
        highest = max(map(_revision, old), default=0)
        revision = str(highest + 1 if _revision(new) < highest else _revision(new))
        patch = {"metadata": {"annotations": {REVISION: revision}}}
        namespace = deployment["metadata"]["namespace"]
        self._verbs.patch(DEPLOYMENTS, namespace, deployment["metadata"]["name"], patch, _CONTROLLER)
        return self._verbs.patch(REPLICA_SETS, namespace, new["metadata"]["name"], patch, _CONTROLLER)

    def _scaled(self, replica_set: dict[str, Any], replicas: int) -> dict[str, Any]:
        patch = {"spec": {"replicas": replicas}}
        metadata = replica_set["metadata"]
        return self._verbs.patch(REPLICA_SETS, metadata["namespace"], metadata["name"], patch, _CONTROLLER)

    def _write_status(self, deployment: dict[str, Any], name: str) -> None:
        namespace = deployment["metadata"]["namespace"]
        live = self._verbs.get(DEPLOYMENTS, namespace, deployment["metadata"]["name"])
        owned = self._owned(live)
        new = next(item for item in owned if item["metadata"]["labels"][_HASH] == name)
        status, check_again = status_of(live, new, owned, dt.datetime.now(dt.UTC))
        self._verbs.update(DEPLOYMENTS, namespace, {**live, "status": status}, _CONTROLLER, subresource="status")
        if check_again is not None:
            asyncio.get_running_loop().call_later(check_again, self._enqueue, live)


def _revision(replica_set: dict[str, Any]) -> int:
    return int(replica_set["metadata"].get("annotations", {}).get(REVISION, 0))


def _template_hash(deployment: dict[str, Any]) -> str:
    text = json.dumps(deployment["spec"]["template"], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:10]


def _rolling_update(
    deployment: dict[str, Any], new: dict[str, Any], old: list[dict[str, Any]]
) -> list[tuple[dict[str, Any], int]]:
    """The size of every ReplicaSet now, with a quarter of surge and of unavailability as by default."""
    wanted = deployment["spec"].get("replicas", 1)
    scale = new["spec"]["replicas"]
    total = scale + sum(item["spec"]["replicas"] for item in old)
    room = wanted + math.ceil(wanted * _SURGE) - total
    scale = min(wanted, scale + max(0, room))
    unavailable = scale - new.get("status", {}).get("availableReplicas", 0)
    needed = wanted - math.floor(wanted * _SURGE)
    spare = total - needed - max(0, unavailable)
    sizes = [(new, scale)]
    for replica_set in old:
        replicas = replica_set["spec"]["replicas"]
        taken = min(replicas, max(0, spare))
        spare -= taken
        sizes.append((replica_set, replicas - taken))
    return sizes
