"""Objects that others have written, in any shape: no reader fails, or it would stop all passes on their deployment."""

from __future__ import annotations

import asyncio
import copy
import os
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.deployments import BORN, a_deployment, a_spec
from tests.unit.test_canary import applied

from registry_grpc.adapters.kserve import kinds
from registry_grpc.adapters.kserve.api import Answer, Listing
from registry_grpc.adapters.kserve.canaries import canary_names
from registry_grpc.adapters.kserve.drift import removal_of_additions, spec_of, without_additions
from registry_grpc.adapters.kserve.facts import _uri_formats, in_order
from registry_grpc.adapters.kserve.identity import REVISION, identity_labels
from registry_grpc.adapters.kserve.observation import observe
from registry_grpc.adapters.kserve.shapes import INFERENCE_SERVICE, shaped
from registry_grpc.adapters.kserve.tracing import trace
from registry_grpc.adapters.kserve.watch import _owned
from registry_grpc.domain.canary import CanaryStep
from registry_grpc.domain.decision import judge, needs_apply
from registry_grpc.domain.deployment import Deployment
from registry_grpc.domain.deployment_options import DeploymentMode, DeploymentOptions

JUNK: list[Any] = [None, {}, [], "", "junk", 7, 1.5, True, [{}], [None], ["junk"], {"junk": {"junk": None}}]
SETTINGS = settings(deadline=None, database=None, derandomize="CI" in os.environ, max_examples=100)
TIME = "2026-02-11T08:00:00Z"
METADATA = {"uid": "u", "namespace": "models", "resourceVersion": "1", "generation": 1, "creationTimestamp": TIME}
OWNED = {**METADATA, "ownerReferences": [{"uid": "u", "name": "iris"}]}
CONDITIONS = [
    {"type": kind, "status": "False", "reason": "Because", "message": "no", "lastTransitionTime": TIME}
    for kind in ("Ready", "PredictorReady", "IngressReady", "Stopped", "ConfigurationsReady")
]


def a_service(deployment: Deployment, mode: str) -> dict[str, Any]:
    assert deployment.applied is not None
    spec = copy.deepcopy(deployment.applied.ours)
    spec["predictor"] |= {"name": "r1", "canaryTrafficPercent": 25, "minReplicas": 2}
    failure = {"reason": "ModelLoadFailed", "message": "no", "exitCode": 1}
    owners = [
        {"manager": "kubectl-edit", "operation": "Update", "time": TIME,
         "fieldsV1": {"f:spec": {"f:canary": {}, "f:predictor": {"f:minReplicas": {}}}}},
        {"manager": "manager", "operation": "Update", "subresource": "status", "time": TIME, "fieldsV1": {}},
    ]  # fmt: skip
    labels = identity_labels("r", deployment.id)
    return {
        "metadata": {**METADATA, "name": deployment.name, "labels": labels, "managedFields": owners},
        "spec": spec,
        "status": {
            "url": "http://iris", "deploymentMode": mode, "conditions": CONDITIONS,
            "modelStatus": {"transitionStatus": "UpToDate", "lastFailureInfo": failure},
            "canaryStatuses": [{"name": "r2", "ready": True, "trafficPercent": 25}],
        },
    }  # fmt: skip


BACKENDS = [{"name": "iris-predictor", "weight": 75}, {"name": "iris-r2-predictor", "weight": 25}]
A_ROUTE = {"metadata": METADATA, "spec": {"rules": [{"backendRefs": BACKENDS}]}}
A_KNATIVE_SERVICE = {
    "metadata": {**OWNED, "name": "iris-predictor"},
    "spec": {"template": {"metadata": {"annotations": {REVISION: "2"}}}},
    "status": {
        "observedGeneration": 1, "latestCreatedRevisionName": "iris-2", "latestReadyRevisionName": "iris-1",
        "conditions": CONDITIONS,
        "traffic": [{"revisionName": "iris-2", "percent": 25}, {"revisionName": "iris-1", "percent": 75}],
    },
}  # fmt: skip
A_RUNTIME = {
    "metadata": {"name": "sklearn"},
    "spec": {
        "supportedModelFormats": [{"name": "sklearn", "version": "1", "autoSelect": True, "priority": 1}],
        "protocolVersions": ["v1"], "multiModel": False, "disabled": False, "workerSpec": {},
        "containers": [{"name": "kserve-container", "ports": [{"containerPort": 8080}],
                        "resources": {"requests": {"cpu": "1"}, "limits": {"cpu": "1"}}, "readinessProbe": {}}],
    },
}  # fmt: skip
A_STORAGE_CONTAINER = {"metadata": {"name": "s3"}, "spec": {"supportedUriFormats": [{"prefix": "s3://", "regex": ""}]}}


