"""Plays the Deployment controller: one ReplicaSet and its pods per template, the old ones until the new ones serve."""

from __future__ import annotations

import hashlib
import json

from registry_grpc.devtools.simulated_cluster.api.conditions import condition_of, is_ready, with_condition
from registry_grpc.devtools.simulated_cluster.api.errors import ApiError
from registry_grpc.devtools.simulated_cluster.api.resources import DEPLOYMENTS, PODS, REPLICA_SETS, Resource
from registry_grpc.devtools.simulated_cluster.api.store import Change, Object, Store
from registry_grpc.devtools.simulated_cluster.api.verbs import Verbs, WriteOptions
from registry_grpc.devtools.simulated_cluster.worklist import Worklist

REVISION = "deployment.kubernetes.io/revision"
_HASH = "pod-template-hash"
_CONTROLLER = WriteOptions(manager="kube-controller-manager")
_OF_STATUS = WriteOptions(manager="kube-controller-manager", subresource="status")


def owner_reference(owner: Object) -> Object:
    """The reference that makes the owner's deletion take the object along."""
    kind = {"apiVersion": owner["apiVersion"], "kind": owner["kind"]}
    identity = {"name": owner["metadata"]["name"], "uid": owner["metadata"]["uid"]}
    return {**kind, **identity, "controller": True, "blockOwnerDeletion": True}


def replicas_of(deployment: Object) -> int:
    return int(deployment["spec"].get("replicas", 1))


class DeploymentController:
    """Looks at a Deployment whenever it, or what it owns, changes; its work is told by uid."""

    def __init__(self, store: Store, verbs: Verbs) -> None:
        self._store = store
        self._verbs = verbs
        self.work: Worklist[str] = Worklist(self._reconcile)
        store.listen(self._on_change)

    def _on_change(self, change: Change) -> None:
        found: tuple[Resource, Object] | None = (change.resource, change.obj)
        # A pod belongs to a ReplicaSet, a ReplicaSet to a Deployment.
        while found and found[0] in {PODS, REPLICA_SETS}:
            owners = found[1]["metadata"].get("ownerReferences")
            found = self._store.by_uid(owners[0]["uid"]) if owners else None
        if found and found[0] is DEPLOYMENTS:
            self.work.add(found[1]["metadata"]["uid"])

    async def _reconcile(self, uid: str) -> None:
        found = self._store.by_uid(uid)
        if found is None or "deletionTimestamp" in found[1]["metadata"]:
            return
        deployment = found[1]
        template = json.dumps(deployment["spec"]["template"], sort_keys=True)
        name = hashlib.sha256(template.encode()).hexdigest()[:10]
        owned = self._owned(deployment, REPLICA_SETS)
        new = next((item for item in owned if item["metadata"]["labels"][_HASH] == name), None)
        if new is None:
            deployment, new = self._new_replica_set(deployment, name)
        old = [item for item in owned if item is not new]
        failure = self._scale(new, replicas_of(deployment))
        pods = self._owned(new, PODS)
        if sum(map(is_ready, pods)) >= replicas_of(deployment):
            for replica_set in old:
                self._delete(REPLICA_SETS, replica_set)
            old = []
        before = [pod for replica_set in old for pod in self._owned(replica_set, PODS)]
        status = _status(deployment, new, pods, before, failure)
        namespace = deployment["metadata"]["namespace"]
        self._verbs.update(DEPLOYMENTS, namespace, {**deployment, "status": status}, _OF_STATUS)

    def _owned(self, owner: Object, wanted: Resource) -> list[Object]:
        """Without those on their way out."""
        found = self._store.dependents(owner["metadata"]["uid"])
        return [obj for resource, obj in found if resource is wanted and "deletionTimestamp" not in obj["metadata"]]

    def _new_replica_set(self, deployment: Object, name: str) -> tuple[Object, Object]:
        """The Deployment, which has the revision of its newest ReplicaSet, and that ReplicaSet."""
        metadata, spec = deployment["metadata"], deployment["spec"]
        of_template = spec["template"].get("metadata", {})
        revision = {REVISION: str(int(metadata.get("annotations", {}).get(REVISION, 0)) + 1)}
        labels = {**of_template.get("labels", {}), _HASH: name}
        replica_set = {
            "metadata": {
                "name": f"{metadata['name']}-{name}",
                "labels": labels,
                "annotations": revision,
                "ownerReferences": [owner_reference(deployment)],
            },
            "spec": {
                "replicas": replicas_of(deployment),
                "selector": {"matchLabels": {**spec["selector"].get("matchLabels", {}), _HASH: name}},
                "template": {**spec["template"], "metadata": {**of_template, "labels": labels}},
            },
        }
        created = self._verbs.create(REPLICA_SETS, metadata["namespace"], replica_set, _CONTROLLER)
        patch = {"metadata": {"annotations": revision}}
        return self._verbs.patch(DEPLOYMENTS, metadata["namespace"], metadata["name"], patch, _CONTROLLER), created

    def _scale(self, replica_set: Object, replicas: int) -> str:
        """Creates and deletes pods; why it could not, if so."""
        namespace, template = replica_set["metadata"]["namespace"], replica_set["spec"]["template"]
        if replica_set["spec"]["replicas"] != replicas:
            patch = {"spec": {"replicas": replicas}}
            self._verbs.patch(REPLICA_SETS, namespace, replica_set["metadata"]["name"], patch, _CONTROLLER)
        # Pods that do not serve go first.
        pods = sorted(self._owned(replica_set, PODS), key=is_ready)
        for pod in pods[: max(0, len(pods) - replicas)]:
            self._delete(PODS, pod)
        owner = {"ownerReferences": [owner_reference(replica_set)]}
        metadata = {**template["metadata"], "generateName": f"{replica_set['metadata']['name']}-", **owner}
        try:
            for _ in range(replicas - len(pods)):
                self._verbs.create(PODS, namespace, {"metadata": metadata, "spec": template["spec"]}, _CONTROLLER)
        except ApiError as error:
            return error.message
        return ""

    def _delete(self, resource: Resource, obj: Object) -> None:
        self._verbs.delete(resource, obj["metadata"]["namespace"], obj["metadata"]["name"])


