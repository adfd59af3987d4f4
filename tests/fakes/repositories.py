"""The repositories as one set, and the set that keeps everything in memory."""

from __future__ import annotations

from dataclasses import dataclass

from tests.fakes.artifacts import InMemoryArtifactRepository
from tests.fakes.deleted_versions import InMemoryDeletedVersionRepository
from tests.fakes.deployments import InMemoryDeploymentRepository
from tests.fakes.inference_services import InMemoryInferenceServiceRepository
from tests.fakes.model_aliases import InMemoryModelAliasRepository
from tests.fakes.model_versions import InMemoryModelVersionRepository
from tests.fakes.registered_models import InMemoryRegisteredModelRepository
from tests.fakes.serve_models import InMemoryServeModelRepository
from tests.fakes.serving_environments import InMemoryServingEnvironmentRepository
from tests.fakes.store import InMemoryStore
from tests.fakes.transfer import InMemoryTransferRepository

from registry_grpc.ports.deployments import DeploymentRepository
from registry_grpc.ports.repositories import (
    ArtifactRepository,
    DeletedVersionRepository,
    InferenceServiceRepository,
    ModelAliasRepository,
    ModelVersionRepository,
    RegisteredModelRepository,
    ServeModelRepository,
    ServingEnvironmentRepository,
)
from registry_grpc.ports.transfer import TransferRepository


@dataclass(frozen=True, slots=True, kw_only=True)
class Repositories:
    """One repository for each aggregate, all with the same data."""

    models: RegisteredModelRepository
    versions: ModelVersionRepository
    aliases: ModelAliasRepository
    deleted: DeletedVersionRepository
    artifacts: ArtifactRepository
    environments: ServingEnvironmentRepository
    services: InferenceServiceRepository
    serve_models: ServeModelRepository
    deployments: DeploymentRepository
    transfers: TransferRepository


def in_memory_repositories(store: InMemoryStore) -> Repositories:
    return Repositories(
        models=InMemoryRegisteredModelRepository(store),
        versions=InMemoryModelVersionRepository(store),
        aliases=InMemoryModelAliasRepository(store),
        deleted=InMemoryDeletedVersionRepository(store),
        artifacts=InMemoryArtifactRepository(store),
        environments=InMemoryServingEnvironmentRepository(store),
        services=InMemoryInferenceServiceRepository(store),
        serve_models=InMemoryServeModelRepository(store),
        deployments=InMemoryDeploymentRepository(store),
        transfers=InMemoryTransferRepository(store),
    )
