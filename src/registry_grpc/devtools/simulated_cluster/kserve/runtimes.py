"""The serving runtimes that KServe ships, and its choice of a runtime for a model."""

from __future__ import annotations

from dataclasses import dataclass

from registry_grpc.devtools.simulated_cluster.api.store import Object

# Name, image, protocols (`-`: all); then the formats with version and priority. A `!` marks formats that are not
# selected automatically.
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
kserve-openvino           openvino/model_server:2025.1          v1,v2,grpc-v2  openvino/10/1 onnx/1/2 \
tensorflow/1/3 huggingface//
kserve-vllmserver         vllm/vllm-openai:latest               -              vLLM/1/1
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
        numbers = {"version": version, "priority": int(priority)} if version else {}
        supported.append({"name": model, "autoSelect": automatic, **numbers})
    container = {"name": "kserve-container", "image": image, "args": _ARGUMENTS, "resources": _RESOURCES}
    spec = {"supportedModelFormats": supported, "containers": [container]}
    if protocols != "-":
        spec["protocolVersions"] = protocols.split(",")
    kind = {"apiVersion": "serving.kserve.io/v1alpha1", "kind": "ClusterServingRuntime"}
    return {**kind, "metadata": {"name": name}, "spec": spec}


@dataclass(frozen=True)
class NoRuntime(Exception):
    """No runtime can serve the model. `reason` and `message` are for the status, `event` is for the Event."""

    reason: str
    message: str
    event: str


def choose(model: Object, runtimes: list[Object]) -> Object:
    """The first runtime by priority that serves `spec.predictor.model`, or the one that it names. Raises NoRuntime.

    Versions are compared as text: "1.3" does not match a runtime that lists "1".
    """
    wanted, name, protocol = model["modelFormat"], model.get("runtime"), model.get("protocolVersion")
    if protocol is None and wanted["name"] in {"triton", "vLLM"}:
        protocol = "v2"  # by KServe's defaulter
    named = [item for item in runtimes if name in {None, item["metadata"]["name"]}]
    enabled = [item for item in named if not item["spec"].get("disabled")]
    if name and not enabled:
        text = f"No ServingRuntimes or ClusterServingRuntimes with the name: {name}"
        raise NoRuntime("RuntimeNotRecognized", "Waiting for runtime to become available", text)
    for runtime in sorted(enabled, key=lambda item: -_priority(item, wanted["name"])):
        spoken = runtime["spec"].get("protocolVersions")
        if spoken and (protocol or (spoken[0] if name else "v1")) not in spoken:
            continue
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


def _priority(runtime: Object, name: str) -> int:
    formats = runtime["spec"].get("supportedModelFormats", ())
    return next((item.get("priority", 0) for item in formats if item["name"] == name), 0)