def _status(deployment: Object, new: Object, pods: list[Object], old: list[Object], failure: str) -> Object:
    """By the pods of the newest ReplicaSet, those of the others, and why no more could be made."""
    wanted, name = replicas_of(deployment), new["metadata"]["name"]
    replicas = len(pods) + len(old)
    available = sum(map(is_ready, (*pods, *old)))
    counts = {
        "replicas": replicas,
        "updatedReplicas": len(pods),
        "readyReplicas": available,
        "availableReplicas": available,
        "unavailableReplicas": max(replicas, wanted) - available,
    }
    conditions = deployment.get("status", {}).get("conditions", [])
    if available >= wanted - wanted // 4:
        text = "Deployment has minimum availability."
        conditions = with_condition(conditions, "Available", "True", reason="MinimumReplicasAvailable", message=text)
    else:
        text = "Deployment does not have minimum availability."
        conditions = with_condition(conditions, "Available", "False", reason="MinimumReplicasUnavailable", message=text)
    had_progressed = condition_of(deployment, "Progressing").get("reason") == "NewReplicaSetAvailable"
    if not old and (had_progressed or len(pods) == wanted == available):
        reason, text = "NewReplicaSetAvailable", f'ReplicaSet "{name}" has successfully progressed.'
    else:
        reason, text = "ReplicaSetUpdated", f'ReplicaSet "{name}" is progressing.'
    conditions = with_condition(conditions, "Progressing", "True", reason=reason, message=text)
    conditions = [item for item in conditions if failure or item["type"] != "ReplicaFailure"]
    if failure:
        conditions = with_condition(conditions, "ReplicaFailure", "True", reason="FailedCreate", message=failure)
    return {
        "observedGeneration": deployment["metadata"]["generation"],
        **{key: count for key, count in counts.items() if count},
        "conditions": conditions,
    }
