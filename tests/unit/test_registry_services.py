"""Use cases of models, versions and environments."""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID, uuid4

import pytest
from tests.fakes.builders import a_new_version
from tests.fakes.seeding import stored_model, stored_version
from tests.refusals import refused
from tests.unit.conftest import Registry

from registry_grpc.domain.errors import AlreadyExists, FailedPrecondition, NotFound, Reason
from registry_grpc.domain.model_version import Credentials, ModelVersionFilter, ModelVersionKey, ModelVersionPatch
from registry_grpc.domain.paging import Page, Slice, Sort
from registry_grpc.domain.registered_model import NewRegisteredModel, RegisteredModelFilter, RegisteredModelPatch


async def test_creates_a_model_of_the_project_at_the_time_of_the_clock(registry: Registry, project_id: UUID) -> None:
    registry.clock.advance(timedelta(hours=1))

    model = await registry.models.create(project_id, NewRegisteredModel(name="My Model"))
    other = await registry.models.create(project_id, NewRegisteredModel(name="Other"))

    assert (model.project_id, model.slug, model.created_at) == (project_id, "my-model", registry.clock.now())
    assert model.id != other.id
    assert await registry.models.get(project_id, model.id) == model
    assert await registry.models.find(project_id, name="My Model", id=None) == model
    page = await registry.models.list(project_id, RegisteredModelFilter(), Sort("name", descending=False), Slice())
    assert page == Page((model, other), total=2)


@pytest.mark.parametrize("name", ["", "no such model"])
async def test_finds_no_model_without_a_condition_that_it_meets(
    registry: Registry, project_id: UUID, name: str
) -> None:
    await stored_model(registry.repositories, project_id)

    with refused(NotFound, Reason.REGISTERED_MODEL_NOT_FOUND):
        await registry.models.find(project_id, name=name, id=None)


async def test_changes_and_deletes_a_model(registry: Registry, project_id: UUID) -> None:
    model = await stored_model(registry.repositories, project_id)
    await stored_version(registry.repositories, model, status="READY")

    with refused(FailedPrecondition, Reason.MODEL_NOT_ARCHIVED):
        await registry.models.delete(project_id, model.id)
    archived = await registry.models.update(project_id, model.id, RegisteredModelPatch(state="ARCHIVED", name="new"))
    await registry.models.delete(project_id, model.id)

    assert (archived.state, archived.name, archived.slug) == ("ARCHIVED", "new", model.slug)
    with refused(NotFound, Reason.REGISTERED_MODEL_NOT_FOUND):
        await registry.models.get(project_id, model.id)


async def test_creates_a_version_with_its_credentials(registry: Registry, project_id: UUID) -> None:
    model = await stored_model(registry.repositories, project_id)

    version = await registry.versions.create(
        project_id, model.id, a_new_version(access_key="acc3ss", secret_key="s3cret")
    )

    assert version.registered_model_id == model.id
    assert version.created_at > model.created_at
    assert await registry.versions.get(project_id, version.id) == version
    assert await registry.versions.get(project_id, version.id, model.id) == version
    stored = await registry.repositories.versions.credentials(project_id, version.id, version.uri)
    assert stored == Credentials("acc3ss", "s3cret")


async def test_versions_need_a_model_of_the_project_and_a_free_name(registry: Registry, project_id: UUID) -> None:
    model = await stored_model(registry.repositories, project_id)
    await registry.versions.create(project_id, model.id, a_new_version())

    with refused(NotFound, Reason.REGISTERED_MODEL_NOT_FOUND):
        await registry.versions.create(project_id, uuid4(), a_new_version())
    with refused(NotFound, Reason.REGISTERED_MODEL_NOT_FOUND):
        await registry.versions.create(uuid4(), model.id, a_new_version())
    with refused(AlreadyExists, Reason.MODEL_VERSION_NAME_TAKEN):
        await registry.versions.create(project_id, model.id, a_new_version())


async def test_a_version_is_read_and_changed_under_its_own_model_only(registry: Registry, project_id: UUID) -> None:
    model = await stored_model(registry.repositories, project_id)
    version = await stored_version(registry.repositories, model)
    other = await stored_model(registry.repositories, project_id)

    with refused(NotFound, Reason.MODEL_VERSION_NOT_FOUND):
        await registry.versions.get(project_id, version.id, other.id)
    with refused(NotFound, Reason.MODEL_VERSION_NOT_FOUND):
        await registry.versions.update(project_id, version.id, ModelVersionPatch(status="FAILED"), other.id)
    updated = await registry.versions.update(project_id, version.id, ModelVersionPatch(status="FAILED"), model.id)

    assert updated.status == "FAILED"
    assert await registry.versions.update(project_id, version.id, ModelVersionPatch(status="READY"))


async def test_finds_no_version_without_a_condition(registry: Registry, project_id: UUID) -> None:
    version = await stored_version(registry.repositories, await stored_model(registry.repositories, project_id))

    assert await registry.versions.find(project_id, ModelVersionKey(name=version.name)) == version
    with refused(NotFound, Reason.MODEL_VERSION_NOT_FOUND):
        await registry.versions.find(project_id, ModelVersionKey())


async def test_an_unknown_model_has_no_versions(registry: Registry, project_id: UUID) -> None:
    await stored_version(registry.repositories, await stored_model(registry.repositories, project_id))

    page = await registry.versions.list(project_id, ModelVersionFilter(registered_model_id=uuid4()), Sort(), Slice())

    assert page == Page((), total=0)
