"""Makes the Deployment of an InferenceService like KServe."""

from __future__ import annotations

import copy
from typing import Any

from registry_grpc.devtools.simulated_cluster.api.store import Object
from registry_grpc.devtools.simulated_cluster.workloads.deployments import owner_reference
from registry_grpc.devtools.simulated_cluster.workloads.pods import LABEL, URI_MARKERS, Outcome

SERVICE_LABEL = "serving.kserve.io/inferenceservice"
INITIALIZER = "storage-initializer"
CONTAINER = "kserve-container"
_STORAGE_PREFIXES = (
    "gs://", "s3://", "pvc://", "file://", "https://", "http://", "hdfs://", "webhdfs://", "oci://",
    "oci+native://", "oci+fetch://", "hf://",
)  # fmt: skip
_OF_PODS = ("serviceAccountName", "nodeSelector", "tolerations", "affinity", "imagePullSecrets", "volumes")
_NOT_OF_CONTAINERS = {"modelFormat", "runtime", "runtimeVersion", "protocolVersion", "storageUri", "storage"}
_NOT_COPIED = "kubectl.kubernetes.io/last-applied-configuration"


class UnsupportedStorage(Exception):
    """KServe cannot fetch from this URI. The text is KServe's."""


def name_of(service: Object) -> str:
    """The name of the Deployment of the service's predictor."""
    return predictor_name(service, service["spec"]["predictor"].get("name", ""))


def predictor_name(service: Object, name: str) -> str:
    return "-".join(part for part in (service["metadata"]["name"], name, "predictor") if part)


def deployment_of(service: Object, runtime: Object) -> Object:
    """The Deployment of an InferenceService. It and its pods get the metadata of service and predictor. Raises
    UnsupportedStorage."""
    metadata, predictor = service["metadata"], service["spec"]["predictor"]
    model = predictor.get("model", {})
    _check_storage(model.get("storageUri", ""))
    selector = {"app": f"isvc.{name_of(service)}"}
    labels = {
        **metadata.get("labels", {}),
        **predictor.get("labels", {}),
        **selector,
        SERVICE_LABEL: metadata["name"],
        "component": "predictor",
    }
    for marker, outcome in URI_MARKERS.items():
        if marker in model.get("storageUri", ""):
            labels.setdefault(LABEL, outcome.value)
    annotations = {**metadata.get("annotations", {}), **predictor.get("annotations", {})}
    annotations.pop(_NOT_COPIED, None)
    copied = {"labels": labels, "annotations": annotations}
    place = {"name": name_of(service), "namespace": metadata["namespace"]}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {**place, **copied, "ownerReferences": [owner_reference(service)]},
        "spec": {
            "replicas": predictor.get("minReplicas", 1),
            "selector": {"matchLabels": selector},
            "template": {"metadata": copied, "spec": _pod_spec(service, runtime, labels)},
        },
    }


def _check_storage(uri: str) -> None:
    """Checks the URI, as KServe's controller does. A cluster admits any URI."""
    if "://" in uri and not uri.startswith(_STORAGE_PREFIXES):
        raise UnsupportedStorage(
            f"StorageURI not supported: storageUri, must be one of: [{', '.join(_STORAGE_PREFIXES)}] or match "
            "https://{}.blob.core.windows.net/{}/{} or be an absolute or relative local path. "
            f"StorageUri [{uri}] is not supported"
        )


def _pod_spec(service: Object, runtime: Object, labels: dict[str, str]) -> Object:
    predictor = service["spec"]["predictor"]
    model = predictor.get("model", {})
    container = copy.deepcopy(runtime["spec"]["containers"][0])
    container |= {key: value for key, value in model.items() if key not in _NOT_OF_CONTAINERS}
    container["name"] = CONTAINER
    container["args"] = [item.replace("{{.Name}}", service["metadata"]["name"]) for item in container.get("args", [])]
    spec: dict[str, Any] = {key: predictor[key] for key in _OF_PODS if key in predictor}
    if "storageUri" in model:
        # In KServe, a webhook adds this to the pod. The result is the same.
        initializer = {"name": INITIALIZER, "image": "kserve/storage-initializer:v0.20.0"}
        initializer |= {"terminationMessagePolicy": "FallbackToLogsOnError"}
        spec["initContainers"] = [{**initializer, "args": [model["storageUri"], "/mnt/models"]}]
    if labels.get(LABEL) == Outcome.UNSCHEDULABLE:
        spec["nodeSelector"] = {LABEL: "no-such-node"}  # a real scheduler does not read the label
    return {**spec, "containers": [container]}
