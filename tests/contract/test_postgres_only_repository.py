"""Tests that only a database can pass: rows of tables that no port writes, and texts that it cannot store."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any
from uuid import UUID, uuid4

import pytest
from tests.contract.intents import deployed
from tests.contract.surroundings import Surroundings
from tests.fakes.builders import a_model, a_version
from tests.fakes.repositories import Repositories
from tests.fakes.seeding import stored_model, stored_version
from tests.refusals import refused

from registry_grpc.adapters.encryption.aes_gcm import AesGcmCipher
from registry_grpc.adapters.postgres.database import Database
from registry_grpc.adapters.postgres.model_versions import PostgresModelVersionRepository
from registry_grpc.adapters.postgres.registered_models import PostgresRegisteredModelRepository
from registry_grpc.adapters.rest import encoders
from registry_grpc.domain.errors import EventLogChanged, FailedPrecondition, InvalidRequest, Reason
from registry_grpc.domain.inference_service import InferenceServicePatch
from registry_grpc.domain.model_version import Credentials, ModelVersionFilter
from registry_grpc.domain.paging import PAGE_BYTES, Slice, Sort, View
from registry_grpc.domain.registered_model import RegisteredModelFilter, RegisteredModelPatch, Tags
from registry_grpc.ports.encryption import SecretUnreadable
from registry_grpc.ports.repositories import RegisteredModelRepository


async def test_the_log_does_not_go_on_after_another_event_of_the_same_number(
    postgres_repositories: Repositories, database: Database, project_id: UUID
) -> None:
    """As where a disk was set back, which leaves the epoch as it was."""
    around = await Surroundings.stored(postgres_repositories, project_id)
    deployment, events = await deployed(postgres_repositories, around), postgres_repositories.deployments.events
    [before] = await events(project_id, deployment.id, 0, 9)
    await database.execute(
        "UPDATE deployment_event SET occurred_at = occurred_at + interval '1 us' WHERE deployment_id = $1",
        deployment.id,
    )
    with refused(EventLogChanged, Reason.EVENT_LOG_CHANGED):
        await events(project_id, deployment.id, before.resume_token, 9)
    [now] = await events(project_id, deployment.id, 0, 9)
    assert list(await events(project_id, deployment.id, now.resume_token, 9)) == []


async def test_a_service_that_is_deployed_meanwhile_keeps_naming_its_version(
    postgres_repositories: Repositories, database: Database, project_id: UUID
) -> None:
    r = postgres_repositories
    around = await Surroundings.stored(r, project_id)
    other, id_ = await stored_version(r, around.model), (await deployed(r, around)).id
    await r.deployments.undeploy(project_id, id_, "")
    async with database.transaction() as redeploying:
        await redeploying.execute("UPDATE deployment SET want = 'PRESENT' WHERE id = $1", id_)
        naming = asyncio.create_task(
            r.deployments.change_service(
                project_id, id_, InferenceServicePatch(model_version_id=other.id), "", keeps_version=True
            )
        )
        while not naming.done() and not await database.fetch("SELECT FROM pg_locks WHERE NOT granted"):  # noqa: ASYNC110
            await asyncio.sleep(0.01)
    with refused(FailedPrecondition, Reason.DEPLOYED_VERSION_FIXED):
        await naming


async def test_deletes_no_model_with_a_version_in_a_traffic_variant(
    postgres_repositories: Repositories, database: Database, project_id: UUID
) -> None:
    r = postgres_repositories
    around = await Surroundings.stored(r, project_id)
    service = around.service()
    await r.services.create(service, ())
    model = await stored_model(r, project_id, state="ARCHIVED")
    version = await stored_version(r, model)
    config_id = uuid4()
    await database.execute(
        "INSERT INTO traffic_config (id, project_id, inference_service_id) VALUES ($1, $2, $3)",
        config_id,
        project_id,
        service.id,
    )
    await database.execute(
        "INSERT INTO traffic_variant (id, traffic_config_id, model_version_id, variant_name) VALUES ($1, $2, $3, 'v')",
        uuid4(),
        config_id,
        version.id,
    )

    with refused(FailedPrecondition, Reason.MODEL_HAS_ACTIVE_DEPLOYMENTS):
        await r.models.delete(project_id, model.id)

    await r.services.delete(project_id, service.id)
    await r.models.delete(project_id, model.id)


@pytest.mark.parametrize(
    "patch",
    [
        RegisteredModelPatch(name="a\0b"),
        RegisteredModelPatch(labels={"key": "\0"}),
        RegisteredModelPatch(labels={"\0": ""}),
        RegisteredModelPatch(tags=Tags(tasks=("\0",))),
    ],
)
async def test_refuses_nul_characters(
    postgres_repositories: Repositories, project_id: UUID, patch: RegisteredModelPatch
) -> None:
    models = postgres_repositories.models
    model = await stored_model(postgres_repositories, project_id)

    with refused(InvalidRequest, Reason.INVALID_REQUEST):
        await models.update(project_id, model.id, patch)

    assert await models.get(project_id, model.id) == model


@pytest.mark.parametrize(
    "call",
    [
        lambda models, project_id: models.find(project_id, name="\0"),
        lambda models, project_id: models.create(a_model(project_id, description="\0")),
        lambda models, project_id: models.list(project_id, RegisteredModelFilter(search="\0"), Sort(), Slice()),
    ],
    ids=["find", "create", "list"],
)
async def test_refuses_nul_characters_in_every_call(
    postgres_repositories: Repositories,
    project_id: UUID,
    call: Callable[[RegisteredModelRepository, UUID], Awaitable[object]],
) -> None:
    with refused(InvalidRequest, Reason.INVALID_REQUEST):
        await call(postgres_repositories.models, project_id)


class CountingDatabase(Database):
    """Counts the characters that it and its shares load."""

    def __init__(self, dsn: str) -> None:
        super().__init__(dsn)
        self.loaded: list[int] = []

    async def fetch(self, statement: str, *args: Any) -> list[Any]:
        rows = await super().fetch(statement, *args)
        self.loaded.append(sum(len(str(value)) for row in rows for value in row.values()))
        return rows


@pytest.mark.slow
@pytest.mark.parametrize("search", ["", "model"])
@pytest.mark.parametrize("mebibytes", [3, 7])
async def test_rows_beyond_the_size_of_a_page_are_not_loaded(
    postgres_repositories: Repositories, database_url: str, project_id: UUID, mebibytes: int, search: str
) -> None:
    """Rows of 7 MiB were stored before descriptions had a limit."""
    counting = CountingDatabase(database_url)
    models = PostgresRegisteredModelRepository(counting)
    for _ in range(8):
        await stored_model(postgres_repositories, project_id, description="x" * mebibytes * 2**20)
    wanted = RegisteredModelFilter(search=search)

    cut = await asyncio.gather(
        *(models.list(project_id, wanted, Sort(), Slice(by_cursor=True)) for _ in range(4)),
        *(models.list(project_id, wanted, Sort(), Slice()) for _ in range(4)),
    )
    assert [len(page.items) for page in cut] == [1] * 8
    assert sum(counting.loaded) < 8 * mebibytes * 2**20 + PAGE_BYTES

    counting.loaded.clear()
    refused_slice = Slice().refusing_above(16 * 2**20)
    refusals = await asyncio.gather(
        *(models.list(project_id, wanted, Sort(), refused_slice) for _ in range(8)), return_exceptions=True
    )
    assert [type(refusal) for refusal in refusals] == [InvalidRequest] * 8
    assert sum(counting.loaded) < PAGE_BYTES
    await counting.close()


@pytest.mark.parametrize("view", [View.CONTRACT, View.BASIC])
async def test_narrow_views_load_neither_readme_nor_metadata(
    postgres_repositories: Repositories, database_url: str, project_id: UUID, view: View
) -> None:
    """Otherwise a readme, which no REST client sees, could make its page too large."""
    r, counting = postgres_repositories, CountingDatabase(database_url)
    model = await stored_model(r, project_id, properties={}, external_id="m")
    for place in range(3):
        version = a_version(model, readme="x" * 2**20, metadata={"a": "b" * 2**20}, external_id=f"v{place}", digest="d")
        await r.versions.create(project_id, version, Credentials())
    versions = PostgresModelVersionRepository(counting, AesGcmCipher({"k1": bytes(32)}))
    models, part = PostgresRegisteredModelRepository(counting), Slice(view=view).refusing_above(2**20)

    page = await versions.list(project_id, ModelVersionFilter(registered_model_id=model.id), Sort(), part)
    [listed] = (await models.list(project_id, RegisteredModelFilter(), Sort(), part)).items
    assert sum(counting.loaded) < 10_000
    whole = await r.versions.list(project_id, ModelVersionFilter(registered_model_id=model.id), Sort(), Slice())
    [whole_model] = (await r.models.list(project_id, RegisteredModelFilter(), Sort(), Slice())).items
    assert page.total == 3
    assert [encoders.version(each) for each in page.items] == [encoders.version(each) for each in whole.items]
    assert encoders.model(listed) == encoders.model(whole_model)
    await counting.close()


@pytest.mark.parametrize("column", ["access_key", "secret_key"])
async def test_stored_keys_cannot_be_moved_to_another_row_or_column(
    postgres_repositories: Repositories, database: Database, project_id: UUID, column: str
) -> None:
    model = await stored_model(postgres_repositories, project_id)
    one, other = a_version(model), a_version(model)
    for version in (one, other):
        await postgres_repositories.versions.create(project_id, version, Credentials("key", "secret"))
    move = f"UPDATE model_version SET {column} = f.access_key FROM model_version f WHERE f.id = $1 AND model_version.id"
    moved_to = one if column == "secret_key" else other
    await database.execute(f"{move} = $2", one.id, moved_to.id)

    with pytest.raises(SecretUnreadable, match=f"model_version/{moved_to.id}/{column}"):
        await postgres_repositories.versions.credentials(project_id, moved_to.id, moved_to.uri)


@pytest.mark.parametrize("key", ["plain text", ""])
async def test_keys_do_not_follow_a_uri_that_another_program_writes(
    postgres_repositories: Repositories, database: Database, project_id: UUID, key: str
) -> None:
    """Whether this service or the other program wrote the keys."""
    r, model = postgres_repositories, await stored_model(postgres_repositories, project_id)
    version = a_version(model, uri="s3://bucket/key")
    keys = Credentials() if key else Credentials("key", "secret")
    await r.versions.create(project_id, version, keys)
    if key:
        await database.execute("UPDATE model_version SET secret_key = $2 WHERE id = $1", version.id, key)

    await database.execute("UPDATE model_version SET uri = 's3://elsewhere/key' WHERE id = $1", version.id)

    assert await r.versions.credentials(project_id, version.id, "s3://elsewhere/key") is None
    assert await r.versions.credentials(project_id, version.id, version.uri) == (keys or Credentials("", key))
    if not key:
        await database.execute("UPDATE model_version SET keys_uri = uri WHERE id = $1", version.id)
        with pytest.raises(SecretUnreadable, match="for s3://elsewhere"):
            await r.versions.credentials(project_id, version.id, "s3://elsewhere/key")
