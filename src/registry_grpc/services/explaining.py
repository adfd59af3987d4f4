"""Explains why a deployment is in its phase."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from uuid import UUID

from registry_grpc.domain.deployment import Deployment
from registry_grpc.domain.errors import FailedPrecondition, NotFound, Reason
from registry_grpc.domain.explanation import Explanation, end_of
from registry_grpc.domain.model_version import Credentials
from registry_grpc.domain.redaction import redacted
from registry_grpc.ports.cluster import Cluster
from registry_grpc.ports.deployments import DeploymentRepository
from registry_grpc.ports.projects import Tenants
from registry_grpc.ports.repositories import ModelVersionRepository
from registry_grpc.services.known_keys import keys_of
from registry_grpc.services.projects import tenant


@dataclass(frozen=True, slots=True, kw_only=True)
class Explaining:
    """Explains deployments. `cluster` is None when deploying to Kubernetes is switched off."""

    deployments: DeploymentRepository
    versions: ModelVersionRepository
    tenants: Tenants
    cluster: Cluster | None = None

    async def explain(self, project_id: UUID, id: UUID) -> Explanation:
        """Reads the cluster now. No text of the answer has the keys of the deployment's versions.

        Raises NotFound; NotAllowed for the namespace; FailedPrecondition when deploying is switched off; Unavailable.
        """
        if self.cluster is None:
            raise FailedPrecondition(Reason.CLUSTER_DISABLED)
        deployment = await self.deployments.get(project_id, id)
        (await tenant(self.tenants, project_id)).check_namespace(deployment.namespace)
        explanation = Explanation.of(deployment, await self.cluster.trace(deployment))
        keys = await self._keys(deployment)
        return explanation.with_texts(lambda text: end_of(redacted(text, keys)))

    async def _keys(self, deployment: Deployment) -> list[Credentials]:
        """The keys of all versions whose pods may be in the cluster."""
        specs = [deployment.spec]
        stable = deployment.canary.stable_generation if deployment.canary else None
        others = {deployment.applied_generation, deployment.serving_generation, stable}
        for generation in others - {0, None, deployment.generation}:
            with suppress(NotFound):
                revision = await self.deployments.revision(deployment.project_id, deployment.id, generation)
                specs.append(revision.spec)
        return await keys_of(self.versions, deployment.project_id, *specs)
