"""The only composition root: makes an App from Settings."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import structlog

from registry_grpc.adapters.encryption.aes_gcm import AesGcmCipher, parse_keys
from registry_grpc.adapters.grpc.call import Peers
from registry_grpc.adapters.grpc.handlers import Auditing, Servicer
from registry_grpc.adapters.grpc.servicers.access import AccessServicer
from registry_grpc.adapters.grpc.servicers.artifacts import ArtifactServicer
from registry_grpc.adapters.grpc.servicers.audit import AuditServicer
from registry_grpc.adapters.grpc.servicers.deployments import DeploymentServicer
from registry_grpc.adapters.grpc.servicers.events import EventServicer
from registry_grpc.adapters.grpc.servicers.inference_services import ServingServicer
from registry_grpc.adapters.grpc.servicers.model_aliases import ModelAliasServicer
from registry_grpc.adapters.grpc.servicers.model_artifacts import ModelArtifactServicer
from registry_grpc.adapters.grpc.servicers.model_versions import ModelVersionServicer
from registry_grpc.adapters.grpc.servicers.projects import ProjectServicer
from registry_grpc.adapters.grpc.servicers.registered_models import RegisteredModelServicer
from registry_grpc.adapters.grpc.servicers.serve_models import ServeModelServicer
from registry_grpc.adapters.grpc.servicers.serving_environments import ServingEnvironmentServicer
from registry_grpc.adapters.grpc.servicers.transfer import TransferServicer
from registry_grpc.adapters.grpc.servicers.webhooks import WebhookServicer
from registry_grpc.adapters.metrics import LOOP_ERRORS
from registry_grpc.adapters.postgres.access import PostgresAccessRepository
from registry_grpc.adapters.postgres.artifacts import PostgresArtifactRepository
from registry_grpc.adapters.postgres.audit import PostgresAuditLog
from registry_grpc.adapters.postgres.database import Database, DatabaseOptions
from registry_grpc.adapters.postgres.deleted_versions import PostgresDeletedVersionRepository
from registry_grpc.adapters.postgres.deployment_queue import installation_id
from registry_grpc.adapters.postgres.deployments import PostgresDeploymentRepository
from registry_grpc.adapters.postgres.event_log import PostgresEventLog
from registry_grpc.adapters.postgres.inference_services import PostgresInferenceServiceRepository
from registry_grpc.adapters.postgres.measured_queue import MeasuredDeploymentQueue
from registry_grpc.adapters.postgres.model_aliases import PostgresModelAliasRepository
from registry_grpc.adapters.postgres.model_versions import PostgresModelVersionRepository
from registry_grpc.adapters.postgres.projects import PostgresProjectRepository
from registry_grpc.adapters.postgres.registered_models import PostgresRegisteredModelRepository
from registry_grpc.adapters.postgres.requests import PostgresRequests
from registry_grpc.adapters.postgres.serve_models import PostgresServeModelRepository
from registry_grpc.adapters.postgres.serving_environments import PostgresServingEnvironmentRepository
from registry_grpc.adapters.postgres.transfer import PostgresTransferRepository
from registry_grpc.adapters.postgres.webhook_queue import PostgresWebhookQueue
from registry_grpc.adapters.postgres.webhooks import PostgresWebhookRepository
from registry_grpc.adapters.traced_passes import TracedReconciler
from registry_grpc.adapters.webhooks.sender import HttpWebhookSender
from registry_grpc.domain.errors import RegistryError, Unavailable
from registry_grpc.domain.policy import DeploymentPolicy
from registry_grpc.domain.runtimes import FORMAT_NAMES
from registry_grpc.domain.webhook import Reach, networks_of
from registry_grpc.ports.access import AccessRepository, Gate, Issuers
from registry_grpc.ports.cluster import Cluster
from registry_grpc.ports.deployments import Retention
from registry_grpc.ports.projects import ProjectRepository, Tenants
from registry_grpc.ports.requests import Requests
from registry_grpc.ports.webhooks import WebhookSender
from registry_grpc.services.access import Gatekeeper, Lookups, OpenGate, forget_changes
from registry_grpc.services.artifacts import Artifacts
from registry_grpc.services.audit import Audit, Refusals
from registry_grpc.services.controller import Controller
from registry_grpc.services.courier import Courier
from registry_grpc.services.deployment_history import DeploymentHistory
from registry_grpc.services.deployments import Deployments
from registry_grpc.services.drafting import Drafting
from registry_grpc.services.event_log import Events
from registry_grpc.services.explaining import Explaining
from registry_grpc.services.inference_services import InferenceServices
from registry_grpc.services.model_versions import ModelVersions
from registry_grpc.services.planning import Planning
from registry_grpc.services.projects import EnforcedTenancy, OpenTenancy
from registry_grpc.services.registered_models import RegisteredModels
from registry_grpc.services.serve_models import ServeModels
from registry_grpc.services.serving_environments import ServingEnvironments
from registry_grpc.services.transfer import Transfers
from registry_grpc.services.webhooks import Webhooks
from registry_grpc.settings import AuthKind, ClusterKind, ConfigurationError, Settings, Tenancy

if TYPE_CHECKING:
    from registry_grpc.adapters.kserve.api import Api

_log = structlog.get_logger("bootstrap")


@dataclass(frozen=True, slots=True, kw_only=True)
class App:
    """Everything that serves requests, and the controller if a cluster is configured."""

    servicers: Sequence[Servicer]
    gate: Gate
    beside: Sequence[Callable[[], Awaitable[None]]]
    """To be run while calls are served: makes the gate notice changes by others, and audits refused calls."""
    auditing: Auditing
    audit: Audit
    requests: Requests
    database: Database
    history: DeploymentHistory
    events: Events
    controller: Controller | None
    cluster: Cluster | None
    courier: Courier
    sender: WebhookSender
    lookups: Mapping[str, Lookups]
    """Those of the gate's caches, by their names in the metrics."""

    async def close(self) -> None:
        """Close the cluster, the gate, the connections of webhooks and the database."""
        self.gate.close()
        await self.sender.close()
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
    queue = MeasuredDeploymentQueue(database)
    requests = PostgresRequests(database, cipher)
    kept = timedelta(days=settings.deleted_version_days)
    retention = Retention(age=timedelta(days=settings.history_days), revisions=settings.history_revisions)
    access = PostgresAccessRepository(database)
    projects = PostgresProjectRepository(database)
    tenants, gate, forgetful = admission_of(settings, access, projects)
    lookups = {"projects": tenants.lookups} if isinstance(tenants, EnforcedTenancy) else {}
    if isinstance(gate, Gatekeeper):
        lookups |= {"tokens": gate.token_lookups, "roles": gate.role_lookups}
    reconciler = controller = None
    if cluster is not None:
        reconciler = TracedReconciler(
            queue=queue,
            cluster=cluster,
            versions=versions,
            tenants=tenants,
            settle=requests.settle,
            may_write=settings.workers_write,
        )
        controller = Controller(queue=queue, reconciler=reconciler, cluster=cluster, retention=retention, report=report)

    intents = PostgresDeploymentRepository(database)
    drafting = Drafting(
        deployments=intents,
        environments=environments,
        models=models,
        versions=versions,
        tenants=tenants,
        policy=DeploymentPolicy(
            service_accounts=settings.allowed_service_accounts,
            image_pull_secrets=settings.allowed_image_pull_secrets,
            env=settings.allowed_env,
        ),
    )
    planning = Planning(
        drafting=drafting,
        services=services,
        deployments=intents,
        versions=versions,
        cluster=cluster,
        reserved_labels=settings.reserved_labels,
    )
    deployments = Deployments(
        deployments=intents,
        services=services,
        drafting=drafting,
        tenants=tenants,
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
        settle=requests.settle,
    )
    model_versions = ModelVersions(versions=versions, deployments=intents, tenants=tenants)
    serve_models = PostgresServeModelRepository(database)
    history = DeploymentHistory(deployments=intents, events=queue, tenants=tenants)
    explaining = Explaining(deployments=intents, versions=versions, tenants=tenants, cluster=cluster)
    log = PostgresEventLog(database)
    events = Events(log=log)
    audited = PostgresAuditLog(database)
    audit, refusals = Audit(log=audited), Refusals(audited, report)
    reach = Reach(networks_of(settings.webhook_networks))
    sender = HttpWebhookSender(reach)
    webhooks = PostgresWebhookRepository(database, cipher)
    deleted = PostgresDeletedVersionRepository(database)
    artifacts = PostgresArtifactRepository(database)

    async def forget() -> None:
        await log.forget(retention.age)
        await audited.forget(timedelta(days=settings.audit_days))
        await deleted.forget(kept)

    courier = Courier(queue=PostgresWebhookQueue(database, cipher), sender=sender, forget=forget, report=report)
    return App(
        gate=gate,
        beside=[refusals.run, *([partial(forget_changes, access, forgetful)] if forgetful else [])],
        auditing=Auditing(refusals.note, Peers(networks_of(settings.gateway_networks))),
        audit=audit,
        servicers=(
            ProjectServicer(projects),
            AccessServicer(access),
            RegisteredModelServicer(RegisteredModels(models=models, tenants=tenants)),
            ModelVersionServicer(model_versions, deleted, kept),
            ArtifactServicer(artifacts, Artifacts(artifacts=artifacts, tenants=tenants)),
            ModelArtifactServicer(model_versions),
            ModelAliasServicer(PostgresModelAliasRepository(database)),
            ServingEnvironmentServicer(environments, ServingEnvironments(environments=environments, tenants=tenants)),
            ServingServicer(services, inference_services),
            ServeModelServicer(
                serve_models, ServeModels(serve_models=serve_models, services=services, versions=versions)
            ),
            DeploymentServicer(deployments, inference_services, history, planning, explaining),
            EventServicer(events),
            AuditServicer(audit),
            WebhookServicer(webhooks, Webhooks(webhooks=webhooks, sender=sender, reach=reach)),
            TransferServicer(
                Transfers(transfers=PostgresTransferRepository(database), versions=versions, tenants=tenants)
            ),
        ),
        requests=requests,
        database=database,
        history=history,
        events=events,
        controller=controller,
        cluster=cluster,
        courier=courier,
        sender=sender,
        lookups=lookups,
    )


