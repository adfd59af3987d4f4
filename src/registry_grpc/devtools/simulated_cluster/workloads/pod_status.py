"""Pod statuses as a kubelet writes them."""

from __future__ import annotations

from typing import Any

from registry_grpc.devtools.simulated_cluster.api.verbs import timestamp

Status = dict[str, Any]
State = dict[str, Any]


def running() -> State:
    return {"running": {"startedAt": timestamp()}}


def waiting(reason: str, message: str = "") -> State:
    detail = {"reason": reason}
    if message:
        detail["message"] = message
    return {"waiting": detail}


def terminated(exit_code: int, reason: str, message: str = "") -> State:
    now = timestamp()
    detail: State = {"exitCode": exit_code, "reason": reason, "startedAt": now, "finishedAt": now}
    if message:
        detail["message"] = message
    return {"terminated": detail}


def container(
    spec: dict[str, Any],
    state: State,
    *,
    ready: bool = False,
    restarts: int = 0,
    last: State | None = None,
) -> dict[str, Any]:
    """One entry of containerStatuses or initContainerStatuses."""
    return {
        "name": spec["name"],
        "image": spec.get("image", ""),
        "imageID": "",
        "ready": ready,
        "started": "running" in state,
        "restartCount": restarts,
        "state": state,
        "lastState": last or {},
    }


def condition(kind: str, *, met: bool, reason: str = "", message: str = "") -> dict[str, Any]:
    result = {"type": kind, "status": "True" if met else "False", "lastProbeTime": None}
    result["lastTransitionTime"] = timestamp()
    if reason:
        result["reason"] = reason
    if message:
        result["message"] = message
    return result


def unscheduled(message: str) -> Status:
    """A pod no node has room for."""
    return {
        "phase": "Pending",
        "conditions": [condition("PodScheduled", met=False, reason="Unschedulable", message=message)],
        "qosClass": "Burstable",
    }


def started(pod: dict[str, Any], init: list[dict[str, Any]], main: list[dict[str, Any]]) -> Status:
    """The status of a pod on a node, with its conditions worked out from its containers."""
    initialized = all(item["state"].get("terminated", {}).get("exitCode") == 0 for item in init)
    ready = initialized and all(item["ready"] for item in main)
    names = [item["name"] for item in main if not item["ready"]]
    unready = f"containers with unready status: [{' '.join(names)}]"
    incomplete = [item["name"] for item in init if "terminated" not in item["state"]]
    conditions = [
        condition("PodReadyToStartContainers", met=True),
        condition("Initialized", met=True)
        if initialized
        else condition(
            "Initialized",
            met=False,
            reason="ContainersNotInitialized",
            message=f"containers with incomplete status: [{' '.join(incomplete)}]",
        ),
        _readiness("Ready", unready, ready=ready),
        _readiness("ContainersReady", unready, ready=ready),
        condition("PodScheduled", met=True),
    ]
    any_runs = any("running" in item["state"] or item["restartCount"] for item in main)
    status: Status = {
        "phase": "Running" if initialized and any_runs else "Pending",
        "conditions": conditions,
        "hostIP": "10.0.0.1",
        "startTime": pod["metadata"]["creationTimestamp"],
        "containerStatuses": main,
        "qosClass": "Burstable",
    }
    if init:
        status["initContainerStatuses"] = init
    return status


def _readiness(kind: str, message: str, *, ready: bool) -> dict[str, Any]:
    if ready:
        return condition(kind, met=True)
    return condition(kind, met=False, reason="ContainersNotReady", message=message)
