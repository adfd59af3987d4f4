"""What only a database can be asked: rows of tables that no port writes, and texts it cannot hold."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from uuid import UUID, uuid4

import pytest
from tests.contract.surroundings import Surroundings
from tests.fakes.builders import a_model
from tests.fakes.repositories import Repositories
from tests.fakes.seeding import stored_model, stored_version
from tests.refusals import refused

from registry_grpc.adapters.postgres.database import Database
from registry_grpc.domain.errors import FailedPrecondition, InvalidRequest, Reason
from registry_grpc.domain.paging import Slice, Sort
from registry_grpc.domain.registered_model import RegisteredModelFilter, RegisteredModelPatch, Tags
from registry_grpc.ports.repositories import RegisteredModelRepository


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
