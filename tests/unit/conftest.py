"""The use cases with all adapters in memory."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID, uuid4

import pytest
from tests.fakes.clock import FakeClock
from tests.fakes.deployments import NoNews
from tests.fakes.projects import OPEN
from tests.fakes.repositories import Repositories, in_memory_repositories
from tests.fakes.store import InMemoryStore
from tests.fakes.use_cases import use_cases

from registry_grpc.domain.policy import DeploymentPolicy
from registry_grpc.services.deployment_history import DeploymentHistory
from registry_grpc.services.deployments import Deployments
from registry_grpc.services.drafting import Drafting
from registry_grpc.services.inference_services import InferenceServices
from registry_grpc.services.model_versions import ModelVersions
from registry_grpc.services.registered_models import RegisteredModels
from registry_grpc.services.serve_models import ServeModels


@dataclass(frozen=True)
class Registry:
    """The use cases and repositories of one store. Deploying to Kubernetes is switched off."""

    clock: FakeClock
    repositories: Repositories
    models: RegisteredModels
    versions: ModelVersions
    drafting: Drafting
    deployments: Deployments
    history: DeploymentHistory
    services: InferenceServices
    serve_models: ServeModels


@pytest.fixture
def registry() -> Registry:
    clock = FakeClock()
    r = in_memory_repositories(InMemoryStore(clock))
    policy = DeploymentPolicy(service_accounts=("namespace-x/reader",), env=("LOG_*",))
    drafting, deployments, services = use_cases(r, policy)
    return Registry(
        clock=clock,
        repositories=r,
        models=RegisteredModels(models=r.models, tenants=OPEN),
        versions=ModelVersions(versions=r.versions, deployments=r.deployments, tenants=OPEN),
        drafting=drafting,
        deployments=deployments,
        history=DeploymentHistory(deployments=r.deployments, events=NoNews(), tenants=OPEN),
        services=services,
        serve_models=ServeModels(serve_models=r.serve_models, services=r.services, versions=r.versions),
    )


@pytest.fixture
def project_id() -> UUID:
    return uuid4()
