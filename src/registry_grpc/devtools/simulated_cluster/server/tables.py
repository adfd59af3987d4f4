"""The tables that kubectl prints, which a server makes."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterable
from typing import Any

from aiohttp import web

from registry_grpc.devtools.simulated_cluster.api.conditions import condition_of
from registry_grpc.devtools.simulated_cluster.api.resources import DEPLOYMENTS, INFERENCE_SERVICES, PODS, Resource
from registry_grpc.devtools.simulated_cluster.api.store import Object
from registry_grpc.devtools.simulated_cluster.workloads.deployments import replicas_of


def are_wanted(request: web.Request) -> bool:
    return "as=Table" in request.headers.get("Accept", "")


def table(
    resource: Resource, objects: Iterable[Object], metadata: Object, *, with_columns: bool = True
) -> dict[str, Any]:
    """Of a watch only the first one has columns."""
    columns = {"Name": _name_of, **_COLUMNS.get(resource, {}), "Age": _age_of}
    defined = [
        {"name": name, "type": "string", "format": "name" if name == "Name" else "", "description": "", "priority": 0}
        for name in columns
    ]
    return {
        "kind": "Table",
        "apiVersion": "meta.k8s.io/v1",
        "metadata": metadata,
        "columnDefinitions": defined if with_columns else [],
        "rows": [{"cells": [cell(obj) for cell in columns.values()], "object": obj} for obj in objects],
    }


def _name_of(obj: Object) -> str:
    return str(obj["metadata"]["name"])


def _age_of(obj: Object) -> str:
    age = dt.datetime.now(dt.UTC) - dt.datetime.fromisoformat(obj["metadata"]["creationTimestamp"])
    seconds = max(0, int(age.total_seconds()))
    for unit, length in (("d", 86_400), ("h", 3600), ("m", 60)):
        if seconds >= 2 * length:
            return f"{seconds // length}{unit}"
    return f"{seconds}s"


def _url_of(service: Object) -> str:
    return str(service.get("status", {}).get("url", ""))


def _containers(pod: Object) -> list[Object]:
    found: list[Object] = pod.get("status", {}).get("containerStatuses", [])
    return found


def _ready_of(pod: Object) -> str:
    return f"{sum(item['ready'] for item in _containers(pod))}/{len(pod['spec']['containers'])}"


def _state_of(pod: Object) -> str:
    """The phase, or what keeps a container from running."""
    if "deletionTimestamp" in pod["metadata"]:
        return "Terminating"
    status = pod.get("status", {})
    for item in (*status.get("initContainerStatuses", ()), *_containers(pod)):
        state = item["state"].get("waiting") or item["state"].get("terminated") or {}
        if state.get("reason", "Completed") not in {"Completed", "PodInitializing"}:
            return str(state["reason"])
    return str(status.get("phase", "Pending"))


_COLUMNS: dict[Resource, dict[str, Callable[[Object], str]]] = {
    INFERENCE_SERVICES: {"Url": _url_of, "Ready": lambda obj: str(condition_of(obj, "Ready").get("status", ""))},
    PODS: {"Ready": _ready_of, "Status": _state_of},
    DEPLOYMENTS: {"Ready": lambda obj: f"{obj.get('status', {}).get('readyReplicas', 0)}/{replicas_of(obj)}"},
}
