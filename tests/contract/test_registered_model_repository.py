"""The contract of RegisteredModelRepository."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from tests.fakes.builders import CREATED_AT, a_model, a_version
from tests.fakes.repositories import Repositories
from tests.fakes.seeding import stored_environment, stored_model, stored_serve_model, stored_service, stored_version
from tests.refusals import refused

from registry_grpc.domain.errors import AlreadyExists, FailedPrecondition, NotFound, Reason
from registry_grpc.domain.model_version import Credentials, ModelVersionPatch
from registry_grpc.domain.registered_model import RegisteredModelPatch, Tags


async def test_reads_a_model_as_it_was_created(repositories: Repositories, project_id: UUID) -> None:
    parent = await stored_model(repositories, project_id)
    model = await stored_model(repositories, project_id, parent_model_id=parent.id)

    read = await repositories.models.get(project_id, model.id)

    assert read == model
    assert read.created_at.utcoffset() == timedelta(0)


async def test_refuses_a_name_taken_in_the_project(repositories: Repositories, project_id: UUID) -> None:
    model = await stored_model(repositories, project_id)

    with refused(AlreadyExists, Reason.REGISTERED_MODEL_NAME_TAKEN):
        await repositories.models.create(a_model(project_id, name=model.name))


async def test_names_are_unique_by_project_and_letter_case(
    repositories: Repositories, project_id: UUID, other_project_id: UUID
) -> None:
    lower = await stored_model(repositories, project_id, name="name")
    upper = await stored_model(repositories, project_id, name="NAME")
    elsewhere = await stored_model(repositories, other_project_id, name="name")

    assert (await repositories.models.find(project_id, name="name")).id == lower.id
    assert (await repositories.models.find(project_id, name="NAME")).id == upper.id
    assert (await repositories.models.find(other_project_id, name="name")).id == elsewhere.id


@pytest.mark.parametrize("is_stored_elsewhere", [False, True])
async def test_refuses_a_parent_that_is_not_of_the_project(
    repositories: Repositories, project_id: UUID, other_project_id: UUID, is_stored_elsewhere: bool
) -> None:
    parent = a_model(other_project_id)
    if is_stored_elsewhere:
        await repositories.models.create(parent)
    model = a_model(project_id, parent_model_id=parent.id)

    with refused(NotFound, Reason.REGISTERED_MODEL_NOT_FOUND):
        await repositories.models.create(model)
    with pytest.raises(NotFound):
        await repositories.models.get(project_id, model.id)


async def test_get_tells_of_the_versions(repositories: Repositories, project_id: UUID) -> None:
    model = await stored_model(repositories, project_id)
    default = await stored_version(repositories, model, is_default=True)
    newest = await stored_version(
        repositories, model, created_at=CREATED_AT + timedelta(microseconds=1), state="ARCHIVED", status="FAILED"
    )
    await stored_version(repositories, model, created_at=CREATED_AT - timedelta(days=1))
    await stored_version(repositories, await stored_model(repositories, project_id))

    read = await repositories.models.get(project_id, model.id)

    assert read == model._replace(version_count=3, latest_version=newest, default_version=default)
    assert await repositories.models.find(project_id, name=model.name) == read
    updated = await repositories.models.update(project_id, model.id, RegisteredModelPatch())
    assert updated._replace(updated_at=model.updated_at, etag=model.etag) == read


async def test_of_versions_created_at_once_the_last_one_stored_is_the_latest(
    repositories: Repositories, project_id: UUID
) -> None:
    model = await stored_model(repositories, project_id)
    for _ in range(4):
        version = await stored_version(repositories, model)
        await repositories.versions.update(project_id, version.id, ModelVersionPatch(state="ARCHIVED"))
        latest = (await repositories.models.get(project_id, model.id)).latest_version
        assert latest is not None
        assert latest.id == version.id


async def test_finds_by_name_by_id_and_by_both(repositories: Repositories, project_id: UUID) -> None:
    model = await stored_model(repositories, project_id)
    other = await stored_model(repositories, project_id)

    assert await repositories.models.find(project_id, name=model.name) == model
    assert await repositories.models.find(project_id, id=model.id) == model
    assert await repositories.models.find(project_id, name=model.name, id=model.id) == model
    for name, id_ in [(model.name, other.id), ("no such name", None), ("", uuid4()), (model.name.upper(), None)]:
        with refused(NotFound, Reason.REGISTERED_MODEL_NOT_FOUND):
            await repositories.models.find(project_id, name=name, id=id_)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("name", "another name"),
        ("description", ""),
        ("model_type", ""),
        ("model_size", 0),
        ("state", "ARCHIVED"),
        ("deployment_status", "whatever"),
        ("tags", Tags(tasks=("b", "a", "b"))),
        ("tags", Tags()),
        ("labels", {"a": "1", "b": ""}),
        ("labels", {}),
    ],
)
async def test_update_only_changes_the_set_fields(
    repositories: Repositories, project_id: UUID, field: str, value: Any
) -> None:
    model = await stored_model(repositories, project_id)
    bystander = await stored_model(repositories, project_id)

    updated = await repositories.models.update(project_id, model.id, RegisteredModelPatch(**{field: value}))

    assert updated == model._replace(updated_at=updated.updated_at, etag=updated.etag, **{field: value})
    assert updated.updated_at > model.updated_at
    assert await repositories.models.get(project_id, model.id) == updated
    assert await repositories.models.get(project_id, bystander.id) == bystander


async def test_every_empty_patch_bumps_updated_at(repositories: Repositories, project_id: UUID) -> None:
    model = await stored_model(repositories, project_id)

    first = await repositories.models.update(project_id, model.id, RegisteredModelPatch())
    second = await repositories.models.update(project_id, model.id, RegisteredModelPatch())

    assert model.updated_at < first.updated_at < second.updated_at
    assert second._replace(updated_at=model.updated_at, etag=model.etag) == model


async def test_update_refuses_a_name_taken_but_not_its_own(repositories: Repositories, project_id: UUID) -> None:
    model = await stored_model(repositories, project_id)
    other = await stored_model(repositories, project_id)

    with refused(AlreadyExists, Reason.REGISTERED_MODEL_NAME_TAKEN):
        await repositories.models.update(
            project_id, model.id, RegisteredModelPatch(name=other.name, description="not written")
        )
    assert await repositories.models.get(project_id, model.id) == model
    assert (
        await repositories.models.update(project_id, model.id, RegisteredModelPatch(name=model.name))
    ).id == model.id


@pytest.mark.parametrize("state", ["LIVE", "archived", "ARCHIVED ", ""])
async def test_deletes_no_model_that_is_not_archived(repositories: Repositories, project_id: UUID, state: str) -> None:
    model = await stored_model(repositories, project_id, state=state)

    with refused(FailedPrecondition, Reason.MODEL_NOT_ARCHIVED) as refusal:
        await repositories.models.delete(project_id, model.id)
    assert (refusal.value.detail, refusal.value.metadata) == (
        f'state is "{state}", must be ARCHIVED',
        {"id": str(model.id), "state": state},
    )
    assert await repositories.models.get(project_id, model.id) == model


async def test_deletes_an_archived_model_with_its_versions(repositories: Repositories, project_id: UUID) -> None:
    model = await stored_model(repositories, project_id, state="ARCHIVED")
    version = a_version(model, status="READY", is_default=True)
    await repositories.versions.create(project_id, version, Credentials("key", "secret"))

    await repositories.models.delete(project_id, model.id)

    for gone in (
        repositories.models.get(project_id, model.id),
        repositories.models.delete(project_id, model.id),
        repositories.versions.get(project_id, version.id),
        repositories.versions.credentials(project_id, version.id, version.uri),
    ):
        with pytest.raises(NotFound):
            await gone
    again = a_model(project_id, name=model.name)
    await repositories.models.create(again)
    assert (await repositories.models.get(project_id, again.id)).version_count == 0


async def test_deleting_a_parent_leaves_its_children_without_one(repositories: Repositories, project_id: UUID) -> None:
    parent = await stored_model(repositories, project_id, state="ARCHIVED")
    child = await stored_model(repositories, project_id, parent_model_id=parent.id)

    await repositories.models.delete(project_id, parent.id)

    read = await repositories.models.get(project_id, child.id)
    assert read == child._replace(parent_model_id=None, etag=read.etag)


async def test_deletes_no_model_with_an_inference_service(repositories: Repositories, project_id: UUID) -> None:
    model = await stored_model(repositories, project_id, state="ARCHIVED")
    environment = await stored_environment(repositories, project_id)
    service = await stored_service(repositories, environment, model, current_state="UNDEPLOYED")

    with refused(FailedPrecondition, Reason.MODEL_HAS_ACTIVE_DEPLOYMENTS):
        await repositories.models.delete(project_id, model.id)
    await repositories.services.delete(project_id, service.id)
    await repositories.models.delete(project_id, model.id)


async def test_deletes_no_model_with_a_served_version(repositories: Repositories, project_id: UUID) -> None:
    model = await stored_model(repositories, project_id, state="ARCHIVED")
    version = await stored_version(repositories, model)
    environment = await stored_environment(repositories, project_id)
    service = await stored_service(repositories, environment, await stored_model(repositories, project_id))
    serve_model = await stored_serve_model(repositories, service, version)

    with refused(FailedPrecondition, Reason.MODEL_HAS_ACTIVE_DEPLOYMENTS):
        await repositories.models.delete(project_id, model.id)
    assert await repositories.versions.get(project_id, version.id) == version
    await repositories.serve_models.delete(project_id, serve_model.id)
    await repositories.models.delete(project_id, model.id)


async def test_a_parent_is_set_and_cleared(repositories: Repositories, project_id: UUID) -> None:
    parent, model = [await stored_model(repositories, project_id) for _ in range(2)]

    for parent_id in (parent.id, None):
        updated = await repositories.models.update(
            project_id, model.id, RegisteredModelPatch(parent_model_id=parent_id)
        )
        kept = await repositories.models.update(project_id, model.id, RegisteredModelPatch(owner_email="a@b"))
        assert (updated.parent_model_id, kept.parent_model_id, kept.owner_email) == (parent_id, parent_id, "a@b")
