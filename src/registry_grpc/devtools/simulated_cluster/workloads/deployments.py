"""Simulates the Deployment controller: makes pods, and keeps those of an older template until the new ones serve."""

from __future__ import annotations

import hashlib
import json

from registry_grpc.devtools.simulated_cluster.api.conditions import condition_of, is_ready, with_condition
from registry_grpc.devtools.simulated_cluster.api.errors import ApiError
from registry_grpc.devtools.simulated_cluster.api.resources import DEPLOYMENTS, PODS
from registry_grpc.devtools.simulated_cluster.api.store import Change, Object, Store, key_of
from registry_grpc.devtools.simulated_cluster.api.verbs import Verbs, WriteOptions
from registry_grpc.devtools.simulated_cluster.worklist import Worklist

_HASH = "pod-template-hash"
_CONTROLLER = WriteOptions(manager="kube-controller-manager")
_OF_STATUS = WriteOptions(manager="kube-controller-manager", subresource="status")


def owner_reference(owner: Object) -> Object:
    """The reference to an owner, with which the object is deleted."""
    kind = {"apiVersion": owner["apiVersion"], "kind": owner["kind"]}
    identity = {"name": owner["metadata"]["name"], "uid": owner["metadata"]["uid"]}
    return {**kind, **identity, "controller": True, "blockOwnerDeletion": True}


def replicas_of(deployment: Object) -> int:
    return int(deployment["spec"].get("replicas", 1))


class DeploymentController:
    """Works on a Deployment, by its uid, whenever the Deployment or one of its pods changes.

    There are no ReplicaSets. Only their names exist, in labels of the pods.
    """

    def __init__(self, store: Store, verbs: Verbs) -> None:
        self._store = store
        self._verbs = verbs
        self.work: Worklist[str] = Worklist(self._reconcile)
        store.listen(self._on_change)

    def _on_change(self, change: Change) -> None:
        metadata, before = change.obj["metadata"], (change.before or change.obj)["metadata"]
        # Its own changes of the status do not count: the message for pods that cannot be made differs every time.
        if change.resource is DEPLOYMENTS and (change.before is None or before["generation"] != metadata["generation"]):
            self.work.add(metadata["uid"])
        elif change.resource is PODS:
            for owner in metadata.get("ownerReferences", ()):
                self.work.add(owner["uid"])

    def _reconcile(self, uid: str) -> None:
        found = self._store.by_uid(uid)
        if found is None or found[0] is not DEPLOYMENTS or "deletionTimestamp" in found[1]["metadata"]:
            return
        deployment, wanted = found[1], replicas_of(found[1])
        template = json.dumps(deployment["spec"]["template"], sort_keys=True)
        name = hashlib.sha256(template.encode()).hexdigest()[:10]
        pods, old = self._pods(uid, name)
        # Surplus pods that are not ready are deleted first. Older pods are deleted once enough new ones are ready.
        surplus = sorted(pods, key=is_ready)[: max(0, len(pods) - wanted)]
        for pod in [*surplus, *(old if sum(map(is_ready, pods)) >= wanted else ())]:
            self._verbs.delete(PODS, *key_of(pod))
        failure = ""
        try:
            for _ in range(wanted - len(pods)):
                self._create_pod(deployment, name)
        except ApiError as error:
            failure = error.message
        status = _status(deployment, *self._pods(uid, name), failure)
        self._verbs.update(DEPLOYMENTS, *key_of(deployment), {**deployment, "status": status}, _OF_STATUS)

    def _pods(self, uid: str, name: str) -> tuple[list[Object], list[Object]]:
        """The pods of the template and the pods of older ones, without those that are being deleted."""
        found = [obj for resource, obj in self._store.dependents(uid) if resource is PODS]
        there = [pod for pod in found if "deletionTimestamp" not in pod["metadata"]]
        new = [pod for pod in there if pod["metadata"].get("labels", {}).get(_HASH) == name]
        return new, [pod for pod in there if pod not in new]

    def _create_pod(self, deployment: Object, name: str) -> None:
        template, of_template = deployment["spec"]["template"], deployment["spec"]["template"].get("metadata", {})
        metadata = {
            **of_template,
            "generateName": f"{deployment['metadata']['name']}-{name}-",
            "labels": {**of_template.get("labels", {}), _HASH: name},
            "ownerReferences": [owner_reference(deployment)],
        }
        pod = {"metadata": metadata, "spec": template["spec"]}
        self._verbs.create(PODS, deployment["metadata"]["namespace"], pod, _CONTROLLER)


def _status(deployment: Object, pods: list[Object], old: list[Object], failure: str) -> Object:
    """The status from the pods of the template, older pods, and the reason why no more pods could be made."""
    wanted, replicas = replicas_of(deployment), len(pods) + len(old)
    available = sum(map(is_ready, (*pods, *old)))
    counts = {
        "replicas": replicas,
        "updatedReplicas": len(pods),
        "readyReplicas": available,
        "availableReplicas": available,
        "unavailableReplicas": max(replicas, wanted) - available,
    }
    enough = available >= wanted - wanted // 4
    reason, text = ("MinimumReplicasAvailable", "has") if enough else ("MinimumReplicasUnavailable", "does not have")
    conditions = with_condition(
        deployment.get("status", {}).get("conditions", []),
        *("Available", str(enough)),
        reason=reason,
        message=f"Deployment {text} minimum availability.",
    )
    had_progressed = condition_of(deployment, "Progressing").get("reason") == "NewReplicaSetAvailable"
    has_progressed = not old and (had_progressed or len(pods) == wanted == available)
    reason = "NewReplicaSetAvailable" if has_progressed else "ReplicaSetUpdated"
    conditions = with_condition(conditions, "Progressing", "True", reason=reason)
    conditions = [item for item in conditions if failure or item["type"] != "ReplicaFailure"]
    if failure:
        conditions = with_condition(conditions, "ReplicaFailure", "True", reason="FailedCreate", message=failure)
    there = {key: count for key, count in counts.items() if count}
    return {"observedGeneration": deployment["metadata"]["generation"], **there, "conditions": conditions}
