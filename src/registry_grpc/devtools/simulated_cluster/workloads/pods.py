"""Plays the kubelet: every pod goes through the statuses that its outcome has.

A label of the pod tells the outcome, so that it works on a real cluster under kwok as well. An InferenceService gets
its pods to fail by carrying the label (KServe copies it), or by a storage URI that contains one of the markers below.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Any

from kubernetes.utils.quantity import parse_quantity

from registry_grpc.devtools.simulated_cluster.api.conditions import Conditions, is_ready, timestamp, with_condition
from registry_grpc.devtools.simulated_cluster.api.resources import PODS
from registry_grpc.devtools.simulated_cluster.api.store import Change, Object, Store
from registry_grpc.devtools.simulated_cluster.api.verbs import Verbs, WriteOptions
from registry_grpc.devtools.simulated_cluster.worklist import Worklist

LABEL = "simulation.registry-grpc/outcome"


class Outcome(StrEnum):
    """What becomes of a pod."""

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

State = dict[str, dict[str, Any]]
_NODE_CPUS = 32
_NO_CPU = "0/1 nodes are available: 1 Insufficient cpu. preemption: 0/1 nodes are available: 1 No preemption victims."
_DOWNLOAD_LOG = "RuntimeError: Failed to fetch model. No model found in {uri}."
_CRASH_LOG = "ValueError: the model file cannot be read: unexpected end of data"
_KUBELET = WriteOptions(manager="kubelet", subresource="status")


class Kubelet:
    """Gives every pod its next status after each `pace` seconds; its work is told by uid."""

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

    async def _go_on(self, uid: str) -> None:
        found = self._store.by_uid(uid)
        if found is None:
            return
        pod, metadata = found[1], found[1]["metadata"]
        if "deletionTimestamp" in metadata:
            self._verbs.delete(PODS, metadata["namespace"], metadata["name"], {"gracePeriodSeconds": 0})
            return
        left = self._left.setdefault(uid, statuses(pod))
        if left:
            self._verbs.update(PODS, metadata["namespace"], {**pod, "status": left[0]}, _KUBELET)
            del left[0]
            self.work.add_later(self._pace, uid)


def statuses(pod: Object) -> list[Object]:
    """The statuses that a pod goes through; none that it has been through before a restart of the cluster."""
    if is_ready(pod):
        return []
    asked_for = pod["metadata"].get("labels", {}).get(LABEL)
    outcome = next((item for item in Outcome if item == asked_for), Outcome.READY)
    if outcome is Outcome.UNSCHEDULABLE or _cpus(pod) > _NODE_CPUS:
        unscheduled = with_condition([], "PodScheduled", "False", reason="Unschedulable", message=_NO_CPU)
        return [{"phase": "Pending", "conditions": unscheduled}]
    initializing, done = _waiting("PodInitializing"), _ended(0, "Completed")
    began = _status(pod, _running(), initializing)
    if outcome is Outcome.DOWNLOAD_FAILED:
        initializer: Object = next(iter(pod["spec"].get("initContainers", ())), {})
        failed = _ended(1, "Error", _DOWNLOAD_LOG.format(uri=next(iter(initializer.get("args", ())), "the source")))
        return [
            began,
            _status(pod, failed, initializing),
            _status(pod, _BACK_OFF, initializing, before=failed),
        ]
    return [began, *(_status(pod, done, state, **more) for state, more in _of_server(pod, outcome))]


def _of_server(pod: Object, outcome: Outcome) -> list[tuple[State, dict[str, Any]]]:
    """The states of the model server's container, and what is to be said besides."""
    server = pod["spec"]["containers"][0]
    if outcome is Outcome.IMAGE_PULL:
        error = f'failed to pull and unpack image "{server.get("image")}": failed to resolve reference: not found'
        return [(_waiting("ErrImagePull", error), {}), (_waiting("ImagePullBackOff", f"Back-off: {error}"), {})]
    if outcome is Outcome.CONFIG_ERROR:
        return [(_waiting("CreateContainerConfigError", 'configmap "model-settings" not found'), {})]
    if outcome in {Outcome.CRASH_LOOP, Outcome.OUT_OF_MEMORY}:
        # Without this policy the kubelet reads /dev/termination-log, where a crashing server leaves nothing.
        logged = server.get("terminationMessagePolicy") == "FallbackToLogsOnError"
        crash = _ended(1, "Error", _CRASH_LOG if logged else "")
        failed = crash if outcome is Outcome.CRASH_LOOP else _ended(137, "OOMKilled")
        return [(_running(), {}), (failed, {}), (_BACK_OFF, {"before": failed})]
    started = [(_running(), {"ready": False})]
    return started if outcome is Outcome.NEVER_READY else [*started, (_running(), {"ready": True})]


def _running() -> State:
    return {"running": {"startedAt": timestamp()}}


def _waiting(reason: str, message: str = "") -> State:
    return {"waiting": {"reason": reason, **({"message": message} if message else {})}}


def _ended(exit_code: int, reason: str, message: str = "") -> State:
    times = {"startedAt": timestamp(), "finishedAt": timestamp()}
    return {
        "terminated": {"exitCode": exit_code, "reason": reason, **times, **({"message": message} if message else {})}
    }


_BACK_OFF = _waiting("CrashLoopBackOff", "back-off 10s restarting failed container")


def _status(pod: Object, init: State, main: State, *, before: State | None = None, ready: bool = False) -> Object:
    """A status by the states of the containers; `before` is how the last one that runs ended the time before."""
    initialized = "terminated" in init and init["terminated"]["exitCode"] == 0
    failing = main if initialized else init
    spec = pod["spec"]

    def container(item: Object, state: State, *, ready: bool) -> Object:
        restarts = 1 if before and state is failing else 0
        ended = {"lastState": (before or {}) if state is failing else {}, "restartCount": restarts}
        image = {"image": item.get("image", ""), "imageID": ""}
        return {"name": item["name"], **image, "state": state, **ended, "ready": ready, "started": "running" in state}

    conditions: Conditions = []
    for kind, is_met in (
        ("PodScheduled", True),
        ("Initialized", initialized),
        ("ContainersReady", ready),
        ("Ready", ready),
    ):
        conditions = with_condition(conditions, kind, str(is_met))
    return {
        "phase": "Running" if initialized and ("waiting" not in main or before) else "Pending",
        "conditions": conditions,
        "startTime": pod["metadata"]["creationTimestamp"],
        "initContainerStatuses": [container(item, init, ready=initialized) for item in spec.get("initContainers", ())],
        "containerStatuses": [container(item, main, ready=ready) for item in spec["containers"]],
    }


def _cpus(pod: Object) -> float:
    requests = [item.get("resources", {}).get("requests", {}) for item in pod["spec"]["containers"]]
    quantities = [str(item.get("cpu", 0)) for item in requests]
    return sum(map(float, map(parse_quantity, quantities)))
