"""Admission: what is defaulted and refused after authorization and before an object is stored.

KServe's webhooks are one plug-in here, the defaults of built-in kinds another; a real cluster runs them as
separate programs.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Callable
from typing import Any

from registry_grpc.devtools.simulated_cluster.api.errors import denied_by_webhook
from registry_grpc.devtools.simulated_cluster.api.resources import INFERENCE_SERVICES, SECRETS, Resource

Mutator = Callable[[Resource, dict[str, Any]], dict[str, Any]]
"""Takes the kind and the new object; returns the object to store."""

Validator = Callable[[Resource, dict[str, Any], dict[str, Any] | None], None]
"""Takes the kind, the new object and the stored one (None for a create); raises to refuse."""

DEPLOYMENT_MODE = "serving.kserve.io/deploymentMode"
_MODES = {"RawDeployment": "Standard", "Serverless": "Knative"}
_AUTOSCALERS = {"hpa", "external", "keda", "none"}
_NAME = "[a-z]([-a-z0-9]*[a-z0-9])?"
_SHORT_FORMS = (
    "sklearn", "xgboost", "lightgbm", "tensorflow", "pytorch", "onnx", "triton", "huggingface", "paddle", "pmml",
)  # fmt: skip


class Admission:
    """Mutators run before the schema is checked, validators after it."""

    def __init__(self) -> None:
        self._mutators: list[Mutator] = [secret_data, kserve_defaulter]
        self._validators: list[Validator] = [kserve_validator]

    def add(self, validator: Validator) -> None:
        """Installs one more validator, as a policy engine does."""
        self._validators.append(validator)

    def mutate(self, resource: Resource, new: dict[str, Any]) -> dict[str, Any]:
        for mutator in self._mutators:
            new = mutator(resource, new)
        return new

    def validate(self, resource: Resource, new: dict[str, Any], old: dict[str, Any] | None) -> None:
        for validator in self._validators:
            validator(resource, new, old)


def secret_data(resource: Resource, new: dict[str, Any]) -> dict[str, Any]:
    """`stringData` is written to `data` and never read back."""
    if resource is not SECRETS:
        return new
    data = dict(new.get("data", {}))
    for key, text in new.get("stringData", {}).items():
        data[key] = base64.b64encode(text.encode()).decode()
    rest = {key: value for key, value in new.items() if key not in {"data", "stringData"}}
    if data:
        rest["data"] = data
    return {**rest, "type": new.get("type", "Opaque")}


def kserve_defaulter(resource: Resource, new: dict[str, Any]) -> dict[str, Any]:
    """Canonical deployment mode, and `predictor.model` for the short forms such as `predictor.sklearn`."""
    if resource is not INFERENCE_SERVICES or "deletionTimestamp" in new["metadata"]:
        return new
    annotations = dict(new["metadata"].get("annotations", {}))
    mode = annotations.get(DEPLOYMENT_MODE, "Standard")
    annotations[DEPLOYMENT_MODE] = _MODES.get(mode, mode)
    predictor = dict(new.get("spec", {}).get("predictor") or {})
    for framework in _SHORT_FORMS:
        if framework in predictor and "model" not in predictor:
            predictor["model"] = {"modelFormat": {"name": framework}, **predictor.pop(framework)}
    metadata = {**new["metadata"], "annotations": annotations}
    return {**new, "metadata": metadata, "spec": {**new.get("spec", {}), "predictor": predictor}}


def kserve_validator(resource: Resource, new: dict[str, Any], old: dict[str, Any] | None) -> None:
    """KServe's validating webhook; raises its 403."""
    if resource is INFERENCE_SERVICES and "deletionTimestamp" not in new["metadata"]:
        text = _refusal(new, old)
        if text:
            raise denied_by_webhook("inferenceservice.kserve-webhook-server.validator", text)


def _refusal(new: dict[str, Any], old: dict[str, Any] | None) -> str:
    name = new["metadata"]["name"]
    annotations = new["metadata"]["annotations"]
    predictor = new["spec"]["predictor"]
    actual_mode = (old or {}).get("status", {}).get("deploymentMode", "")
    if actual_mode and annotations[DEPLOYMENT_MODE] != actual_mode:
        return (
            f"update rejected: deploymentMode cannot be changed from '{actual_mode}' "
            f"to '{annotations[DEPLOYMENT_MODE]}'"
        )
    if not re.fullmatch(_NAME, name):
        return (
            f'the InferenceService "{name}" is invalid: a InferenceService name must consist of lower case '
            "alphanumeric characters or '-', and must start with alphabetical character. (e.g. \"my-name\" or "
            f"\"abc-123\", regex used for validation is '{_NAME}')"
        )
    autoscaler = annotations.get("serving.kserve.io/autoscalerClass")
    if autoscaler is not None and autoscaler not in _AUTOSCALERS:
        return f"[{autoscaler}] is not a supported autoscaler class type"
    return _predictor_refusal(predictor, annotations[DEPLOYMENT_MODE])


def _predictor_refusal(predictor: dict[str, Any], mode: str) -> str:
    model = predictor.get("model") or {}
    minimum, maximum = predictor.get("minReplicas", 1), predictor.get("maxReplicas", 0)
    rules = {
        "the 'name' field is not allowed in standard predictor": "name" in model,
        "Setting both StorageURI and StorageURIs is not supported.": (
            "storageUri" in model and "storageUris" in predictor
        ),
        "exactly one of [Model Containers] must be specified in Predictor": (
            not model and "containers" not in predictor
        ),
        "'MinReplicas' cannot be less than 0": minimum < 0,
        "'MaxReplicas' cannot be less than 0": maximum < 0,
        "'MinReplicas' cannot be greater than MaxReplicas": 0 < maximum < minimum,
        "customizing deploymentStrategy is only supported for raw deployment mode": (
            mode == "Knative" and "deploymentStrategy" in predictor
        ),
    }
    return next((text for text, broken in rules.items() if broken), "")
