"""The contract of ServeModelRepository."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from uuid import UUID, uuid4

import pytest
from tests.contract.surroundings import Surroundings
from tests.fakes.builders import a_serve_model, a_service, a_version
from tests.fakes.repositories import Repositories
from tests.fakes.seeding import stored_serve_model, stored_service, stored_version
from tests.refusals import refused

from registry_grpc.domain.errors import AlreadyExists, NotFound, Reason
from registry_grpc.domain.inference_service import InferenceService, InferenceServicePatch
from registry_grpc.domain.model_version import ModelVersionPatch


@pytest.fixture
async def service(repositories: Repositories, around: Surroundings) -> InferenceService:
    return await stored_service(repositories, around.environment, around.model)


async def test_reads_a_serve_model_as_it_was_created(
    repositories: Repositories, project_id: UUID, around: Surroundings, service: InferenceService
) -> None:
    serve_model = a_serve_model(service, around.version)

    created = await repositories.serve_models.create(serve_model)

    names = {"inference_service_name": service.name, "model_version_name": around.version.name}
    assert created == replace(serve_model, etag=created.etag, **names)  # type: ignore[arg-type]
    assert created.created_at.utcoffset() == timedelta(0)
    assert await repositories.serve_models.get(project_id, serve_model.id) == created
    assert (await repositories.services.get(project_id, service.id)).served_models == (created,)


async def test_reads_the_names_that_others_have_now(
    repositories: Repositories, project_id: UUID, around: Surroundings, service: InferenceService
) -> None:
    serve_model = await stored_serve_model(repositories, service, around.version)
    await repositories.services.update(project_id, service.id, InferenceServicePatch(name="s"))
    await repositories.versions.update(project_id, around.version.id, ModelVersionPatch(name="v"))

    read = await repositories.serve_models.get(project_id, serve_model.id)

    assert (read.inference_service_name, read.model_version_name) == ("s", "v")


async def test_a_pair_exists_once(repositories: Repositories, around: Surroundings, service: InferenceService) -> None:
    await stored_serve_model(repositories, service, around.version)

    with refused(AlreadyExists, Reason.SERVE_MODEL_EXISTS):
        await stored_serve_model(repositories, service, around.version)

    await stored_serve_model(repositories, service, await stored_version(repositories, around.model))
    other_service = await stored_service(repositories, around.environment, around.model)
    await stored_serve_model(repositories, other_service, around.version)


async def test_refuses_a_link_to_a_deleted_object(
    repositories: Repositories, around: Surroundings, service: InferenceService
) -> None:
    gone_service = a_service(around.environment, around.model)
    gone_version = a_version(around.model)

    with refused(NotFound, Reason.INFERENCE_SERVICE_NOT_FOUND):
        await stored_serve_model(repositories, gone_service, around.version)
    with refused(NotFound, Reason.MODEL_VERSION_NOT_FOUND):
        await stored_serve_model(repositories, service, gone_version)


async def test_deletes_the_link_only(
    repositories: Repositories, project_id: UUID, around: Surroundings, service: InferenceService
) -> None:
    serve_model = await stored_serve_model(repositories, service, around.version)
    other = await stored_serve_model(repositories, service, await stored_version(repositories, around.model))

    await repositories.serve_models.delete(project_id, serve_model.id)

    with refused(NotFound, Reason.SERVE_MODEL_NOT_FOUND):
        await repositories.serve_models.get(project_id, serve_model.id)
    with refused(NotFound, Reason.SERVE_MODEL_NOT_FOUND):
        await repositories.serve_models.delete(project_id, serve_model.id)
    read = await repositories.services.get(project_id, service.id)
    assert [served.id for served in read.served_models] == [other.id]
    assert await repositories.versions.get(project_id, around.version.id) == around.version


async def test_does_not_find_a_missing_object(repositories: Repositories, project_id: UUID) -> None:
    with refused(NotFound, Reason.SERVE_MODEL_NOT_FOUND):
        await repositories.serve_models.get(project_id, uuid4())
    with refused(NotFound, Reason.SERVE_MODEL_NOT_FOUND):
        await repositories.serve_models.delete(project_id, uuid4())