def a_canary(mode: DeploymentMode = DeploymentMode.STANDARD) -> Deployment:
    old, new = (
        a_spec(storage_uri=uri, options=DeploymentOptions(deployment_mode=mode)) for uri in ("s3://m/1", "s3://m/2")
    )
    stable = applied(a_deployment(spec=old, serving_generation=1, name="iris"))
    return applied(stable.tried(new, 25))


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The paths of all parts, but for the metadata, which the API server checks for every object."""
    if path:
        yield path
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, part in items:
        if key != "metadata" or path:
            yield from places(part, (*path, key))


@st.composite
def mutants(draw: st.DrawFn, whole: dict[str, Any]) -> dict[str, Any]:
    """The object with up to three parts that are missing or something else."""
    mutant = copy.deepcopy(whole)
    for _ in range(draw(st.integers(1, 3))):
        if not (found := list(places(mutant))):
            break
        *path, last = draw(st.sampled_from(found))
        parent: Any = mutant
        for key in path:
            parent = parent[key]
        if draw(st.booleans()):
            parent[last] = copy.deepcopy(draw(st.sampled_from(JUNK)))
        else:
            del parent[last]
    return mutant


@dataclass
class Objects:
    """An Api that answers these objects."""

    service: dict[str, Any]
    route: dict[str, Any]
    knative: dict[str, Any]

    async def get(self, path: str) -> Answer:
        return Answer(self.service, BORN)

    async def find(self, kind: Any, name: str, *, namespace: str) -> dict[str, Any]:
        return {
            kinds.INFERENCE_SERVICES: self.service,
            kinds.HTTP_ROUTES: self.route,
            kinds.KNATIVE_SERVICES: self.knative,
            kinds.DEPLOYMENTS: A_DEPLOYMENT,
        }[kind]

    async def list(self, path: str, **query: str) -> Listing:
        return Listing([], "1")


A_DEPLOYMENT = {
    "metadata": {**OWNED, "name": "iris-r2-predictor"},
    "spec": {"replicas": 1, "template": A_KNATIVE_SERVICE["spec"]["template"]},  # type: ignore[index]
    "status": {"observedGeneration": 1, "replicas": 1, "updatedReplicas": 1, "availableReplicas": 1},
}
STANDARD, KNATIVE = a_canary(), a_canary(DeploymentMode.KNATIVE)
PLAIN = replace(STANDARD, canary=None)


async def made_a_pass(objects: Any, deployment: Deployment) -> None:
    """Everything that passes, explanations and the watch read."""
    for step in CanaryStep:
        canary = replace(deployment.canary, step=step) if deployment.canary else None
        stepped = replace(deployment, canary=canary)
        evidence = await observe(objects, stepped, registry_id="")
        needs_apply(stepped, evidence)
        judge(stepped, BORN + timedelta(minutes=1), evidence, None)
        await trace(objects, stepped)
    service = objects.service
    _owned(service)
    assert deployment.applied is not None
    removal_of_additions(without_additions(deployment.applied, service), spec_of(service))


@pytest.mark.slow
@SETTINGS
@given(mutants(a_service(STANDARD, "Standard")), mutants(A_ROUTE))
def test_an_inference_service_and_its_route(service: dict[str, Any], route: dict[str, Any]) -> None:
    asyncio.run(made_a_pass(Objects(service, route, A_KNATIVE_SERVICE), STANDARD))
    asyncio.run(made_a_pass(Objects(service, route, A_KNATIVE_SERVICE), PLAIN))


@pytest.mark.slow
@SETTINGS
@given(mutants(a_service(KNATIVE, "Knative")), mutants(A_KNATIVE_SERVICE))
def test_a_knative_service(service: dict[str, Any], workload: dict[str, Any]) -> None:
    asyncio.run(made_a_pass(Objects(service, A_ROUTE, workload), KNATIVE))


@SETTINGS
@given(mutants(A_RUNTIME), mutants(A_STORAGE_CONTAINER))
def test_runtimes_and_storage_containers(runtime: dict[str, Any], container: dict[str, Any]) -> None:
    for found in in_order([runtime, A_RUNTIME]):
        assert isinstance(found.name, str)
    assert all(isinstance(text, str) for field in ("prefix", "regex") for text in _uri_formats([container], field))


def test_what_has_its_shape_stays() -> None:
    service = a_service(STANDARD, "Standard")
    assert shaped(service, INFERENCE_SERVICE) == service
    foreign: list[Any] = [{}, {"predictor": {}}, None, {"predictor": {"name": "r3"}}]
    assert canary_names(shaped(service | {"spec": {"canary": foreign}}, INFERENCE_SERVICE)) == ["r3"]
