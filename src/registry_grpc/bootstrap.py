"""The only composition root: makes an App from Settings."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import structlog

from registry_grpc.adapters.encryption.aes_gcm import AesGcmCipher, parse_keys
from registry_grpc.adapters.grpc.handlers import Servicer
from registry_grpc.adapters.grpc.servicers.deployments import DeploymentServicer
from registry_grpc.adapters.grpc.servicers.inference_services import InferenceServiceServicer
from registry_grpc.adapters.grpc.servicers.model_artifacts import ModelArtifactServicer
from registry_grpc.adapters.grpc.servicers.model_versions import ModelVersionServicer
from registry_grpc.adapters.grpc.servicers.registered_models import RegisteredModelServicer
from registry_grpc.adapters.grpc.servicers.serve_models import ServeModelServicer
from registry_grpc.adapters.grpc.servicers.serving_environments import ServingEnvironmentServicer
from registry_grpc.adapters.postgres.database import Database, DatabaseOptions
from registry_grpc.adapters.postgres.deployment_queue import PostgresDeploymentQueue, installation_id
from registry_grpc.adapters.postgres.deployments import PostgresDeploymentRepository
from registry_grpc.adapters.postgres.inference_services import PostgresInferenceServiceRepository
from registry_grpc.adapters.postgres.model_versions import PostgresModelVersionRepository
from registry_grpc.adapters.postgres.registered_models import PostgresRegisteredModelRepository
from registry_grpc.adapters.postgres.serve_models import PostgresServeModelRepository
from registry_grpc.adapters.postgres.serving_environments import PostgresServingEnvironmentRepository
from registry_grpc.domain.policy import DeploymentPolicy
from registry_grpc.domain.runtimes import FORMAT_NAMES
from registry_grpc.ports.cluster import Cluster
from registry_grpc.ports.deployments import Retention
from registry_grpc.services.controller import Controller
from registry_grpc.services.deployment_history import DeploymentHistory
from registry_grpc.services.deployments import Deployments
from registry_grpc.services.drafting import Drafting
from registry_grpc.services.explaining import Explaining
from registry_grpc.services.inference_services import InferenceServices
from registry_grpc.services.model_versions import ModelVersions
from registry_grpc.services.planning import Planning
from registry_grpc.services.reconciliation import Reconciler
from registry_grpc.services.registered_models import RegisteredModels
from registry_grpc.services.serve_models import ServeModels
from registry_grpc.services.serving_environments import ServingEnvironments
from registry_grpc.settings import ClusterKind, ConfigurationError, Settings

if TYPE_CHECKING:
    from registry_grpc.adapters.kserve.api import Api

_log = structlog.get_logger("bootstrap")


@dataclass(frozen=True, slots=True, kw_only=True)
class App:
    """Everything that serves requests, and the controller if a cluster is configured."""

    servicers: Sequence[Servicer]
    database: Database
    history: DeploymentHistory
    controller: Controller | None
    cluster: Cluster | None

    async def close(self) -> None:
        """Close the cluster and the database."""
        if self.cluster is not None:
            await self.cluster.close()
        await self.database.close()


async def build(settings: Settings, database: Database) -> App:
    """Compose the service. Raises ConfigurationError; Unavailable if a cluster is configured and the database does not
    answer."""
    cipher = cipher_of(settings)
    cluster = await cluster_of(settings, database)

    models = PostgresRegisteredModelRepository(database)
    versions = PostgresModelVersionRepository(database, cipher)
    environments = PostgresServingEnvironmentRepository(database)
    services = PostgresInferenceServiceRepository(database)
    queue = PostgresDeploymentQueue(database)
    reconciler = controller = None
    if cluster is not None:
        reconciler = Reconciler(queue=queue, cluster=cluster, versions=versions)
        retention = Retention(age=timedelta(days=settings.history_days), revisions=settings.history_revisions)
        controller = Controller(
            queue=queue, reconciler=reconciler, cluster=cluster, retention=retention, report=_report
        )

    intents = PostgresDeploymentRepository(database)
    drafting = Drafting(
        deployments=intents,
        environments=environments,
        models=models,
        versions=versions,
        policy=DeploymentPolicy(
            service_accounts=settings.allowed_service_accounts,
            image_pull_secrets=settings.allowed_image_pull_secrets,
            env=settings.allowed_env,
        ),
    )
    planning = Planning(drafting=drafting, services=services, deployments=intents, versions=versions, cluster=cluster)
    deployments = Deployments(
        deployments=intents,
        services=services,
        drafting=drafting,
        reconciler=reconciler,
        rehearse=planning.rehearse,
    )
    inference_services = InferenceServices(
        services=services,
        environments=environments,
        models=models,
        versions=versions,
        deployments=intents,
        drafting=drafting,
        cluster=cluster,
        reconciler=reconciler,
    )
    model_versions = ModelVersions(versions=versions, deployments=intents)
    serve_models = ServeModels(
        serve_models=PostgresServeModelRepository(database), services=services, versions=versions
    )
    history = DeploymentHistory(deployments=intents, events=queue)
    explaining = Explaining(deployments=intents, versions=versions, cluster=cluster)
    return App(
        servicers=(
            RegisteredModelServicer(RegisteredModels(models=models)),
            ModelVersionServicer(model_versions),
            ModelArtifactServicer(model_versions),
            ServingEnvironmentServicer(ServingEnvironments(environments=environments)),
            InferenceServiceServicer(inference_services),
            ServeModelServicer(serve_models),
            DeploymentServicer(deployments, inference_services, history, planning, explaining),
        ),
        database=database,
        history=history,
        controller=controller,
        cluster=cluster,
    )


def database_of(settings: Settings) -> Database:
    options = DatabaseOptions(
        size=settings.database_connections,
        queue=settings.database_queue,
        statement_timeout=settings.database_statement_timeout,
    )
    return Database(settings.dsn, options)


async def cluster_of(settings: Settings, database: Database) -> Cluster | None:
    """None if deploying to Kubernetes is switched off. Raises ConfigurationError, and Unavailable if the database does
    not answer."""
    if settings.cluster is ClusterKind.NONE:
        return None
    registry_id = await installation_id(database)
    # Imported here because importing the Kubernetes client takes most of a second.
    from registry_grpc.adapters.kserve.cluster import KServeCluster  # noqa: PLC0415

    return KServeCluster(
        await kubernetes_of(settings),
        registry_id=registry_id,
        namespaces=settings.watch_namespaces,
        format_names={**FORMAT_NAMES, **settings.format_names},
    )


async def kubernetes_of(settings: Settings) -> Api:
    """The API of the cluster, to which no request is sent yet. Raises ConfigurationError."""
    from kubernetes.aio.config.config_exception import ConfigException  # noqa: PLC0415

    from registry_grpc.adapters.kserve.api import Api  # noqa: PLC0415
    from registry_grpc.adapters.kserve.client import connect  # noqa: PLC0415
    from registry_grpc.adapters.kserve.throttle import Limits  # noqa: PLC0415

    kubeconfig = _kubeconfig_of(settings)
    try:
        client = await connect(kubeconfig)
    except (ConfigException, OSError) as error:
        raise ConfigurationError(
            f"the configuration of the cluster cannot be read ({kubeconfig or 'in-cluster'}): {error}"
        ) from error
    rate = settings.kubernetes_requests_per_second
    return Api(client, Limits(requests_per_second=rate, burst=int(rate * 2)))


def _kubeconfig_of(settings: Settings) -> Path | None:
    """The kubeconfig; None for the cluster in which this process runs. Raises ConfigurationError."""
    if settings.cluster is ClusterKind.IN_CLUSTER:
        return None
    if settings.cluster is ClusterKind.SIMULATED:
        # Otherwise deployments would go to the cluster to which a developer's kubectl points.
        raise ConfigurationError("REGISTRY_CLUSTER=simulated works with `registry-grpc dev` only")
    # Like KUBECONFIG it may name several files. The loader ignores files that do not exist, even if none exists.
    if not any(Path(part).expanduser().is_file() for part in str(settings.kubeconfig).split(os.pathsep)):
        raise ConfigurationError(f"there is no kubeconfig {settings.kubeconfig}: set REGISTRY_KUBECONFIG")
    return settings.kubeconfig


def cipher_of(settings: Settings) -> AesGcmCipher:
    """A cipher with the keys of the settings; without keys, with a development key that everybody knows."""
    if settings.encryption_keys is not None:
        return AesGcmCipher(parse_keys(settings.encryption_keys.get_secret_value()))
    _log.warning("secrets are encrypted with the DEVELOPMENT key, which everybody knows; set REGISTRY_ENCRYPTION_KEYS")
    return AesGcmCipher({"development": hashlib.sha256(b"registry-grpc development key").digest()})


def _report(where: str, error: BaseException) -> None:
    _log.warning("the controller continues after an error", where=where, error=str(error) or type(error).__name__)
