"""The serving runtimes KServe ships, and how it picks one for a model."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

Formats = tuple[tuple[str, str, bool, int], ...]
"""Name, version, whether KServe may pick the runtime for it by itself, priority."""

_SHIPPED: tuple[tuple[str, str, tuple[str, ...], Formats], ...] = (
    ("kserve-sklearnserver", "kserve/sklearnserver:latest", ("v1", "v2"), (("sklearn", "1", True, 1),)),
    ("kserve-xgbserver", "kserve/xgbserver:latest", ("v1", "v2"), (("xgboost", "2", True, 1),)),
    ("kserve-lgbserver", "kserve/lgbserver:latest", ("v1", "v2"), (("lightgbm", "4", True, 1),)),
    ("kserve-paddleserver", "kserve/paddleserver:latest", ("v1", "v2"), (("paddle", "2", True, 1),)),
    (
        "kserve-pmmlserver",
        "kserve/pmmlserver:latest",
        ("v1", "v2"),
        (("pmml", "3", True, 1), ("pmml", "4", True, 1)),
    ),
    (
        "kserve-huggingfaceserver",
        "kserve/huggingfaceserver:latest",
        ("v2", "v1"),
        (("huggingface", "1", True, 1),),
    ),
    (
        "kserve-torchserve",
        "pytorch/torchserve-kfs:0.9.0",
        ("v1", "v2", "grpc-v2"),
        (("pytorch", "1", True, 2),),
    ),
    (
        "kserve-tensorflow-serving",
        "tensorflow/serving:2.6.2",
        ("v1", "grpc-v1"),
        (("tensorflow", "1", True, 2), ("tensorflow", "2", True, 2)),
    ),
    (
        "kserve-tritonserver",
        "nvcr.io/nvidia/tritonserver:23.05-py3",
        ("v2", "grpc-v2"),
        (
            ("tensorrt", "8", True, 1),
            ("tensorflow", "1", True, 1),
            ("tensorflow", "2", True, 1),
            ("onnx", "1", True, 1),
            ("pytorch", "1", False, 1),
            ("triton", "2", True, 1),
        ),
    ),
    (
        "kserve-mlserver",
        "docker.io/seldonio/mlserver:1.7.1",
        ("v2",),
        (
            ("sklearn", "0", True, 2),
            ("sklearn", "1", True, 2),
            ("xgboost", "1", True, 2),
            ("xgboost", "2", True, 2),
            ("lightgbm", "3", True, 2),
            ("lightgbm", "4", True, 2),
            ("mlflow", "1", True, 1),
            ("mlflow", "2", True, 1),
        ),
    ),
)
_RESOURCES = {"requests": {"cpu": "1", "memory": "2Gi"}, "limits": {"cpu": "1", "memory": "2Gi"}}


def shipped_runtimes() -> list[dict[str, Any]]:
    """ClusterServingRuntimes under the names, formats and protocols KServe v0.20 installs."""
    return [_runtime(*entry) for entry in _SHIPPED]


def _runtime(name: str, image: str, protocols: tuple[str, ...], formats: Formats) -> dict[str, Any]:
    supported = [
        {"name": model, "version": version, "autoSelect": automatic, "priority": priority}
        for model, version, automatic, priority in formats
    ]
    container = {
        "name": "kserve-container",
        "image": image,
        "args": ["--model_name={{.Name}}", "--model_dir=/mnt/models", "--http_port=8080"],
        "resources": _RESOURCES,
    }
    return {
        "apiVersion": "serving.kserve.io/v1alpha1",
        "kind": "ClusterServingRuntime",
        "metadata": {"name": name},
        "spec": {
            "supportedModelFormats": supported,
            "protocolVersions": list(protocols),
            "containers": [container],
        },
    }


@dataclass(frozen=True)
class NoRuntime(Exception):
    """No runtime can serve the model: `reason` and `message` for the status, `event` for the Event."""

    reason: str
    message: str
    event: str


def choose(model: dict[str, Any], runtimes: list[dict[str, Any]]) -> dict[str, Any]:
    """The runtime for `spec.predictor.model`; those of the namespace come first. Raises NoRuntime.

    Matching is by exact string: version "1.3" does not match a runtime that lists "1".
    """
    name = model.get("runtime")
    if name:
        return _named(name, model, runtimes)
    protocol = model.get("protocolVersion", "v1")
    enabled = [item for item in runtimes if not item["spec"].get("disabled")]
    fitting = [item for item in enabled if _supports(item, model, named=False) and _speaks(item, protocol)]
    if not fitting:
        text = f"no runtime found to support predictor with model type: {_go_format(model['modelFormat'])}"
        raise NoRuntime("NoSupportingRuntime", "No runtime found to support specified framework/version", text)
    return max(fitting, key=lambda item: (item["kind"] == "ServingRuntime", _priority(item, model)))


def _named(name: str, model: dict[str, Any], runtimes: list[dict[str, Any]]) -> dict[str, Any]:
    runtime = next((item for item in runtimes if item["metadata"]["name"] == name), None)
    if runtime is None:
        text = f"No ServingRuntimes or ClusterServingRuntimes with the name: {name}"
        raise NoRuntime("RuntimeNotRecognized", "Waiting for runtime to become available", text)
    if runtime["spec"].get("disabled"):
        text = f"specified runtime {name} is disabled"
        raise NoRuntime("RuntimeDisabled", "Specified runtime is disabled", text)
    if "protocolVersion" in model and not _speaks(runtime, model["protocolVersion"]):
        text = f"specified runtime {name} does not support specified protocol version"
        message = "Specified runtime does not support specified protocol version"
        raise NoRuntime("NoSupportingRuntime", message, text)
    if not _supports(runtime, model, named=True):
        text = f"specified runtime {name} does not support specified framework/version"
        message = "Specified runtime does not support specified framework/version"
        raise NoRuntime("NoSupportingRuntime", message, text)
    return runtime


def _supports(runtime: dict[str, Any], model: dict[str, Any], *, named: bool) -> bool:
    wanted = model["modelFormat"]
    return any(
        item["name"] == wanted["name"]
        and wanted.get("version") in {None, item.get("version")}
        and (named or item.get("autoSelect", False))
        for item in runtime["spec"].get("supportedModelFormats", [])
    )


def _speaks(runtime: dict[str, Any], protocol: str) -> bool:
    protocols = runtime["spec"].get("protocolVersions", [])
    return not protocols or protocol in protocols


def _priority(runtime: dict[str, Any], model: dict[str, Any]) -> int:
    name = model["modelFormat"]["name"]
    formats = runtime["spec"]["supportedModelFormats"]
    return max(int(item.get("priority", 0)) for item in formats if item["name"] == name)


def _go_format(model_format: dict[str, Any]) -> str:
    return f"{{{model_format['name']} {model_format.get('version', '<nil>')}}}"
