"""The serving runtimes that KServe ships, and its choice of a runtime for a model."""

from __future__ import annotations

from dataclasses import dataclass

from registry_grpc.devtools.simulated_cluster.api.store import Object

# Name, image, protocols; then the formats with version and priority. A `!` marks formats that are not selected
# automatically.
_SHIPPED = """
kserve-sklearnserver      kserve/sklearnserver:latest           v1,v2          sklearn/1/1
kserve-xgbserver          kserve/xgbserver:latest               v1,v2          xgboost/2/1
kserve-lgbserver          kserve/lgbserver:latest               v1,v2          lightgbm/4/1
kserve-paddleserver       kserve/paddleserver:latest            v1,v2          paddle/2/1
kserve-pmmlserver         kserve/pmmlserver:latest              v1,v2          pmml/3/1 pmml/4/1
kserve-huggingfaceserver  kserve/huggingfaceserver:latest       v2,v1          huggingface/1/1
kserve-torchserve         pytorch/torchserve-kfs:0.9.0          v1,v2,grpc-v2  pytorch/1/2
kserve-tensorflow-serving tensorflow/serving:2.6.2              v1,grpc-v1     tensorflow/1/2 tensorflow/2/2
kserve-tritonserver       nvcr.io/nvidia/tritonserver:23.05-py3 v2,grpc-v2     tensorrt/8/1 tensorflow/1/1 \
tensorflow/2/1 onnx/1/1 pytorch/1/1! triton/2/1
kserve-mlserver           docker.io/seldonio/mlserver:1.7.1     v2             sklearn/0/2 sklearn/1/2 \
xgboost/1/2 xgboost/2/2 lightgbm/3/2 lightgbm/4/2 mlflow/1/1 mlflow/2/1
"""
_RESOURCES = {"requests": {"cpu": "1", "memory": "2Gi"}, "limits": {"cpu": "1", "memory": "2Gi"}}
_ARGUMENTS = ["--model_name={{.Name}}", "--model_dir=/mnt/models", "--http_port=8080"]


def shipped_runtimes() -> list[Object]:
    """The ClusterServingRuntimes that KServe v0.20 installs, with the same names, formats and protocols."""
    return [_runtime(*line.split()) for line in _SHIPPED.strip().splitlines()]


def _runtime(name: str, image: str, protocols: str, *formats: str) -> Object:
    supported = []
    for text in formats:
        model, version, priority = text.rstrip("!").split("/")
        automatic = not text.endswith("!")
        supported.append({"name": model, "version": version, "autoSelect": automatic, "priority": int(priority)})
    container = {"name": "kserve-container", "image": image, "args": _ARGUMENTS, "resources": _RESOURCES}
    spec = {"supportedModelFormats": supported, "protocolVersions": protocols.split(","), "containers": [container]}
    kind = {"apiVersion": "serving.kserve.io/v1alpha1", "kind": "ClusterServingRuntime"}
    return {**kind, "metadata": {"name": name}, "spec": spec}


@dataclass(frozen=True)
class NoRuntime(Exception):
    """No runtime can serve the model. `reason` and `message` are for the status, `event` is for the Event."""

    reason: str
    message: str
    event: str


def choose(model: Object, runtimes: list[Object]) -> Object:
    """The runtime for `spec.predictor.model`: the first of those with the highest priority. Raises NoRuntime.

    Versions are compared as text: "1.3" does not match a runtime that lists "1". Runtimes of the namespace come first,
    so they win over those of the cluster with the same priority.
    """
    enabled = [item for item in runtimes if not item["spec"].get("disabled")]
    if name := model.get("runtime"):
        named = next((item for item in enabled if item["metadata"]["name"] == name), None)
        if named is None:
            text = f"No ServingRuntimes or ClusterServingRuntimes with the name: {name}"
            raise NoRuntime("RuntimeNotRecognized", "Waiting for runtime to become available", text)
        if not _formats(named, model):
            text = f"specified runtime {name} does not support specified framework/version"
            message = "Specified runtime does not support specified framework/version"
            raise NoRuntime("NoSupportingRuntime", message, text)
        return named
    priorities = [
        max((item.get("priority", 0) for item in _formats(runtime, model) if item.get("autoSelect")), default=-1)
        if _speaks(runtime, model.get("protocolVersion", "v1"))
        else -1
        for runtime in enabled
    ]
    if max(priorities, default=-1) < 0:
        wanted = model["modelFormat"]
        text = f"no runtime found to support predictor with model type: {{{wanted['name']} {wanted.get('version')}}}"
        raise NoRuntime("NoSupportingRuntime", "No runtime found to support specified framework/version", text)
    return enabled[priorities.index(max(priorities))]


def _formats(runtime: Object, model: Object) -> list[Object]:
    """The entries of the runtime for the model's format, and for its version if it has one."""
    wanted = model["modelFormat"]
    return [
        item
        for item in runtime["spec"].get("supportedModelFormats", ())
        if item["name"] == wanted["name"] and wanted.get("version") in {None, item.get("version")}
    ]


def _speaks(runtime: Object, protocol: str) -> bool:
    protocols = runtime["spec"].get("protocolVersions", [])
    return not protocols or protocol in protocols
