"""Deployments that exist when a test begins."""

from __future__ import annotations

from typing import Any

from tests.contract.surroundings import Surroundings
from tests.fakes.builders import a_serve_model
from tests.fakes.repositories import Repositories

from registry_grpc.domain.deployment import Deployment, DeploymentSpec
from registry_grpc.domain.deployment_options import DeploymentMode, DeploymentOptions, ScaleMetric
from registry_grpc.ports.deployments import NewIntent

OPTIONS = DeploymentOptions(
    runtime="triton",
    service_account="reader",
    deployment_mode=DeploymentMode.KNATIVE,
    min_replicas=0,
    max_replicas=3,
    scale_metric=ScaleMetric.RPS,
    scale_target=10,
    requests={"cpu": "1"},
    limits={"memory": "2Gi"},
    env={"LOG_LEVEL": "debug ✓"},
    timeout_seconds=30,
    deadline_seconds=60,
    storage_endpoint="minio:9000",
    storage_region="eu-1",
)


def an_intent(around: Surroundings, **fields: Any) -> NewIntent:
    spec = DeploymentSpec.serving((around.version,), {"team": "a"}, OPTIONS)
    said: dict[str, Any] = {"namespace": "models", "spec": spec, "created_by": "ann"}
    return NewIntent(**said | fields)


async def deployed(repositories: Repositories, around: Surroundings, **fields: Any) -> Deployment:
    service = around.service(model_version_id=around.version.id)
    served = [a_serve_model(service, around.version)]
    _, deployment = await repositories.deployments.deploy(service, served, an_intent(around, **fields))
    return deployment
