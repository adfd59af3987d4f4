"""Simulates the kubelet: every pod goes through the statuses of its outcome.

A label of the pod names the outcome, so that this also works on a real cluster with kwok. To make the pods of an
InferenceService fail, set the label on it (KServe copies it), or use a storage URI with one of the markers below.
"""

from __future__ import annotations

from enum import StrEnum

from kubernetes.utils.quantity import parse_quantity

from registry_grpc.devtools.simulated_cluster.api.conditions import is_ready, timestamp, with_condition
from registry_grpc.devtools.simulated_cluster.api.resources import PODS
from registry_grpc.devtools.simulated_cluster.api.store import Change, Object, Store, key_of
from registry_grpc.devtools.simulated_cluster.api.verbs import Verbs, WriteOptions
from registry_grpc.devtools.simulated_cluster.worklist import Worklist

LABEL = "simulation.registry-grpc/outcome"


class Outcome(StrEnum):
    """The final state of a pod."""

    READY = "ready"
    NEVER_READY = "never-ready"
    UNSCHEDULABLE = "unschedulable"
    DOWNLOAD_FAILED = "download-failed"
    IMAGE_PULL = "image-pull"
    CONFIG_ERROR = "config-error"
    CRASH_LOOP = "crash-loop"
    OUT_OF_MEMORY = "oom"


URI_MARKERS = {
    "/does-not-exist": Outcome.DOWNLOAD_FAILED,
    "/corrupt-model": Outcome.CRASH_LOOP,
    "/too-large-model": Outcome.OUT_OF_MEMORY,
}

_NODE_CPUS = 32
_NO_CPU = "0/1 nodes are available: 1 Insufficient cpu. preemption: 0/1 nodes are available: 1 No preemption victims."
_DOWNLOAD_LOG = "RuntimeError: Failed to fetch model. No model found in {uri}."
_CRASH_LOG = "ValueError: the model file cannot be read: unexpected end of data"
_KUBELET = WriteOptions(manager="kubelet", subresource="status")


class Kubelet:
    """Sets the next status of every pod after each `pace` seconds. Works on pods by uid."""

    def __init__(self, store: Store, verbs: Verbs, pace: float) -> None:
        self._store = store
        self._verbs = verbs
        self._pace = pace
        self._left: dict[str, list[Object]] = {}
        self.work: Worklist[str] = Worklist(self._go_on)
        store.listen(self._on_change)

    def _on_change(self, change: Change) -> None:
        metadata = change.obj["metadata"]
        if change.resource is PODS and change.type == "DELETED":
            self._left.pop(metadata["uid"], None)
        elif change.resource is PODS and (change.type == "ADDED" or "deletionTimestamp" in metadata):
            self.work.add_later(self._pace, metadata["uid"])

    def _go_on(self, uid: str) -> None:
        found = self._store.by_uid(uid)
        if found is None:
            return
        pod, metadata = found[1], found[1]["metadata"]
        if "deletionTimestamp" in metadata:
            self._verbs.delete(PODS, *key_of(pod), {"gracePeriodSeconds": 0})
        elif left := self._left.setdefault(uid, statuses(pod)):
            self._verbs.update(PODS, *key_of(pod), {**pod, "status": left[0]}, _KUBELET)
            del left[0]
            self.work.add_later(self._pace, uid)


def statuses(pod: Object) -> list[Object]:
    """The statuses that a pod goes through. A pod that was ready before a restart of the cluster has none."""
    asked_for = pod["metadata"].get("labels", {}).get(LABEL)
    outcome = next((item for item in Outcome if item == asked_for), Outcome.READY)
    if is_ready(pod):
        return []
    if outcome is Outcome.UNSCHEDULABLE or _cpus(pod) > _NODE_CPUS:
        unscheduled = with_condition([], "PodScheduled", "False", reason="Unschedulable", message=_NO_CPU)
        return [{"phase": "Pending", "conditions": unscheduled}]
    initializing = _waiting("PodInitializing")
    if outcome is Outcome.DOWNLOAD_FAILED:
        failing = _failing(_ended(1, "Error", _DOWNLOAD_LOG.format(uri=_source(pod))))
        return [_status(pod, container, initializing) for container in failing]
    done = _container(_ended(0, "Completed"), ready=True)
    servers = _of_server(pod["spec"]["containers"][0], outcome)
    return [_status(pod, _running(), initializing), *(_status(pod, done, server) for server in servers)]


