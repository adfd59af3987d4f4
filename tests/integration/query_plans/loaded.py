"""A full database with its repositories, and the definition of a case."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from uuid import UUID

from tests.integration.query_plans.explained import ExplainedDatabase, Plan

from registry_grpc.adapters.encryption.aes_gcm import AesGcmCipher
from registry_grpc.adapters.postgres.access import PostgresAccessRepository
from registry_grpc.adapters.postgres.artifacts import PostgresArtifactRepository
from registry_grpc.adapters.postgres.audit import PostgresAuditLog
from registry_grpc.adapters.postgres.deleted_versions import PostgresDeletedVersionRepository
from registry_grpc.adapters.postgres.deployment_queue import PostgresDeploymentQueue
from registry_grpc.adapters.postgres.deployments import PostgresDeploymentRepository
from registry_grpc.adapters.postgres.event_log import PostgresEventLog
from registry_grpc.adapters.postgres.inference_services import PostgresInferenceServiceRepository
from registry_grpc.adapters.postgres.model_aliases import PostgresModelAliasRepository
from registry_grpc.adapters.postgres.model_versions import PostgresModelVersionRepository
from registry_grpc.adapters.postgres.projects import PostgresProjectRepository
from registry_grpc.adapters.postgres.registered_models import PostgresRegisteredModelRepository
from registry_grpc.adapters.postgres.serve_models import PostgresServeModelRepository
from registry_grpc.adapters.postgres.serving_environments import PostgresServingEnvironmentRepository
from registry_grpc.adapters.postgres.transfer import PostgresTransferRepository
from registry_grpc.adapters.postgres.webhook_queue import PostgresWebhookQueue
from registry_grpc.adapters.postgres.webhooks import PostgresWebhookRepository
from registry_grpc.domain.errors import RegistryError
from registry_grpc.domain.paging import Cursor, Slice

CIPHER = AesGcmCipher({"test": bytes(32)})
PAGE = Slice(limit=100)
CURSOR = Slice(limit=100, by_cursor=True)


@dataclass(frozen=True, slots=True)
class Loaded:
    """The full database and its repositories."""

    database: ExplainedDatabase
    models: PostgresRegisteredModelRepository
    versions: PostgresModelVersionRepository
    artifacts: PostgresArtifactRepository
    aliases: PostgresModelAliasRepository
    environments: PostgresServingEnvironmentRepository
    services: PostgresInferenceServiceRepository
    serve_models: PostgresServeModelRepository
    deployments: PostgresDeploymentRepository
    queue: PostgresDeploymentQueue
    deleted: PostgresDeletedVersionRepository
    events: PostgresEventLog
    audit: PostgresAuditLog
    webhooks: PostgresWebhookRepository
    webhook_queue: PostgresWebhookQueue
    transfers: PostgresTransferRepository
    access: PostgresAccessRepository
    projects: PostgresProjectRepository

    @classmethod
    def at(cls, url: str) -> Loaded:
        database = ExplainedDatabase(url)
        return cls(
            database=database,
            models=PostgresRegisteredModelRepository(database),
            versions=PostgresModelVersionRepository(database, CIPHER),
            artifacts=PostgresArtifactRepository(database),
            aliases=PostgresModelAliasRepository(database),
            environments=PostgresServingEnvironmentRepository(database),
            services=PostgresInferenceServiceRepository(database),
            serve_models=PostgresServeModelRepository(database),
            deployments=PostgresDeploymentRepository(database),
            queue=PostgresDeploymentQueue(database),
            deleted=PostgresDeletedVersionRepository(database),
            events=PostgresEventLog(database),
            audit=PostgresAuditLog(database),
            webhooks=PostgresWebhookRepository(database, CIPHER),
            webhook_queue=PostgresWebhookQueue(database, CIPHER),
            transfers=PostgresTransferRepository(database),
            access=PostgresAccessRepository(database),
            projects=PostgresProjectRepository(database),
        )

    async def plans_of(self, case: Case) -> list[Plan]:
        """The plans of all statements that the case runs."""
        async with self.database.explained() as plans:
            # Calls that the domain refuses have run their statements too.
            with suppress(*((RegistryError,) if case.is_refused else ())):
                await case.call(self)
        return plans


@dataclass(frozen=True, slots=True)
class Case:
    """A call of a repository.

    No node of its statements may handle more than `rows` rows, except for those named in `walks`, at least one of which
    must: the number of rows that they read grows with something, and has the limit given there.
    """

    call: Callable[[Loaded], Awaitable[object]]
    rows: int = 20
    walks: Mapping[str, int] = field(default_factory=dict)
    is_refused: bool = False


def once(table: str, rows: int) -> dict[str, int]:
    """Walks that read this many rows of a table, each once, by any index."""
    return {f"{way} on {table}": rows for way in ("Index Only Scan", "Index Scan", "Bitmap Heap Scan", "Seq Scan")}


def nearest(table: str) -> dict[str, int]:
    """Walks for a page of rows that may be rare, which first looks at the nearest ones. A sort looks at one more."""
    ways = (f"Index Scan on {table}", f"Index Only Scan on {table}", "Incremental Sort", "Limit", "Subquery Scan")
    return dict.fromkeys(ways, 2001)


def full(slice: Slice) -> Slice:
    """A page that is full after one object, so that sizes are added up."""
    return replace(slice, max_bytes=1)


def from_(offset: int) -> Slice:
    return Slice(limit=100, offset=offset)


def after(value: object) -> Slice:
    return Slice(limit=100, by_cursor=True, after=Cursor(value, UUID(int=2**127)))
