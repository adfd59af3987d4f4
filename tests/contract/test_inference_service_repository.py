"""The contract of InferenceServiceRepository."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from uuid import UUID, uuid4

import pytest
from tests.contract.surroundings import Surroundings
from tests.fakes.builders import CREATED_AT, a_model, a_serve_model, a_service, a_version, an_environment
from tests.fakes.repositories import Repositories
from tests.fakes.seeding import stored_environment, stored_serve_model, stored_service, stored_version
from tests.refusals import refused

from registry_grpc.domain.errors import AlreadyExists, FailedPrecondition, NotFound, Reason
from registry_grpc.domain.inference_service import InferenceServicePatch
from registry_grpc.domain.model_version import ModelVersionPatch
from registry_grpc.domain.registered_model import RegisteredModelPatch
from registry_grpc.domain.serving_environment import ServingEnvironmentPatch


@pytest.mark.parametrize("has_version", [False, True])
async def test_reads_a_service_as_it_was_created(
    repositories: Repositories, project_id: UUID, around: Surroundings, has_version: bool
) -> None:
    service = around.service(model_version_id=around.version.id if has_version else None)

    created = await repositories.services.create(service, ())

    assert created == replace(around.as_read(service), etag=created.etag)
    assert created.created_at.utcoffset() == timedelta(0)
    assert await repositories.services.get(project_id, service.id) == created
    assert await repositories.services.find_by_name(project_id, around.environment.id, service.name) == created
    assert await repositories.services.find_by_external_id(project_id, service.external_id) == created


async def test_creates_a_service_with_its_serve_models(
    repositories: Repositories, project_id: UUID, around: Surroundings
) -> None:
    service = around.service()
    newer_version = await stored_version(repositories, around.model)
    older = a_serve_model(service, around.version)
    newer = a_serve_model(service, newer_version, created_at=CREATED_AT + timedelta(microseconds=1))

    created = await repositories.services.create(service, [older, newer])

    assert created.served_models == tuple(
        replace(served, inference_service_name=service.name, model_version_name=version.name)
        for served, version in (
            (replace(newer, etag=created.served_models[0].etag), newer_version),
            (replace(older, etag=created.served_models[1].etag), around.version),
        )
    )
    assert await repositories.services.get(project_id, service.id) == created
    assert await repositories.services.find_by_name(project_id, around.environment.id, service.name) == created
    assert await repositories.services.find_by_external_id(project_id, service.external_id) == created
    updated = await repositories.services.update(project_id, service.id, InferenceServicePatch())
    assert updated == replace(created, updated_at=updated.updated_at, etag=updated.etag)


async def test_of_serve_models_of_the_same_time_the_greatest_id_is_the_newest(
    repositories: Repositories, project_id: UUID, around: Surroundings
) -> None:
    service = around.service()
    versions = [await stored_version(repositories, around.model) for _ in range(4)]
    served = [a_serve_model(service, version) for version in versions]

    created = await repositories.services.create(service, served)

    assert [s.id for s in created.served_models] == sorted((s.id for s in served), reverse=True)


async def test_reads_the_names_that_others_have_now(
    repositories: Repositories, project_id: UUID, around: Surroundings
) -> None:
    service = around.service()
    await repositories.services.create(service, [a_serve_model(service, around.version)])
    await repositories.environments.update(project_id, around.environment.id, ServingEnvironmentPatch(name="e"))
    await repositories.models.update(project_id, around.model.id, RegisteredModelPatch(name="m"))
    await repositories.versions.update(project_id, around.version.id, ModelVersionPatch(name="v"))

    read = await repositories.services.get(project_id, service.id)

    assert (read.serving_environment_name, read.registered_model_name) == ("e", "m")
    assert read.served_models[0].model_version_name == "v"


async def test_names_are_unique_by_environment(
    repositories: Repositories, project_id: UUID, around: Surroundings
) -> None:
    await repositories.services.create(around.service(name="name"), ())
    second = around.service(name="name")

    with refused(AlreadyExists, Reason.INFERENCE_SERVICE_NAME_TAKEN):
        await repositories.services.create(second, [a_serve_model(second, around.version)])
    await repositories.services.create(around.service(name="NAME"), ())
    other_environment = await stored_environment(repositories, project_id)
    elsewhere = await stored_service(repositories, other_environment, around.model, name="name")

    found = await repositories.services.find_by_name(project_id, other_environment.id, "name")
    assert found.id == elsewhere.id


@pytest.mark.parametrize(
    ("missing", "reason"),
    [
        ("environment", Reason.SERVING_ENVIRONMENT_NOT_FOUND),
        ("model", Reason.REGISTERED_MODEL_NOT_FOUND),
        ("version", Reason.MODEL_VERSION_NOT_FOUND),
        ("served version", Reason.MODEL_VERSION_NOT_FOUND),
    ],
)
async def test_creates_nothing_when_something_has_gone(
    repositories: Repositories, project_id: UUID, around: Surroundings, missing: str, reason: Reason
) -> None:
    gone_version = a_version(around.model)
    service = a_service(
        an_environment(project_id) if missing == "environment" else around.environment,
        a_model(project_id) if missing == "model" else around.model,
        model_version_id=gone_version.id if missing == "version" else None,
    )
    served = [a_serve_model(service, around.version)]
    if missing == "served version":
        served.append(a_serve_model(service, gone_version))

    with refused(NotFound, reason):
        await repositories.services.create(service, served)
    with refused(NotFound, Reason.INFERENCE_SERVICE_NOT_FOUND):
        await repositories.services.get(project_id, service.id)
    with refused(NotFound, Reason.SERVE_MODEL_NOT_FOUND):
        await repositories.serve_models.get(project_id, served[0].id)


async def test_does_not_find_a_missing_object(
    repositories: Repositories, project_id: UUID, around: Surroundings
) -> None:
    service = around.service(name="name", external_id="uid")
    await repositories.services.create(service, ())
    await repositories.services.create(around.service(external_id=""), ())
    other = await stored_environment(repositories, project_id)

    for missing in (
        repositories.services.get(project_id, uuid4()),
        repositories.services.find_by_name(project_id, around.environment.id, "Name"),
        repositories.services.find_by_name(project_id, other.id, "name"),
        repositories.services.find_by_external_id(project_id, "UID"),
        repositories.services.find_by_external_id(project_id, ""),
        repositories.services.update(project_id, uuid4(), InferenceServicePatch()),
        repositories.services.follow(
            project_id, uuid4(), InferenceServicePatch(), None, unchanged_since=around.environment.updated_at
        ),
        repositories.services.delete(project_id, uuid4()),
    ):
        with refused(NotFound, Reason.INFERENCE_SERVICE_NOT_FOUND):
            await missing


async def test_of_several_with_an_external_id_find_takes_the_oldest(
    repositories: Repositories, project_id: UUID, around: Surroundings
) -> None:
    later = CREATED_AT + timedelta(microseconds=1)
    await repositories.services.create(around.service(external_id="uid", created_at=later), ())
    tied = [around.service(external_id="uid") for _ in range(4)]
    for service in tied:
        await repositories.services.create(service, ())

    found = await repositories.services.find_by_external_id(project_id, "uid")

    assert found.id == min(service.id for service in tied)


async def test_deletes_no_deployed_service(repositories: Repositories, project_id: UUID, around: Surroundings) -> None:
    service = await stored_service(
        repositories, around.environment, around.model, current_state="DEPLOYED", desired_state="UNDEPLOYED"
    )

    with refused(FailedPrecondition, Reason.INFERENCE_SERVICE_DEPLOYED):
        await repositories.services.delete(project_id, service.id)

    assert await repositories.services.get(project_id, service.id) == around.as_read(service)


async def test_deletes_a_service_with_its_serve_models(
    repositories: Repositories, project_id: UUID, around: Surroundings
) -> None:
    service = await stored_service(
        repositories, around.environment, around.model, current_state="UNDEPLOYED", desired_state="DEPLOYED"
    )
    serve_model = await stored_serve_model(repositories, service, around.version)
    bystander = await stored_service(repositories, around.environment, around.model)
    other_serve_model = await stored_serve_model(repositories, bystander, around.version)

    await repositories.services.delete(project_id, service.id)

    with refused(NotFound, Reason.INFERENCE_SERVICE_NOT_FOUND):
        await repositories.services.delete(project_id, service.id)
    with refused(NotFound, Reason.SERVE_MODEL_NOT_FOUND):
        await repositories.serve_models.get(project_id, serve_model.id)
    assert (await repositories.serve_models.get(project_id, other_serve_model.id)).id == other_serve_model.id
    assert await repositories.versions.get(project_id, around.version.id) == around.version
    await stored_service(repositories, around.environment, around.model, name=service.name)
