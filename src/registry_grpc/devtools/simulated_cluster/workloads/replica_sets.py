"""Plays the ReplicaSet controller: as many pods as a ReplicaSet wants."""

from __future__ import annotations

from typing import Any

from registry_grpc.devtools.simulated_cluster.api.errors import ApiError
from registry_grpc.devtools.simulated_cluster.api.resources import PODS, REPLICA_SETS
from registry_grpc.devtools.simulated_cluster.api.store import Store
from registry_grpc.devtools.simulated_cluster.api.verbs import Verbs, WriteOptions, timestamp

_CONTROLLER = WriteOptions(manager="kube-controller-manager")


def is_ready(pod: dict[str, Any]) -> bool:
    conditions = pod.get("status", {}).get("conditions", [])
    return any(item["type"] == "Ready" and item["status"] == "True" for item in conditions)


def owner_reference(owner: dict[str, Any]) -> dict[str, Any]:
    """The reference that makes the owner's deletion take the object along."""
    return {
        "apiVersion": owner["apiVersion"],
        "kind": owner["kind"],
        "name": owner["metadata"]["name"],
        "uid": owner["metadata"]["uid"],
        "controller": True,
        "blockOwnerDeletion": True,
    }


class ReplicaSets:
    """Brings a ReplicaSet's pods and status in line with its spec."""

    def __init__(self, store: Store, verbs: Verbs) -> None:
        self._store = store
        self._verbs = verbs

    def reconcile(self, replica_set: dict[str, Any]) -> dict[str, Any]:
        """Creates and deletes pods; returns the ReplicaSet with its new status."""
        pods = self._pods(replica_set)
        wanted = replica_set["spec"]["replicas"]
        failure = ""
        for _ in range(wanted - len(pods)):
            try:
                self._create_pod(replica_set)
            except ApiError as error:
                failure = error.message
                break
        # Pods that do not serve go first.
        for pod in sorted(pods, key=is_ready)[: max(0, len(pods) - wanted)]:
            self._verbs.delete(PODS, pod["metadata"]["namespace"], pod["metadata"]["name"])
        return self._write_status(replica_set, failure)

    def _pods(self, replica_set: dict[str, Any]) -> list[dict[str, Any]]:
        """The pods that count: those not already on their way out."""
        found = self._store.dependents(replica_set["metadata"]["uid"])
        return [pod for resource, pod in found if resource is PODS and "deletionTimestamp" not in pod["metadata"]]

    def _create_pod(self, replica_set: dict[str, Any]) -> None:
        template = replica_set["spec"]["template"]
        metadata = {
            **template["metadata"],
            "generateName": f"{replica_set['metadata']['name']}-",
            "ownerReferences": [owner_reference(replica_set)],
        }
        pod = {"metadata": metadata, "spec": template["spec"]}
        created = self._verbs.create(PODS, replica_set["metadata"]["namespace"], pod, _CONTROLLER)
        pending = {**created, "status": {"phase": "Pending", "qosClass": "Burstable"}}
        self._verbs.update(PODS, created["metadata"]["namespace"], pending, _CONTROLLER, subresource="status")

    def _write_status(self, replica_set: dict[str, Any], failure: str) -> dict[str, Any]:
        pods = self._pods(replica_set)
        ready = sum(map(is_ready, pods))
        status: dict[str, Any] = {"replicas": len(pods), "readyReplicas": ready, "availableReplicas": ready}
        status["observedGeneration"] = replica_set["metadata"]["generation"]
        if failure:
            status["conditions"] = [_replica_failure(failure, replica_set.get("status", {}))]
        namespace = replica_set["metadata"]["namespace"]
        reported = {**replica_set, "status": status}
        return self._verbs.update(REPLICA_SETS, namespace, reported, _CONTROLLER, subresource="status")


def _replica_failure(message: str, status: dict[str, Any]) -> dict[str, Any]:
    for known in status.get("conditions", []):
        if known["message"] == message:
            return dict(known)
    return {
        "type": "ReplicaFailure",
        "status": "True",
        "reason": "FailedCreate",
        "message": message,
        "lastTransitionTime": timestamp(),
    }
