"""Policies of a real API server."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

from tests.cluster.kube import PATIENCE, Kube, inference_service

from registry_grpc.devtools.simulated_cluster.api.resources import INFERENCE_SERVICES

_ROOT = "/apis/admissionregistration.k8s.io/v1"


@asynccontextmanager
async def mutating_policy(kube: Kube, place: str, fields: Mapping[str, str]) -> AsyncIterator[None]:
    """Meanwhile every write of an InferenceService in the namespace sets these fields there."""
    name = f"defaults-{kube.namespace}"
    patches = ", ".join(f'JSONPatch{{op: "add", path: "{place}/{key}", value: "{fields[key]}"}}' for key in fields)
    rule = {
        "apiGroups": ["serving.kserve.io"],
        "apiVersions": ["v1beta1"],
        "operations": ["CREATE", "UPDATE"],
        "resources": ["inferenceservices"],
    }
    here = {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": kube.namespace}}}
    policy = {
        "failurePolicy": "Fail",
        "reinvocationPolicy": "Never",
        "matchConstraints": {"resourceRules": [rule]},
        "mutations": [{"patchType": "JSONPatch", "jsonPatch": {"expression": f"[{patches}]"}}],
    }
    objects = {
        f"{_ROOT}/mutatingadmissionpolicies": policy,
        f"{_ROOT}/mutatingadmissionpolicybindings": {"policyName": name, "matchResources": here},
    }
    for path, spec in objects.items():
        await kube.client.call("POST", path, {"metadata": {"name": name}, "spec": spec})
    try:
        await _until_in_force(kube, next(iter(fields)))
        yield
    finally:
        for path in objects:
            await kube.client.call("DELETE", f"{path}/{name}")


async def _until_in_force(kube: Kube, field: str) -> None:
    deadline = time.monotonic() + PATIENCE
    while True:
        probe = await kube.create(INFERENCE_SERVICES, inference_service("probe"), dryRun="All")
        if field in probe["spec"]["predictor"]["model"]:
            return
        assert time.monotonic() < deadline, "the policy does nothing"
        await asyncio.sleep(0.1)
