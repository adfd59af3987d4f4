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
    """The first runtime that serves `spec.predictor.model`, or the one that it names. Raises NoRuntime.

    Versions are compared as text: "1.3" does not match a runtime that lists "1".
    """
    wanted, name = model["modelFormat"], model.get("runtime")
    named = [item for item in runtimes if name in {None, item["metadata"]["name"]}]
    enabled = [item for item in named if not item["spec"].get("disabled")]
    if name and not enabled:
        text = f"No ServingRuntimes or ClusterServingRuntimes with the name: {name}"
        raise NoRuntime("RuntimeNotRecognized", "Waiting for runtime to become available", text)
    for runtime in enabled:
        for item in runtime["spec"].get("supportedModelFormats", ()):
            is_version = wanted.get("version") in {None, item.get("version")}
            if item["name"] == wanted["name"] and is_version and (name or item.get("autoSelect")):
                return runtime
    if name:
        text = f"specified runtime {name} does not support specified framework/version"
        message = "Specified runtime does not support specified framework/version"
        raise NoRuntime("NoSupportingRuntime", message, text)
    text = f"no runtime found to support predictor with model type: {{{wanted['name']} {wanted.get('version')}}}"
    raise NoRuntime("NoSupportingRuntime", "No runtime found to support specified framework/version", text)