def admission_of(
    settings: Settings, access: AccessRepository, projects: ProjectRepository
) -> tuple[Tenants, Gate, Sequence[Callable[[], None]]]:
    """The tenants, the gate, and the functions that make both forget. Raises ConfigurationError."""
    forget: list[Callable[[], None]] = []
    tenants: Tenants = OpenTenancy()
    if settings.tenancy is Tenancy.ENFORCED:
        enforced = EnforcedTenancy(projects)
        tenants = enforced
        forget.append(enforced.forget)
    else:
        text = "tenancy is OPEN: every project exists, and may use every namespace; set REGISTRY_TENANCY=enforced"
        _log.warning("settings.unsafe", text=text)
    if settings.auth is AuthKind.OFF:
        text = "authentication is OFF: everybody who reaches the service may do everything; set REGISTRY_AUTH"
        _log.warning("settings.unsafe", text=text)
        return tenants, OpenGate(tenants), forget
    if settings.auth is AuthKind.DEMO:
        raise ConfigurationError("REGISTRY_AUTH=demo works with `registry-grpc dev` only")
    gatekeeper = Gatekeeper(
        access=access,
        tenants=tenants,
        issuers=issuers_of(settings),
        operators=settings.operators,
        operator_groups=settings.operator_groups,
    )
    return tenants, gatekeeper, [*forget, gatekeeper.forget]


