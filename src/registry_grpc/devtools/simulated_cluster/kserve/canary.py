"""Simulates KServe's canaries in Standard mode: one Deployment per predictor, and an HTTPRoute with their shares."""

from __future__ import annotations

import math
from typing import Any

from registry_grpc.devtools.simulated_cluster.api.store import Object
from registry_grpc.devtools.simulated_cluster.kserve.deployment import predictor_name
from registry_grpc.devtools.simulated_cluster.workloads.deployments import owner_reference

_SCALING = ("minReplicas", "maxReplicas", "scaleMetric", "scaleTarget")


def with_canaries(service: Object) -> list[Object]:
    """The service once for each of its predictors, beginning with the stable one. As in KServe, a canary is merged into
    the stable predictor, and takes replicas from it as soon as it is ready."""
    spec, stable = service["spec"], service["spec"]["predictor"]
    wanted, taken, canaries = stable.get("minReplicas", 1), 0, []
    for canary in spec.get("canary", ()):
        replicas = math.ceil(wanted * canary["trafficPercent"] / 100)
        taken += replicas if canary["predictor"]["name"] in _ready(service) else 0
        predictor = _merged({key: value for key, value in stable.items() if key not in _SCALING}, canary["predictor"])
        canaries.append({**service, "spec": {**spec, "predictor": {**predictor, "minReplicas": replicas}}})
    if taken and "minReplicas" in stable:
        stable = {**stable, "minReplicas": max(wanted - taken, 1)}
    return [{**service, "spec": {**spec, "predictor": stable}}, *canaries]


def _merged(stable: Any, canary: Any) -> Any:
    if not (isinstance(stable, dict) and isinstance(canary, dict)):
        return canary
    return {**stable, **{key: _merged(stable.get(key), value) for key, value in canary.items()}}


def _ready(service: Object) -> set[str]:
    return {item["name"] for item in service.get("status", {}).get("canaryStatuses", ()) if item["ready"]}


def canary_statuses(service: Object, deployments: list[Object]) -> list[Object]:
    """`status.canaryStatuses`, from the canaries' Deployments."""
    return [
        {
            "name": canary["predictor"]["name"],
            "ready": deployment.get("status", {}).get("availableReplicas", 0) > 0,
            "trafficPercent": canary["trafficPercent"],
        }
        for canary, deployment in zip(service["spec"].get("canary", ()), deployments, strict=True)
    ]


def route_of(service: Object, statuses: list[Object]) -> Object:
    """The HTTPRoute that divides the requests between the predictors that are ready."""
    shares = {item["name"]: item["trafficPercent"] for item in statuses if item["ready"]}
    weights = {service["spec"]["predictor"].get("name", ""): 100 - sum(shares.values()), **shares}
    backends = [{"name": predictor_name(service, name), "weight": weight} for name, weight in weights.items()]
    metadata = {key: service["metadata"][key] for key in ("name", "namespace")}
    owned = {**metadata, "ownerReferences": [owner_reference(service)]}
    kind = {"apiVersion": "gateway.networking.k8s.io/v1", "kind": "HTTPRoute"}
    return {**kind, "metadata": owned, "spec": {"rules": [{"backendRefs": backends}]}}
