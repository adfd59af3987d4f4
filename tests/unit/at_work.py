"""Deployments, a reconciler and a cluster in memory."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any
from uuid import UUID, uuid4

from tests.fakes.builders import a_version
from tests.fakes.clock import FakeClock
from tests.fakes.cluster import InMemoryCluster, nothing
from tests.fakes.deployment_queue import InMemoryDeploymentQueue
from tests.fakes.projects import OPEN
from tests.fakes.repositories import Repositories, in_memory_repositories
from tests.fakes.seeding import stored_environment, stored_model
from tests.fakes.store import InMemoryStore
from tests.fakes.use_cases import use_cases

from registry_grpc.domain.deploy_request import NewDeployment
from registry_grpc.domain.deployment import Deployment
from registry_grpc.domain.model_version import Credentials, ModelVersion
from registry_grpc.domain.registered_model import RegisteredModel
from registry_grpc.domain.serving_environment import DriftPolicy, ServingEnvironment
from registry_grpc.services.deployments import Deployed, Deployments
from registry_grpc.services.inference_services import InferenceServices
from registry_grpc.services.reconciliation import Reconciler

KEYS = Credentials("AKIA", "s3cr3t")


@dataclass
class AtWork:
    """One project with a READY version that has keys."""

    clock: FakeClock
    store: InMemoryStore
    repositories: Repositories
    queue: InMemoryDeploymentQueue
    cluster: InMemoryCluster
    reconciler: Reconciler
    deployments: Deployments
    services: InferenceServices
    environment: ServingEnvironment
    model: RegisteredModel
    version: ModelVersion

    @property
    def project_id(self) -> UUID:
        return self.model.project_id

    def new(self, **fields: Any) -> NewDeployment:
        said = {"serving_environment_id": self.environment.id, "registered_model_id": self.model.id}
        return NewDeployment(**said | fields)

    async def deploy(self, **said: Any) -> Deployed:
        return await self.deployments.deploy(self.project_id, self.new(), **said)

    async def deployed(self) -> Deployment:
        """A deployment after its first pass."""
        deployment = (await self.deploy()).deployment
        assert deployment is not None
        return deployment

    async def update(self, deployment: Deployment) -> Deployment:
        """Update it to the same version, as the next revision."""
        return await self.deployments.update(
            self.project_id, deployment.id, model_version_id=self.version.id, options=None
        )

    async def passed(self, deployment: Deployment) -> Deployment:
        """The deployment after another pass."""
        claim = await self.queue.claim_one(deployment.id)
        assert claim is not None
        await self.reconciler.work(claim)
        return await self.now(deployment)

    async def now(self, deployment: Deployment) -> Deployment:
        return await self.repositories.deployments.get(self.project_id, deployment.id)

    def is_free(self, id: UUID) -> bool:
        """Whether no lease is held."""
        return not self.store.work[id].holder

    async def broken_off(self, call: Callable[[], Awaitable[object]], during: str) -> None:
        """Cancel a call while it is in this method of the cluster."""
        reached = asyncio.Event()

        async def wait(method: str) -> None:
            if method == during:
                reached.set()
                await asyncio.Event().wait()

        self.cluster.meanwhile = wait
        running = asyncio.ensure_future(call())
        await reached.wait()
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        self.cluster.meanwhile = nothing


async def at_work(drift_policy: DriftPolicy = DriftPolicy.REPORT) -> AtWork:
    clock = FakeClock()
    store = InMemoryStore(clock)
    r = in_memory_repositories(store)
    project_id = uuid4()
    environment = await stored_environment(r, project_id, external_id="models", drift_policy=drift_policy)
    model = await stored_model(r, project_id, slug="iris")
    version = a_version(model, status="READY", model_framework="sklearn", container_image="", uri="s3://models/iris")
    await r.versions.create(project_id, version, KEYS)
    queue, cluster = InMemoryDeploymentQueue(store), InMemoryCluster(clock)
    reconciler = Reconciler(tenants=OPEN, queue=queue, cluster=cluster, versions=r.versions)
    _, deployments, services = use_cases(r, cluster=cluster, reconciler=reconciler)
    return AtWork(clock, store, r, queue, cluster, reconciler, deployments, services, environment, model, version)
