"""The shapes of the custom resources that are read, as far as they are read.

The API server need not check them: KServe's minimal CRDs accept every shape. It checks the metadata of all objects, and
Kubernetes' own kinds.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Items:
    """A list of such items. Those without the key are left out."""

    of: Any
    key: str = ""


_NUMBER = (int, float)
_ANY_MAP: dict[str, Any] = {}
_CONDITIONS = Items(dict.fromkeys(("type", "status", "reason", "message", "lastTransitionTime"), str), "type")

INFERENCE_SERVICE = {
    "spec": {
        "predictor": {"name": str, "minReplicas": _NUMBER, "annotations": _ANY_MAP},
        "canary": Items({"predictor": {"name": str}}, "predictor"),
    },
    "status": {
        "url": str,
        "deploymentMode": str,
        "conditions": _CONDITIONS,
        "modelStatus": {
            "transitionStatus": str,
            "lastFailureInfo": {"reason": str, "message": str, "exitCode": _NUMBER},
        },
        "canaryStatuses": Items({"name": str, "trafficPercent": _NUMBER}, "name"),
    },
}
KNATIVE_SERVICE = {
    "spec": {"template": {"metadata": {"annotations": _ANY_MAP}}},
    "status": {
        "observedGeneration": _NUMBER,
        "latestCreatedRevisionName": str,
        "latestReadyRevisionName": str,
        "conditions": _CONDITIONS,
        "traffic": Items({"revisionName": str, "percent": _NUMBER}, "revisionName"),
    },
}
HTTP_ROUTE = {"spec": {"rules": Items({"backendRefs": Items({"name": str, "weight": _NUMBER}, "name")})}}
SERVING_RUNTIME = {
    "spec": {
        "protocolVersions": Items(str),
        "supportedModelFormats": Items({"name": str, "version": str, "priority": _NUMBER}, "name"),
        "containers": Items(
            {
                "ports": Items({"containerPort": _NUMBER}, "containerPort"),
                "resources": {"requests": _ANY_MAP, "limits": _ANY_MAP},
            }
        ),
    }
}
STORAGE_CONTAINER = {"spec": {"supportedUriFormats": Items({"prefix": str, "regex": str})}}


def shaped(value: Any, shape: Any) -> Any:
    """The value without the parts that do not have their shape; None if it has no part that has."""
    if isinstance(shape, Items):
        found = [shaped(item, shape.of) for item in (value if isinstance(value, list) else ())]
        return [item for item in found if item is not None and (not shape.key or shape.key in item)]
    if not isinstance(shape, dict):
        return value if isinstance(value, shape) else None
    if not isinstance(value, dict):
        return None
    parts = {key: shaped(part, shape[key]) if key in shape else part for key, part in value.items()}
    return {key: part for key, part in parts.items() if part is not None}
