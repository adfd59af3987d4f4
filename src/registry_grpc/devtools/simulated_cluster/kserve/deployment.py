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
_OF_PODS = (
    "serviceAccountName", "nodeSelector", "tolerations", "affinity", "imagePullSecrets", "volumes", "priorityClassName",
)  # fmt: skip
_NOT_OF_CONTAINERS = {"modelFormat", "runtime", "runtimeVersion", "protocolVersion", "storageUri", "storage"}
_FOLDER = "/mnt/models"
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
    _check_storage(predictor.get("model", {}).get("storageUri", ""))
    selector = {"app": f"isvc.{name_of(service)}"}
    labels = {
        **metadata.get("labels", {}),
        **predictor.get("labels", {}),
        **selector,
        SERVICE_LABEL: metadata["name"],
        "component": "predictor",
    }
    for marker, outcome in URI_MARKERS.items():
        if any(marker in uri for uri in uris_of(service)):
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


def uris_of(service: Object) -> dict[str, str]:
    """The folders of the pod by the URIs that are fetched into them."""
    predictor = service["spec"]["predictor"]
    if "storageUri" in predictor.get("model", {}):
        return {predictor["model"]["storageUri"]: _FOLDER}
    return {each["uri"]: each.get("mountPath", _FOLDER) for each in predictor.get("storageUris", ())}


def _check_storage(uri: str) -> None:
    """Raises UnsupportedStorage, as KServe's controller does for `storageUri`, but not for `storageUris`. The cluster
    has admitted any URI."""
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
    arguments = [*container.get("args", ()), *model.get("args", ())]
    resources = {
        kind: {**container.get("resources", {}).get(kind, {}), **model.get("resources", {}).get(kind, {})}
        for kind in ("requests", "limits")
    }
    container |= {key: value for key, value in model.items() if key not in _NOT_OF_CONTAINERS}
    container |= {"name": CONTAINER, "resources": resources}
    container["args"] = [item.replace("{{.Name}}", service["metadata"]["name"]) for item in arguments]
    spec: dict[str, Any] = {key: predictor[key] for key in _OF_PODS if key in predictor}
    if uris := uris_of(service):
        # In KServe, a webhook adds this to the pod. The result is the same.
        initializer = {"name": INITIALIZER, "image": "kserve/storage-initializer:v0.20.0"}
        initializer |= {"terminationMessagePolicy": "FallbackToLogsOnError"}
        spec["initContainers"] = [{**initializer, "args": [text for pair in uris.items() for text in pair]}]
    if labels.get(LABEL) == Outcome.UNSCHEDULABLE:
        spec["nodeSelector"] = {LABEL: "no-such-node"}  # a real scheduler does not read the label
    return {**spec, "containers": [container]}
