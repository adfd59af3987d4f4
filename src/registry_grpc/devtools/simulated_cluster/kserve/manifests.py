"""The objects KServe makes of an InferenceService."""

from __future__ import annotations

import copy
from typing import Any

from registry_grpc.devtools.simulated_cluster import outcomes
from registry_grpc.devtools.simulated_cluster.outcomes import LABEL, Outcome

STORAGE_PREFIXES = (
    "gs://", "s3://", "pvc://", "file://", "https://", "http://", "hdfs://", "webhdfs://", "oci://",
    "oci+native://", "oci+fetch://", "hf://",
)  # fmt: skip
_POD_FIELDS = (
    "serviceAccountName", "nodeSelector", "tolerations", "affinity", "imagePullSecrets", "volumes",
    "priorityClassName", "securityContext",
)  # fmt: skip
_CONTAINER_FIELDS = (
    "image", "command", "args", "env", "envFrom", "resources", "ports", "livenessProbe", "readinessProbe",
    "terminationMessagePolicy", "securityContext", "volumeMounts", "imagePullPolicy",
)  # fmt: skip
_NOT_COPIED = {"kubectl.kubernetes.io/last-applied-configuration"}
INITIALIZER = "storage-initializer"
CONTAINER = "kserve-container"


class UnsupportedStorage(Exception):
    """KServe cannot fetch from this URI; the text is its own."""


def check_storage(predictor: dict[str, Any]) -> None:
    """Raises UnsupportedStorage; a cluster admits any URI, only the controller looks at it."""
    uri = predictor.get("model", {}).get("storageUri", "")
    if "://" in uri and not uri.startswith(STORAGE_PREFIXES):
        raise UnsupportedStorage(
            f"StorageURI not supported: storageUri, must be one of: [{', '.join(STORAGE_PREFIXES)}] or match "
            "https://{}.blob.core.windows.net/{}/{} or be an absolute or relative local path. "
            f"StorageUri [{uri}] is not supported"
        )


def predictor_name(inference_service: dict[str, Any]) -> str:
    """The name of the Deployment and of the Service."""
    return f"{inference_service['metadata']['name']}-predictor"


def _owner(inference_service: dict[str, Any]) -> list[dict[str, Any]]:
    metadata = inference_service["metadata"]
    return [
        {
            "apiVersion": inference_service["apiVersion"],
            "kind": inference_service["kind"],
            "name": metadata["name"],
            "uid": metadata["uid"],
            "controller": True,
            "blockOwnerDeletion": True,
        }
    ]


def deployment(inference_service: dict[str, Any], runtime: dict[str, Any], *, progress_deadline: int) -> dict[str, Any]:
    """The predictor's Deployment: metadata of service and predictor go to it and to its pods."""
    metadata = inference_service["metadata"]
    predictor = inference_service["spec"]["predictor"]
    name = predictor_name(inference_service)
    selector = {"app": f"isvc.{name}"}
    labels = {
        **metadata.get("labels", {}),
        **predictor.get("labels", {}),
        **selector,
        "serving.kserve.io/inferenceservice": metadata["name"],
        "component": "predictor",
    }
    outcome = outcomes.by_uri(predictor.get("model", {}).get("storageUri", ""))
    if outcome is not Outcome.READY:
        labels.setdefault(LABEL, outcome)
    annotations = {**metadata.get("annotations", {}), **predictor.get("annotations", {})}
    annotations = {key: value for key, value in annotations.items() if key not in _NOT_COPIED}
    template = {"metadata": {"labels": labels, "annotations": annotations}}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {
            "name": name,
            "namespace": metadata["namespace"],
            "labels": labels,
            "annotations": annotations,
            "ownerReferences": _owner(inference_service),
        },
        "spec": {
            "replicas": predictor.get("minReplicas", 1),
            "selector": {"matchLabels": selector},
            "progressDeadlineSeconds": progress_deadline,
            "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": "25%", "maxUnavailable": "25%"}},
            "template": {**template, "spec": _pod_spec(inference_service, runtime, labels)},
        },
    }


def _pod_spec(inference_service: dict[str, Any], runtime: dict[str, Any], labels: dict[str, str]) -> dict[str, Any]:
    predictor = inference_service["spec"]["predictor"]
    model = predictor.get("model", {})
    container = copy.deepcopy(runtime["spec"]["containers"][0])
    container |= {key: copy.deepcopy(model[key]) for key in _CONTAINER_FIELDS if key in model}
    container["name"] = CONTAINER
    name = inference_service["metadata"]["name"]
    container["args"] = [item.replace("{{.Name}}", name) for item in container.get("args", [])]
    if "runtimeVersion" in model:
        container["image"] = f"{container['image'].rpartition(':')[0]}:{model['runtimeVersion']}"
    spec = {key: copy.deepcopy(predictor[key]) for key in _POD_FIELDS if key in predictor}
    spec["containers"] = [container]
    if "storageUri" in model:
        # In KServe a webhook adds this to the pod; the pod comes out the same.
        spec["initContainers"] = [
            {
                "name": INITIALIZER,
                "image": "kserve/storage-initializer:v0.20.0",
                "args": [model["storageUri"], "/mnt/models"],
                "terminationMessagePolicy": "FallbackToLogsOnError",
            }
        ]
    if labels.get(LABEL) == Outcome.UNSCHEDULABLE:
        # A real scheduler does not read the label.
        spec["nodeSelector"] = {LABEL: "no-such-node"}
    return spec


def service(inference_service: dict[str, Any]) -> dict[str, Any]:
    """The predictor's in-cluster Service."""
    name = predictor_name(inference_service)
    metadata = inference_service["metadata"]
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {
            "name": name,
            "namespace": metadata["namespace"],
            "labels": {"serving.kserve.io/inferenceservice": metadata["name"]},
            "ownerReferences": _owner(inference_service),
        },
        "spec": {
            "type": "ClusterIP",
            "selector": {"app": f"isvc.{name}"},
            "ports": [{"name": "http", "port": 80, "targetPort": 8080, "protocol": "TCP"}],
        },
    }
