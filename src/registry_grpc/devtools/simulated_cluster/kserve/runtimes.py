"""The serving runtimes KServe ships, and how it picks one for a model."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from registry_grpc.devtools.simulated_cluster.api.store import Object

# Name, image, protocols; then format, version and priority of what it serves, with a ! where it must be asked for.
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


def shipped_runtimes() -> list[Object]:
    """ClusterServingRuntimes under the names, formats and protocols KServe v0.20 installs."""
    return [_runtime(*line.split()) for line in _SHIPPED.strip().splitlines()]


def _runtime(name: str, image: str, protocols: str, *formats: str) -> Object:
    supported = []
    for text in formats:
        model, version, priority = text.rstrip("!").split("/")
        automatic = not text.endswith("!")
        supported.append({"name": model, "version": version, "autoSelect": automatic, "priority": int(priority)})
    container = {
        "name": "kserve-container",
        "image": image,
        "args": ["--model_name={{.Name}}", "--model_dir=/mnt/models", "--http_port=8080"],
        "resources": _RESOURCES,
    }
    spec = {"supportedModelFormats": supported, "protocolVersions": protocols.split(","), "containers": [container]}
    return {
        "apiVersion": "serving.kserve.io/v1alpha1",
        "kind": "ClusterServingRuntime",
        "metadata": {"name": name},
        "spec": spec,
    }


@dataclass(frozen=True)
class NoRuntime(Exception):
    """No runtime can serve the model: `reason` and `message` for the status, `event` for the Event."""

    reason: str
    message: str
    event: str


def choose(model: Object, runtimes: list[Object]) -> Object:
    """The runtime for `spec.predictor.model`; those of the namespace come first. Raises NoRuntime.

    Matching is by exact string: version "1.3" does not match a runtime that lists "1".
    """
    wanted = model["modelFormat"]
    if name := model.get("runtime"):
        return _named(name, model, runtimes)
    protocol = model.get("protocolVersion", "v1")
    fitting = [
        (item["kind"] == "ServingRuntime", max(priorities), number)
        for number, item in enumerate(runtimes)
        if not item["spec"].get("disabled") and _speaks(item, protocol)
        if (priorities := [found.get("priority", 0) for found in _formats(item, wanted) if found.get("autoSelect")])
    ]
    if not fitting:
        asked = f"{{{wanted['name']} {wanted.get('version', '<nil>')}}}"
        text = f"no runtime found to support predictor with model type: {asked}"
        raise NoRuntime("NoSupportingRuntime", "No runtime found to support specified framework/version", text)
    return runtimes[max(fitting, key=lambda item: item[:2])[2]]


def _named(name: str, model: Object, runtimes: list[Object]) -> Object:
    runtime = next((item for item in runtimes if item["metadata"]["name"] == name), None)
    if runtime is None:
        text = f"No ServingRuntimes or ClusterServingRuntimes with the name: {name}"
        raise NoRuntime("RuntimeNotRecognized", "Waiting for runtime to become available", text)
    if runtime["spec"].get("disabled"):
        raise NoRuntime("RuntimeDisabled", "Specified runtime is disabled", f"specified runtime {name} is disabled")
    unfit = {
        "protocol version": "protocolVersion" in model and not _speaks(runtime, model["protocolVersion"]),
        "framework/version": not _formats(runtime, model["modelFormat"]),
    }
    for what, is_so in unfit.items():
        if is_so:
            text = f"runtime {{}}does not support specified {what}"
            raise NoRuntime(
                "NoSupportingRuntime", f"Specified {text.format('')}", f"specified {text.format(name + ' ')}"
            )
    return runtime


def _formats(runtime: Object, wanted: Object) -> list[Any]:
    """What the runtime lists of this name, and of this version if one is asked for."""
    return [
        item
        for item in runtime["spec"].get("supportedModelFormats", ())
        if item["name"] == wanted["name"] and wanted.get("version") in {None, item.get("version")}
    ]


def _speaks(runtime: Object, protocol: str) -> bool:
    protocols = runtime["spec"].get("protocolVersions", [])
    return not protocols or protocol in protocols
