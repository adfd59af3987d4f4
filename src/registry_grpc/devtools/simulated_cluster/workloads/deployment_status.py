"""A Deployment's status as its controller writes it."""

from __future__ import annotations

import datetime as dt
import math
from typing import Any

_DEFAULT_DEADLINE = 600


def status_of(
    deployment: dict[str, Any], new: dict[str, Any], owned: list[dict[str, Any]], now: dt.datetime
) -> tuple[dict[str, Any], float | None]:
    """The status, and the seconds after which the progress deadline has to be looked at again."""
    wanted = deployment["spec"].get("replicas", 1)
    statuses = [item.get("status", {}) for item in owned]
    replicas = sum(item.get("replicas", 0) for item in statuses)
    available = sum(item.get("availableReplicas", 0) for item in statuses)
    updated = new.get("status", {}).get("replicas", 0)
    status: dict[str, Any] = {
        "observedGeneration": deployment["metadata"]["generation"],
        "replicas": replicas,
        "updatedReplicas": updated,
        "readyReplicas": available,
        "availableReplicas": available,
    }
    if unavailable := max(replicas, wanted) - available:
        status["unavailableReplicas"] = unavailable
    complete = updated == wanted == replicas == available
    before = deployment.get("status", {})
    known = {item["type"]: item for item in before.get("conditions", [])}
    progressing, check_again = _progressing(deployment, new, status, known, now, complete=complete)
    enough = available >= wanted - math.floor(wanted * 0.25)
    conditions = [_availability(enough=enough), progressing]
    conditions += [item for found in statuses for item in found.get("conditions", [])]
    status["conditions"] = [_dated(item, known.get(item["type"]), now) for item in conditions]
    return {key: value for key, value in status.items() if value != 0}, check_again


def _availability(*, enough: bool) -> dict[str, Any]:
    if enough:
        reason, message = "MinimumReplicasAvailable", "Deployment has minimum availability."
    else:
        reason, message = "MinimumReplicasUnavailable", "Deployment does not have minimum availability."
    return {"type": "Available", "status": "True" if enough else "False", "reason": reason, "message": message}


def _progressing(
    deployment: dict[str, Any],
    new: dict[str, Any],
    status: dict[str, Any],
    known: dict[str, dict[str, Any]],
    now: dt.datetime,
    *,
    complete: bool,
) -> tuple[dict[str, Any], float | None]:
    name = new["metadata"]["name"]
    if complete:
        text = f'ReplicaSet "{name}" has successfully progressed.'
        return _condition("NewReplicaSetAvailable", text, now), None
    before = known.get("Progressing")
    counts = ("observedGeneration", "updatedReplicas", "replicas", "availableReplicas")
    moved = any(deployment.get("status", {}).get(key, 0) != status[key] for key in counts)
    if before is None or moved:
        before = _condition("ReplicaSetUpdated", f'ReplicaSet "{name}" is progressing.', now)
    if before["reason"] != "ReplicaSetUpdated":
        return before, None
    deadline = deployment["spec"].get("progressDeadlineSeconds", _DEFAULT_DEADLINE)
    since = dt.datetime.strptime(before["lastUpdateTime"], "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=dt.UTC)
    left = deadline - (now - since).total_seconds()
    if left > 0:
        return before, left + 0.1
    text = f'ReplicaSet "{name}" has timed out progressing.'
    return {**_condition("ProgressDeadlineExceeded", text, now), "status": "False"}, None


def _condition(reason: str, message: str, now: dt.datetime) -> dict[str, Any]:
    stamp = now.strftime("%Y-%m-%dT%H:%M:%SZ")
    return {
        "type": "Progressing",
        "status": "True",
        "reason": reason,
        "message": message,
        "lastUpdateTime": stamp,
    }


def _dated(condition: dict[str, Any], before: dict[str, Any] | None, now: dt.datetime) -> dict[str, Any]:
    """The condition with the times a controller keeps: of its last change, and of its last change of status."""
    stamp = now.strftime("%Y-%m-%dT%H:%M:%SZ")
    same = ("status", "reason", "message")
    if before and all(before.get(key) == condition[key] for key in same):
        return before
    transition = before["lastTransitionTime"] if before and before["status"] == condition["status"] else stamp
    return {"lastUpdateTime": stamp, **condition, "lastTransitionTime": transition}
