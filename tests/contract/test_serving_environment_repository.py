"""The contract of ServingEnvironmentRepository."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from tests.fakes.builders import an_environment
from tests.fakes.repositories import Repositories
from tests.fakes.seeding import stored_environment, stored_model, stored_service
from tests.refusals import refused

from registry_grpc.domain.errors import AlreadyExists, FailedPrecondition, NotFound, Reason
from registry_grpc.domain.serving_environment import DriftPolicy, ServingEnvironmentPatch


@pytest.mark.parametrize("drift_policy", DriftPolicy)
async def test_reads_an_environment_as_it_was_created(
    repositories: Repositories, project_id: UUID, drift_policy: DriftPolicy
) -> None:
    environment = await stored_environment(repositories, project_id, drift_policy=drift_policy)

    read = await repositories.environments.get(project_id, environment.id)

    assert read == environment
    assert type(read.drift_policy) is DriftPolicy
    assert read.created_at.utcoffset() == timedelta(0)
    assert await repositories.environments.find(project_id, environment.name) == environment


async def test_does_not_find_a_missing_object(repositories: Repositories, project_id: UUID) -> None:
    environment = await stored_environment(repositories, project_id, name="Name")

    with refused(NotFound, Reason.SERVING_ENVIRONMENT_NOT_FOUND):
        await repositories.environments.get(project_id, uuid4())
    with refused(NotFound, Reason.SERVING_ENVIRONMENT_NOT_FOUND):
        await repositories.environments.update(project_id, uuid4(), ServingEnvironmentPatch())
    with refused(NotFound, Reason.SERVING_ENVIRONMENT_NOT_FOUND):
        await repositories.environments.delete(project_id, uuid4())
    for name in ("name", "Nam_", environment.external_id, ""):
        with refused(NotFound, Reason.SERVING_ENVIRONMENT_NOT_FOUND):
            await repositories.environments.find(project_id, name)


async def test_finds_the_oldest_environment_with_an_external_id(
    repositories: Repositories, project_id: UUID, other_project_id: UUID
) -> None:
    """It is no unique id: the contract lets every environment choose its namespace."""
    await stored_environment(repositories, other_project_id, external_id="ns")
    newer = await stored_environment(repositories, project_id, external_id="ns")
    older = await stored_environment(
        repositories, project_id, external_id="ns", created_at=newer.created_at - timedelta(days=1)
    )

    assert await repositories.environments.find_by_external_id(project_id, "ns") == older
    with refused(NotFound, Reason.SERVING_ENVIRONMENT_NOT_FOUND):
        await repositories.environments.find_by_external_id(project_id, "NS")


async def test_names_are_unique_by_project(
    repositories: Repositories, project_id: UUID, other_project_id: UUID
) -> None:
    environment = await stored_environment(repositories, project_id, name="name")

    with refused(AlreadyExists, Reason.SERVING_ENVIRONMENT_NAME_TAKEN):
        await repositories.environments.create(an_environment(project_id, name="name"))
    await stored_environment(repositories, project_id, name="NAME")
    await stored_environment(repositories, other_project_id, name="name")
    assert await repositories.environments.find(project_id, "name") == environment


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("name", "another name"),
        ("description", ""),
        ("external_id", ""),
        ("external_id", "another-namespace"),
        ("drift_policy", DriftPolicy.REPORT),
        ("properties", {}),
        ("properties", {"cpus": {"int": 4}}),
    ],
)
async def test_update_only_changes_the_set_fields(
    repositories: Repositories, project_id: UUID, field: str, value: Any
) -> None:
    environment = await stored_environment(repositories, project_id)
    bystander = await stored_environment(repositories, project_id)

    updated = await repositories.environments.update(
        project_id, environment.id, ServingEnvironmentPatch(**{field: value})
    )

    assert updated == replace(environment, updated_at=updated.updated_at, etag=updated.etag, **{field: value})
    assert updated.updated_at > environment.updated_at
    assert await repositories.environments.get(project_id, environment.id) == updated
    assert await repositories.environments.get(project_id, bystander.id) == bystander


async def test_every_empty_patch_bumps_updated_at(repositories: Repositories, project_id: UUID) -> None:
    environment = await stored_environment(repositories, project_id)

    first = await repositories.environments.update(project_id, environment.id, ServingEnvironmentPatch())
    second = await repositories.environments.update(project_id, environment.id, ServingEnvironmentPatch())

    assert environment.updated_at < first.updated_at < second.updated_at
    assert replace(second, updated_at=environment.updated_at, etag=environment.etag) == environment


async def test_update_refuses_a_name_taken_but_not_its_own(repositories: Repositories, project_id: UUID) -> None:
    environment = await stored_environment(repositories, project_id)
    other = await stored_environment(repositories, project_id)

    with refused(AlreadyExists, Reason.SERVING_ENVIRONMENT_NAME_TAKEN):
        await repositories.environments.update(
            project_id, environment.id, ServingEnvironmentPatch(name=other.name, description="not written")
        )

    assert await repositories.environments.get(project_id, environment.id) == environment
    await repositories.environments.update(project_id, environment.id, ServingEnvironmentPatch(name=environment.name))


@pytest.mark.parametrize("current_state", ["DEPLOYED", "UNDEPLOYED"])
async def test_deletes_no_environment_with_a_service(
    repositories: Repositories, project_id: UUID, current_state: str
) -> None:
    environment = await stored_environment(repositories, project_id)
    model = await stored_model(repositories, project_id)
    await stored_service(repositories, environment, model, current_state=current_state)

    with refused(FailedPrecondition, Reason.ENVIRONMENT_HAS_INFERENCE_SERVICES):
        await repositories.environments.delete(project_id, environment.id)

    assert await repositories.environments.get(project_id, environment.id) == environment


async def test_deletes_an_environment(repositories: Repositories, project_id: UUID) -> None:
    environment = await stored_environment(repositories, project_id)
    bystander = await stored_environment(repositories, project_id)

    await repositories.environments.delete(project_id, environment.id)

    with refused(NotFound, Reason.SERVING_ENVIRONMENT_NOT_FOUND):
        await repositories.environments.delete(project_id, environment.id)
    assert await repositories.environments.get(project_id, bystander.id) == bystander
    await stored_environment(repositories, project_id, name=environment.name)
