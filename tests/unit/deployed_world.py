"""An existing deployment, and the use cases on it with changing policies. There are no passes."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any
from uuid import UUID

from tests.fakes.clock import FakeClock
from tests.fakes.repositories import Repositories, in_memory_repositories
from tests.fakes.seeding import stored_environment, stored_model, stored_version
from tests.fakes.store import InMemoryStore
from tests.fakes.use_cases import UseCases, use_cases

from registry_grpc.domain.deploy_request import NewDeployment
from registry_grpc.domain.deployment import Deployment
from registry_grpc.domain.deployment_options import DeploymentOptions
from registry_grpc.domain.model_version import ModelVersion, ModelVersionPatch
from registry_grpc.domain.policy import DeploymentPolicy
from registry_grpc.services.deployments import Deployments
from registry_grpc.services.drafting import Drafting
from registry_grpc.services.inference_services import InferenceServices
from registry_grpc.services.reconciliation import Reconciler

ALLOWING = DeploymentPolicy(service_accounts=("models/reader",), env=("*",))
RISKY = DeploymentOptions(service_account="reader", env={"LD_PRELOAD": "x", "A": "1"})


class Idle(Reconciler):
    """Makes no passes, because these tests are not about the cluster."""

    def __init__(self) -> None: ...

    async def attempt(self, id: UUID) -> None:
        pass


@dataclass
class World:
    """A deployment that was allowed when it was made, with options that some policies forbid."""

    store: InMemoryStore
    repositories: Repositories
    version: ModelVersion
    id: UUID
    project_id: UUID

    def under(self, policy: DeploymentPolicy, repositories: Repositories | None = None) -> UseCases:
        there_is_one = object()
        return use_cases(repositories or self.repositories, policy, cluster=there_is_one, reconciler=Idle())

    @property
    def drafting(self) -> Drafting:
        return self.under(ALLOWING).drafting

    @property
    def deployments(self) -> Deployments:
        return self.under(ALLOWING).deployments

    @property
    def services(self) -> InferenceServices:
        return self.under(ALLOWING).services

    async def deployment(self) -> Deployment:
        return await self.repositories.deployments.get(self.project_id, self.id)

    async def update(self, options: DeploymentOptions | None = None, version: ModelVersion | None = None) -> Deployment:
        version_id = version.id if version else None
        return await self.deployments.update(self.project_id, self.id, model_version_id=version_id, options=options)

    async def set_status(self, status: str) -> None:
        patch = ModelVersionPatch(status=status)
        await self.repositories.versions.update(self.project_id, self.version.id, patch)

    def put(self, **fields: Any) -> None:
        """Record the observation of a pass."""
        self.store.deployments[self.id] = replace(self.store.deployments[self.id], **fields)


async def a_world(project_id: UUID) -> World:
    store = InMemoryStore(FakeClock())
    repositories = in_memory_repositories(store)
    environment = await stored_environment(repositories, project_id, external_id="models")
    model = await stored_model(repositories, project_id)
    version = await stored_version(repositories, model, name="v1", status="READY")
    world = World(store, repositories, version, UUID(int=0), project_id)
    new = NewDeployment(serving_environment_id=environment.id, registered_model_id=model.id, options=RISKY)
    world.id = (await world.deployments.deploy(project_id, new)).service.id
    return world