def issuers_of(settings: Settings) -> Issuers:
    """The issuers whose tokens are accepted. Raises ConfigurationError."""
    # Imported here because processes without authentication need neither PyJWT nor an HTTP client.
    from registry_grpc.adapters.oidc.issuers import Issuer, JwtIssuers  # noqa: PLC0415
    from registry_grpc.adapters.oidc.keys import KeySource  # noqa: PLC0415

    try:
        return JwtIssuers(
            Issuer(
                source=KeySource(
                    issuer=each.issuer, jwks_url=each.jwks_url, ca_file=each.ca_file, token_file=each.token_file
                ),
                audiences=each.audiences,
                algorithms=each.algorithms,
                user_claim=each.user_claim,
                groups_claim=each.groups_claim,
                prefix=each.prefix,
            )
            for each in settings.issuers
        )
    except OSError as error:
        raise ConfigurationError(f"REGISTRY_ISSUERS: a ca_file cannot be read: {error}") from error


def database_of(settings: Settings) -> Database:
    options = DatabaseOptions(
        size=settings.database_connections,
        queue=settings.database_queue,
        statement_timeout=settings.database_statement_timeout,
        slow_statement=settings.database_slow_statement,
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
        reserved_labels=settings.reserved_labels,
        may_write=settings.workers_write,
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
    text = "secrets are encrypted with the DEVELOPMENT key, which everybody knows; set REGISTRY_ENCRYPTION_KEYS"
    _log.warning("settings.unsafe", text=text)
    return AesGcmCipher({"development": hashlib.sha256(b"registry-grpc development key").digest()})


def report(where: str, error: BaseException) -> None:
    """A loop in the background has survived the error, and goes on. That the database is away is told elsewhere."""
    LOOP_ERRORS.labels(where).inc()
    if isinstance(error, Unavailable):
        _log.debug("background.unavailable", where=where, text=error.message)
    elif isinstance(error, RegistryError):
        _log.warning("background.failed", where=where, text=error.message)
    else:
        _log.error("background.failed", where=where, exc_info=error)
