"""The numbers of versions, and what else a version of a model can be called by."""

from __future__ import annotations

import asyncio
from uuid import UUID, uuid4

import pytest
from tests.fakes.builders import a_version
from tests.fakes.repositories import Repositories
from tests.fakes.seeding import stored_model, stored_version
from tests.refusals import refused

from registry_grpc.domain.errors import AlreadyExists, NotFound, Reason
from registry_grpc.domain.model_version import Credentials, ModelVersionFilter
from registry_grpc.domain.paging import Slice, Sort


async def test_versions_are_numbered_by_model(repositories: Repositories, project_id: UUID) -> None:
    model, other = await stored_model(repositories, project_id), await stored_model(repositories, project_id)
    versions = [await stored_version(repositories, of) for of in (model, model, other, model)]

    assert [version.number for version in versions] == [1, 2, 1, 3]
    assert await repositories.versions.get(project_id, versions[1].id) == versions[1]
    page = await repositories.versions.list(
        project_id, ModelVersionFilter(registered_model_id=model.id), Sort(), Slice()
    )
    assert {version.id: version.number for version in page.items} == {
        version.id: version.number for version in versions if version.registered_model_id == model.id
    }
    latest = (await repositories.models.get(project_id, model.id)).latest_version
    assert latest is not None
    assert latest.number == 3


async def test_concurrent_versions_have_different_numbers(repositories: Repositories, project_id: UUID) -> None:
    model = await stored_model(repositories, project_id)
    versions = await asyncio.gather(
        *(stored_version(repositories, model, is_default=n % 3 == 0) for n in range(12)),
    )
    assert sorted(version.number for version in versions) == list(range(1, 13))


async def test_a_refused_version_takes_no_number(repositories: Repositories, project_id: UUID) -> None:
    model = await stored_model(repositories, project_id)
    version = await stored_version(repositories, model)
    with refused(AlreadyExists, Reason.MODEL_VERSION_NAME_TAKEN):
        await repositories.versions.create(project_id, a_version(model, name=version.name), Credentials())
    assert (await stored_version(repositories, model)).number == 2


async def test_finds_a_version_by_what_it_is_called(
    repositories: Repositories, project_id: UUID, other_project_id: UUID
) -> None:
    model = await stored_model(repositories, project_id)
    first = await stored_version(repositories, model, name="2", is_default=True)
    second = await stored_version(repositories, model, name="latest")
    third = await stored_version(repositories, model, name="v3")
    await stored_version(repositories, await stored_model(repositories, project_id), name="v4")

    named = repositories.versions.named
    calls = {"1": first, "2": second, "3": third, "latest": third, "default": first, "v3": third}
    for text, version in calls.items():
        assert await named(project_id, model.id, text) == version
    for text in ("4", "03", "v4", "V3", "", "9" * 18, "9" * 30):
        with refused(NotFound, Reason.MODEL_VERSION_NOT_FOUND) as refusal:
            await named(project_id, model.id, text)
        assert refusal.value.metadata == {"registered_model_id": str(model.id), "version": text}
    for text in ("1", "latest", "default", "v3"):
        with refused(NotFound, Reason.MODEL_VERSION_NOT_FOUND):
            await named(other_project_id, model.id, text)
        with refused(NotFound, Reason.MODEL_VERSION_NOT_FOUND):
            await named(project_id, uuid4(), text)


@pytest.mark.parametrize("text", ["latest", "default"])
async def test_a_model_may_have_no_such_version(repositories: Repositories, project_id: UUID, text: str) -> None:
    model = await stored_model(repositories, project_id)
    if text == "default":
        await stored_version(repositories, model, name="default")
    with refused(NotFound, Reason.MODEL_VERSION_NOT_FOUND):
        await repositories.versions.named(project_id, model.id, text)
