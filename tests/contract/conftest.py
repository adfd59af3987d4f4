"""Every test of repositories runs with the fakes and with PostgreSQL: both implement the same contract."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from uuid import UUID, uuid4

import pytest
import pytest_asyncio
from tests.contract.queues import Queues, queues_in_memory, queues_on
from tests.contract.surroundings import Surroundings
from tests.fakes.repositories import Repositories, in_memory_repositories
from tests.fakes.store import InMemoryStore
from tests.postgres import PATIENT, ServerForRun, new_database

from registry_grpc.adapters.encryption.aes_gcm import AesGcmCipher
from registry_grpc.adapters.postgres import access, audit, deployment_queue, event_log
from registry_grpc.adapters.postgres.artifacts import PostgresArtifactRepository
from registry_grpc.adapters.postgres.database import Database
from registry_grpc.adapters.postgres.deleted_versions import PostgresDeletedVersionRepository
from registry_grpc.adapters.postgres.deployments import PostgresDeploymentRepository
from registry_grpc.adapters.postgres.inference_services import PostgresInferenceServiceRepository
from registry_grpc.adapters.postgres.model_aliases import PostgresModelAliasRepository
from registry_grpc.adapters.postgres.model_versions import PostgresModelVersionRepository
from registry_grpc.adapters.postgres.registered_models import PostgresRegisteredModelRepository
from registry_grpc.adapters.postgres.serve_models import PostgresServeModelRepository
from registry_grpc.adapters.postgres.serving_environments import PostgresServingEnvironmentRepository
from registry_grpc.adapters.postgres.transfer import PostgresTransferRepository


@pytest.fixture(scope="session", autouse=True)
def nothing_is_found_by_the_clock() -> Iterator[None]:
    """Whoever waits also looks every few seconds, in case a notification is lost. No test may pass by that alone."""
    with pytest.MonkeyPatch.context() as patched:
        for module in (access, audit, event_log):
            patched.setattr(module, "_POLL_SECONDS", 3600)
        patched.setattr(deployment_queue, "_POLL_EVENTS_SECONDS", 3600)
        yield


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def database(database_url: str) -> AsyncIterator[Database]:
    """This worker's database."""
    database = Database(database_url, PATIENT)
    yield database
    await database.close()


@pytest.fixture(scope="session")
def postgres_repositories(database: Database) -> Repositories:
    return repositories_on(database)


def repositories_on(database: Database) -> Repositories:
    return Repositories(
        models=PostgresRegisteredModelRepository(database),
        versions=PostgresModelVersionRepository(database, AesGcmCipher({"k1": bytes(32)})),
        aliases=PostgresModelAliasRepository(database),
        deleted=PostgresDeletedVersionRepository(database),
        artifacts=PostgresArtifactRepository(database),
        environments=PostgresServingEnvironmentRepository(database),
        services=PostgresInferenceServiceRepository(database),
        serve_models=PostgresServeModelRepository(database),
        deployments=PostgresDeploymentRepository(database),
        transfers=PostgresTransferRepository(database),
    )


@pytest.fixture(params=["fake", "postgres"])
def repositories(request: pytest.FixtureRequest) -> Repositories:
    if request.param == "fake":
        return in_memory_repositories(InMemoryStore())
    postgres: Repositories = request.getfixturevalue("postgres_repositories")
    return postgres


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def own_database(server_for_run: ServerForRun) -> AsyncIterator[Database]:
    """A database for one module only, because claims and retention concern the deployments of all projects."""
    async with new_database(server_for_run, server_for_run.template) as url:
        database = Database(url, PATIENT)
        yield database
        await database.close()


@pytest.fixture
async def no_other_deployments(own_database: Database) -> None:
    await own_database.fetch("TRUNCATE deployment, orphan CASCADE")


@pytest.fixture(params=["fake", "postgres"])
def queues(request: pytest.FixtureRequest) -> Queues:
    if request.param == "fake":
        return queues_in_memory()
    database: Database = request.getfixturevalue("own_database")
    return queues_on(database, repositories_on(database))


@pytest.fixture
def project_id() -> UUID:
    """A project for this test only. Tests share nothing but the tables."""
    return uuid4()


@pytest.fixture
def other_project_id() -> UUID:
    return uuid4()


@pytest.fixture
async def around(repositories: Repositories, project_id: UUID) -> Surroundings:
    """The surroundings of a service in the test's project."""
    return await Surroundings.stored(repositories, project_id)
