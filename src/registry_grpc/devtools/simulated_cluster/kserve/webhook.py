"""KServe's validating webhook, as far as anybody relies on it."""

from __future__ import annotations

import re

from registry_grpc.devtools.simulated_cluster.api.errors import denied_by_webhook
from registry_grpc.devtools.simulated_cluster.api.resources import INFERENCE_SERVICES, Resource
from registry_grpc.devtools.simulated_cluster.api.store import Object

_NAME = "[a-z]([-a-z0-9]*[a-z0-9])?"


def validate(resource: Resource, new: Object, _old: Object | None) -> None:
    """Raises KServe's 403 for a name that is none to it, no model, and replicas that cannot be."""
    if resource is not INFERENCE_SERVICES or "deletionTimestamp" in new["metadata"]:
        return
    name, predictor = new["metadata"]["name"], new["spec"]["predictor"]
    minimum, maximum = predictor.get("minReplicas", 1), predictor.get("maxReplicas", 0)
    text = ""
    if not re.fullmatch(_NAME, name):
        text = (
            f'the InferenceService "{name}" is invalid: a InferenceService name must consist of lower case '
            "alphanumeric characters or '-', and must start with alphabetical character. (e.g. \"my-name\" or "
            f"\"abc-123\", regex used for validation is '{_NAME}')"
        )
    elif "model" not in predictor:
        text = "the simulated cluster serves predictors with a model only"
    elif minimum < 0 or maximum < 0:
        text = "'MinReplicas' and 'MaxReplicas' cannot be less than 0"
    elif 0 < maximum < minimum:
        text = "'MinReplicas' cannot be greater than MaxReplicas"
    if text:
        raise denied_by_webhook("inferenceservice.kserve-webhook-server.validator", text)
