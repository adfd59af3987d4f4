"""Makes the tables that kubectl prints."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable

from aiohttp import web

from registry_grpc.devtools.simulated_cluster.api.conditions import condition_of
from registry_grpc.devtools.simulated_cluster.api.resources import DEPLOYMENTS, INFERENCE_SERVICES, PODS, Resource
from registry_grpc.devtools.simulated_cluster.api.store import Object
from registry_grpc.devtools.simulated_cluster.workloads.deployments import replicas_of


def are_wanted(request: web.Request) -> bool:
    return "as=Table" in request.headers.get("Accept", "")


def table(resource: Resource, found: Object) -> Object:
    """The table of an object or of a list."""
    columns = {"Name": lambda obj: obj["metadata"]["name"], **_COLUMNS.get(resource, {}), "Age": _age_of}
    defined = [
        {"name": name, "type": "string", "format": "name" if name == "Name" else "", "description": "", "priority": 0}
        for name in columns
    ]
    objects = found.get("items", [found])
    return {
        "kind": "Table",
        "apiVersion": "meta.k8s.io/v1",
        "metadata": found["metadata"] if "items" in found else {},
        "columnDefinitions": defined,
        "rows": [{"cells": [cell(obj) for cell in columns.values()], "object": obj} for obj in objects],
    }


def _age_of(obj: Object) -> str:
    age = dt.datetime.now(dt.UTC) - dt.datetime.fromisoformat(obj["metadata"]["creationTimestamp"])
    seconds = max(0, int(age.total_seconds()))
    for unit, length in (("d", 86_400), ("h", 3600), ("m", 60)):
        if seconds >= 2 * length:
            return f"{seconds // length}{unit}"
    return f"{seconds}s"


def _ready_of(pod: Object) -> str:
    ready = [item for item in pod.get("status", {}).get("containerStatuses", ()) if item["ready"]]
    return f"{len(ready)}/{len(pod['spec']['containers'])}"


def _state_of(pod: Object) -> str:
    """The phase of the pod, or the reason why a container does not run."""
    status = pod.get("status", {})
    for item in (*status.get("initContainerStatuses", ()), *status.get("containerStatuses", ())):
        state = item["state"].get("waiting") or item["state"].get("terminated") or {}
        if state.get("reason", "Completed") not in {"Completed", "PodInitializing"}:
            return str(state["reason"])
    return "Terminating" if "deletionTimestamp" in pod["metadata"] else str(status.get("phase", ""))


_COLUMNS: dict[Resource, dict[str, Callable[[Object], str]]] = {
    INFERENCE_SERVICES: {
        "Url": lambda obj: obj.get("status", {}).get("url", ""),
        "Ready": lambda obj: condition_of(obj, "Ready").get("status", ""),
    },
    DEPLOYMENTS: {"Ready": lambda obj: f"{obj.get('status', {}).get('readyReplicas', 0)}/{replicas_of(obj)}"},
    PODS: {"Ready": _ready_of, "Status": _state_of},
}