def _of_server(spec: Object, outcome: Outcome) -> list[Object]:
    """The statuses of the model server's container."""
    match outcome:
        case Outcome.IMAGE_PULL:
            error = f'failed to pull and unpack image "{spec.get("image")}": failed to resolve reference: not found'
            return [_waiting("ErrImagePull", error), _waiting("ImagePullBackOff", f"Back-off pulling image: {error}")]
        case Outcome.CONFIG_ERROR:
            return [_waiting("CreateContainerConfigError", 'configmap "model-settings" not found')]
        case Outcome.CRASH_LOOP:
            # Without this policy the kubelet reads /dev/termination-log, where a crashing server leaves nothing.
            logged = spec.get("terminationMessagePolicy") == "FallbackToLogsOnError"
            return _failing(_ended(1, "Error", _CRASH_LOG if logged else ""))
        case Outcome.OUT_OF_MEMORY:
            return _failing(_ended(137, "OOMKilled"))
        case Outcome.NEVER_READY:
            return [_running()]
        case _:
            return [_running(), {**_running(), "ready": True}]


def _container(state: Object, *, last: Object | None = None, ready: bool = False) -> Object:
    """A container status without the name of the container."""
    restarts = {"restartCount": 1 if last else 0, "lastState": last or {}}
    return {"state": state, **restarts, "ready": ready, "started": "running" in state}


def _running() -> Object:
    return _container({"running": {"startedAt": timestamp()}})


def _waiting(reason: str, message: str = "") -> Object:
    return _container({"waiting": {"reason": reason, "message": message}})


def _ended(exit_code: int, reason: str, message: str = "") -> Object:
    times = {"startedAt": timestamp(), "finishedAt": timestamp()}
    return {"terminated": {"exitCode": exit_code, "reason": reason, **times, "message": message}}


def _failing(ended: Object) -> list[Object]:
    """The statuses of a container that runs, ends like this, and waits for its next start."""
    waiting = {"reason": "CrashLoopBackOff", "message": "back-off 10s restarting failed container"}
    return [_running(), _container(ended), _container({"waiting": waiting}, last=ended)]


def _status(pod: Object, init: Object, main: Object) -> Object:
    """The status of a pod from those of its initializer and its model server."""
    conditions = with_condition([], "PodScheduled", "True")
    for kind, of in (("Initialized", init), ("ContainersReady", main), ("Ready", main)):
        conditions = with_condition(conditions, kind, str(of["ready"]))

    def each(field: str, status: Object) -> list[Object]:
        specs = pod["spec"].get(field, ())
        return [{"name": item["name"], "image": item.get("image", ""), "imageID": "", **status} for item in specs]

    return {
        "phase": "Running" if init["ready"] and ("waiting" not in main["state"] or main["lastState"]) else "Pending",
        "conditions": conditions,
        "startTime": pod["metadata"]["creationTimestamp"],
        "initContainerStatuses": each("initContainers", init),
        "containerStatuses": each("containers", main),
    }


def _source(pod: Object) -> str:
    """The URI from which the storage initializer fetches."""
    return next((item["args"][0] for item in pod["spec"].get("initContainers", ()) if item.get("args")), "the source")


def _cpus(pod: Object) -> float:
    requests = [item.get("resources", {}).get("requests", {}) for item in pod["spec"]["containers"]]
    quantities = [str(item.get("cpu", 0)) for item in requests]
    return sum(map(float, map(parse_quantity, quantities)))
