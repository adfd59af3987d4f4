"""The store sets the times of every kind of object, because the clock of a worker may be wrong."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from tests.contract.surroundings import Surroundings
from tests.fakes.builders import a_model, a_serve_model, a_version, an_environment
from tests.fakes.repositories import Repositories
from tests.fakes.seeding import stored_model, stored_version

from registry_grpc.domain.inference_service import InferenceServicePatch
from registry_grpc.domain.model_version import Credentials, ModelVersionPatch
from registry_grpc.domain.registered_model import RegisteredModelPatch
from registry_grpc.domain.serving_environment import ServingEnvironmentPatch
from registry_grpc.domain.times import NOT_STORED

NOW: dict[str, Any] = {"created_at": NOT_STORED, "updated_at": NOT_STORED}
FUTURE = datetime(2126, 1, 1, tzinfo=UTC)


async def test_the_store_tells_the_times(repositories: Repositories, project_id: UUID) -> None:
    r = repositories
    model = await r.models.create(a_model(project_id, **NOW))
    version = await r.versions.create(project_id, a_version(model, **NOW), Credentials())
    environment = await r.environments.create(an_environment(project_id, **NOW))
    service = await r.services.create(Surroundings(environment, model, version).service(**NOW), ())
    served = await r.serve_models.create(a_serve_model(service, version, **NOW))

    assert (await r.models.get(project_id, model.id)).created_at == model.created_at
    assert await r.versions.get(project_id, version.id) == version
    assert await r.environments.get(project_id, environment.id) == environment
    assert await r.serve_models.get(project_id, served.id) == served
    times = [thing.created_at for thing in (model, version, environment, service, served)]
    assert NOT_STORED < times[0] <= times[1] <= times[2] <= times[3] <= times[4] < FUTURE
    for thing in (model, version, environment, service, served):
        assert thing.updated_at == thing.created_at


async def test_a_new_version_is_younger_than_existing_ones(repositories: Repositories, project_id: UUID) -> None:
    """Independent of the clock that set their times."""
    model = await stored_model(repositories, project_id)
    await stored_version(repositories, model, created_at=FUTURE)

    for is_default in (False, True):
        new = a_version(model, is_default=is_default, **NOW)
        version = await repositories.versions.create(project_id, new, Credentials())
        assert version.created_at > FUTURE
        assert (await repositories.models.get(project_id, model.id)).latest_version == version


async def test_served_models_are_in_the_order_of_the_request(repositories: Repositories, project_id: UUID) -> None:
    around = await Surroundings.stored(repositories, project_id)
    service = around.service(**NOW)
    served = [a_serve_model(service, await stored_version(repositories, around.model), **NOW) for _ in range(5)]

    stored = await repositories.services.create(service, served)

    assert [each.id for each in stored.served_models] == [each.id for each in served]


async def test_no_update_is_before_the_creation(repositories: Repositories, project_id: UUID) -> None:
    r, future = repositories, {"created_at": FUTURE, "updated_at": FUTURE}
    around = await Surroundings.stored(r, project_id)
    model = await stored_model(r, project_id, **future)
    version = await stored_version(r, model, **future)
    environment = await r.environments.create(an_environment(project_id, **future))
    service = await r.services.create(around.service(**future), ())

    assert (await r.models.update(project_id, model.id, RegisteredModelPatch())).updated_at == FUTURE
    assert (await r.versions.update(project_id, version.id, ModelVersionPatch())).updated_at == FUTURE
    assert (await r.environments.update(project_id, environment.id, ServingEnvironmentPatch())).updated_at == FUTURE
    assert (await r.services.update(project_id, service.id, InferenceServicePatch())).updated_at == FUTURE
    past = around.version.created_at + timedelta(days=1)
    assert (await r.versions.update(project_id, around.version.id, ModelVersionPatch())).updated_at > past
