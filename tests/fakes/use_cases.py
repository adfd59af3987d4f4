"""The use cases on deployments and inference services, put together as the composition root does it."""

from __future__ import annotations

from typing import Any, NamedTuple

from tests.fakes.projects import OPEN
from tests.fakes.repositories import Repositories

from registry_grpc.domain.policy import DeploymentPolicy
from registry_grpc.ports.projects import Tenants
from registry_grpc.services.deployments import Deployments
from registry_grpc.services.drafting import Drafting
from registry_grpc.services.inference_services import InferenceServices
from registry_grpc.services.planning import Planning
from registry_grpc.services.reconciliation import Reconciler


class UseCases(NamedTuple):
    """Those that share a policy and a cluster."""

    drafting: Drafting
    deployments: Deployments
    services: InferenceServices


def use_cases(
    r: Repositories,
    policy: DeploymentPolicy | None = None,
    *,
    cluster: Any = None,
    reconciler: Reconciler | None = None,
    tenants: Tenants = OPEN,
) -> UseCases:
    """Without a policy nothing is allowed that needs to be."""
    drafting = Drafting(
        tenants=tenants,
        deployments=r.deployments,
        environments=r.environments,
        models=r.models,
        versions=r.versions,
        policy=policy or DeploymentPolicy(),
    )
    planning = Planning(
        drafting=drafting, services=r.services, deployments=r.deployments, versions=r.versions, cluster=cluster
    )
    return UseCases(
        drafting,
        Deployments(
            tenants=tenants,
            deployments=r.deployments,
            services=r.services,
            drafting=drafting,
            reconciler=reconciler,
            rehearse=planning.rehearse,
        ),
        InferenceServices(
            services=r.services,
            environments=r.environments,
            models=r.models,
            versions=r.versions,
            deployments=r.deployments,
            drafting=drafting,
            cluster=cluster,
            reconciler=reconciler,
        ),
    )
