"""The contract of ModelVersionRepository."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from tests.fakes.builders import CREATED_AT, a_model, a_version
from tests.fakes.repositories import Repositories
from tests.fakes.seeding import stored_model, stored_version
from tests.refusals import refused

from registry_grpc.domain.errors import AlreadyExists, NotFound, Reason
from registry_grpc.domain.model_version import Credentials, ModelVersionKey, ModelVersionPatch


@pytest.mark.parametrize("prebuilt_container_id", [uuid4(), None])
@pytest.mark.parametrize("is_default", [False, True])
async def test_reads_a_version_as_it_was_created(
    repositories: Repositories, project_id: UUID, is_default: bool, prebuilt_container_id: UUID | None
) -> None:
    model = await stored_model(repositories, project_id, state="ARCHIVED")
    version = await stored_version(
        repositories, model, is_default=is_default, prebuilt_container_id=prebuilt_container_id
    )

    read = await repositories.versions.get(project_id, version.id)

    assert read == version
    assert read.created_at.utcoffset() == timedelta(0)


@pytest.mark.parametrize("credentials", [Credentials("key", "secret"), Credentials("", "sécret 🔑"), Credentials()])
async def test_keeps_the_credentials(repositories: Repositories, project_id: UUID, credentials: Credentials) -> None:
    version = a_version(await stored_model(repositories, project_id))
    await repositories.versions.create(project_id, version, credentials)
    await repositories.versions.update(project_id, version.id, ModelVersionPatch(uri="s3://bucket/another-key"))

    assert await repositories.versions.credentials(project_id, version.id, version.uri) == (credentials or None)
    with refused(NotFound, Reason.MODEL_VERSION_NOT_FOUND):
        await repositories.versions.credentials(project_id, uuid4(), version.uri)


@pytest.mark.parametrize("uri", ["s3://elsewhere/key", "https://bucket/key", "S4://bucket", "/mnt/key", ""])
async def test_keys_do_not_follow_a_uri_to_another_place(
    repositories: Repositories, project_id: UUID, uri: str
) -> None:
    version = a_version(await stored_model(repositories, project_id), uri="s3://bucket/key")
    await repositories.versions.create(project_id, version, Credentials("key", "secret"))

    for default in (False, True):
        patch = ModelVersionPatch(uri=uri, is_default=default)
        await repositories.versions.update(project_id, version.id, patch)
        assert await repositories.versions.credentials(project_id, version.id, uri) is None
        assert await repositories.versions.keys_uri(project_id, version.id) == version.uri
    keys = await repositories.versions.credentials(project_id, version.id, version.uri)
    assert keys == Credentials("key", "secret")
    await repositories.versions.update(project_id, version.id, ModelVersionPatch(secret_key="new"))
    assert await repositories.versions.credentials(project_id, version.id, uri) == Credentials("", "new")
    assert await repositories.versions.credentials(project_id, version.id, version.uri) is None
    assert await repositories.versions.keys_uri(project_id, version.id) == uri


async def test_tells_for_which_uri_the_keys_are(
    repositories: Repositories, project_id: UUID, other_project_id: UUID
) -> None:
    version = a_version(await stored_model(repositories, project_id), uri="s3://bucket/key")
    await repositories.versions.create(project_id, version, Credentials("", "secret"))

    assert await repositories.versions.keys_uri(project_id, version.id) == "s3://bucket/key"
    assert await repositories.versions.keys_uri(other_project_id, version.id) is None
    assert await repositories.versions.keys_uri(project_id, uuid4()) is None
    await repositories.versions.update(project_id, version.id, ModelVersionPatch(secret_key=""))
    assert await repositories.versions.keys_uri(project_id, version.id) is None
    assert await repositories.versions.credentials(project_id, version.id, version.uri) is None


@pytest.mark.parametrize(
    ("patch", "after"),
    [
        (ModelVersionPatch(secret_key="new"), Credentials("key", "new")),
        (ModelVersionPatch(access_key="k2", secret_key="s2"), Credentials("k2", "s2")),
        (ModelVersionPatch(access_key="", secret_key=""), None),
        (ModelVersionPatch(uri="s3://elsewhere/key", secret_key="new", is_default=True), Credentials("", "new")),
        (ModelVersionPatch(uri="s3://bucket/other", description="d"), Credentials("key", "secret")),
        (ModelVersionPatch(is_default=True), Credentials("key", "secret")),
    ],
)
async def test_keys_are_replaced_and_removed(
    repositories: Repositories, project_id: UUID, patch: ModelVersionPatch, after: Credentials | None
) -> None:
    version = a_version(await stored_model(repositories, project_id), uri="s3://bucket/key")
    await repositories.versions.create(project_id, version, Credentials("key", "secret"))

    updated = await repositories.versions.update(project_id, version.id, patch)

    assert await repositories.versions.credentials(project_id, version.id, updated.uri) == after


@pytest.mark.parametrize("is_default", [False, True])
async def test_refuses_a_version_of_an_unknown_model(
    repositories: Repositories, project_id: UUID, is_default: bool
) -> None:
    version = a_version(a_model(project_id), is_default=is_default)

    with refused(NotFound, Reason.REGISTERED_MODEL_NOT_FOUND):
        await repositories.versions.create(project_id, version, Credentials())


async def test_names_are_unique_by_model(repositories: Repositories, project_id: UUID) -> None:
    model = await stored_model(repositories, project_id)
    version = await stored_version(repositories, model, name="v1", artifact_type="model-artifact")

    with refused(AlreadyExists, Reason.MODEL_VERSION_NAME_TAKEN):
        await stored_version(repositories, model, name="v1", artifact_type="doc-artifact")
    await stored_version(repositories, model, name="V1")
    await stored_version(repositories, await stored_model(repositories, project_id), name="v1")
    found = await repositories.versions.find(project_id, ModelVersionKey(name="v1", registered_model_id=model.id))
    assert found == version


async def test_a_refused_new_default_takes_the_default_from_nobody(
    repositories: Repositories, project_id: UUID
) -> None:
    model = await stored_model(repositories, project_id)
    default = await stored_version(repositories, model, is_default=True)

    with refused(AlreadyExists, Reason.MODEL_VERSION_NAME_TAKEN):
        await stored_version(repositories, model, is_default=True, name=default.name)

    assert await repositories.versions.get(project_id, default.id) == default


async def test_get_checks_the_model_when_it_is_given(repositories: Repositories, project_id: UUID) -> None:
    model = await stored_model(repositories, project_id)
    other_model = await stored_model(repositories, project_id)
    version = await stored_version(repositories, model)

    assert await repositories.versions.get(project_id, version.id, registered_model_id=model.id) == version
    for model_id in (other_model.id, uuid4()):
        with refused(NotFound, Reason.MODEL_VERSION_NOT_FOUND):
            await repositories.versions.get(project_id, version.id, registered_model_id=model_id)
    with refused(NotFound, Reason.MODEL_VERSION_NOT_FOUND):
        await repositories.versions.get(project_id, uuid4())


async def test_find_wants_all_conditions_met(repositories: Repositories, project_id: UUID) -> None:
    model = await stored_model(repositories, project_id)
    version = await stored_version(repositories, model)
    other = await stored_version(repositories, await stored_model(repositories, project_id))

    matching = (
        ModelVersionKey(name=version.name),
        ModelVersionKey(id=version.id),
        ModelVersionKey(registered_model_id=model.id),
        ModelVersionKey(name=version.name, id=version.id, registered_model_id=model.id),
    )
    for key in matching:
        assert await repositories.versions.find(project_id, key) == version
    for key in (
        ModelVersionKey(name=version.name.upper()),
        ModelVersionKey(name=version.name, id=other.id),
        ModelVersionKey(id=version.id, registered_model_id=other.registered_model_id),
        ModelVersionKey(name=other.name, registered_model_id=model.id),
    ):
        with refused(NotFound, Reason.MODEL_VERSION_NOT_FOUND):
            await repositories.versions.find(project_id, key)


async def test_of_several_matches_find_takes_the_oldest(repositories: Repositories, project_id: UUID) -> None:
    later = CREATED_AT + timedelta(microseconds=1)
    models = [await stored_model(repositories, project_id) for _ in range(4)]
    await stored_version(repositories, models[0], name="v", created_at=later)
    tied = [await stored_version(repositories, model, name="v") for model in models[1:]]
    oldest = min(tied, key=lambda version: version.id)

    assert await repositories.versions.find(project_id, ModelVersionKey(name="v")) == oldest
    await stored_version(repositories, models[0], name="first", created_at=CREATED_AT - timedelta(days=1))
    found = await repositories.versions.find(project_id, ModelVersionKey(registered_model_id=models[0].id))
    assert found.name == "first"


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("name", "another name"),
        ("description", ""),
        ("is_default", True),
        ("is_default", False),
        ("state", "ARCHIVED"),
        ("status", "FAILED"),
        ("artifact_type", ""),
        ("model_framework", ""),
        ("model_framework_version", "2"),
        ("container_image", ""),
        ("uri", ""),
        ("labels", {"a": "1", "b": ""}),
        ("labels", {}),
    ],
)
async def test_update_only_changes_the_set_fields(
    repositories: Repositories, project_id: UUID, field: str, value: Any
) -> None:
    model = await stored_model(repositories, project_id)
    version = await stored_version(repositories, model)
    bystander = await stored_version(repositories, model)

    updated = await repositories.versions.update(project_id, version.id, ModelVersionPatch(**{field: value}))

    assert updated == version._replace(updated_at=updated.updated_at, etag=updated.etag, **{field: value})
    assert updated.updated_at > version.updated_at
    assert await repositories.versions.get(project_id, version.id) == updated
    assert await repositories.versions.get(project_id, bystander.id) == bystander
    assert (await repositories.models.get(project_id, model.id)).updated_at == model.updated_at


async def test_every_empty_patch_bumps_updated_at(repositories: Repositories, project_id: UUID) -> None:
    version = await stored_version(repositories, await stored_model(repositories, project_id), is_default=True)

    first = await repositories.versions.update(project_id, version.id, ModelVersionPatch())
    second = await repositories.versions.update(project_id, version.id, ModelVersionPatch())

    assert version.updated_at < first.updated_at < second.updated_at
    assert second._replace(updated_at=version.updated_at, etag=version.etag) == version


@pytest.mark.parametrize("patch", [ModelVersionPatch(status="READY"), ModelVersionPatch(is_default=True)])
async def test_update_checks_the_model_when_it_is_given(
    repositories: Repositories, project_id: UUID, patch: ModelVersionPatch
) -> None:
    model = await stored_model(repositories, project_id)
    version = await stored_version(repositories, model, status="PENDING")
    default = await stored_version(repositories, model, is_default=True)
    other_model = await stored_model(repositories, project_id)

    for model_id in (other_model.id, uuid4()):
        with refused(NotFound, Reason.MODEL_VERSION_NOT_FOUND):
            await repositories.versions.update(project_id, version.id, patch, registered_model_id=model_id)
    with refused(NotFound, Reason.MODEL_VERSION_NOT_FOUND):
        await repositories.versions.update(project_id, uuid4(), patch)

    assert await repositories.versions.get(project_id, version.id) == version
    assert await repositories.versions.get(project_id, default.id) == default
    await repositories.versions.update(project_id, version.id, patch, registered_model_id=model.id)


@pytest.mark.parametrize("is_default", [False, True])
async def test_update_refuses_a_name_taken_but_not_its_own(
    repositories: Repositories, project_id: UUID, is_default: bool
) -> None:
    model = await stored_model(repositories, project_id)
    version = await stored_version(repositories, model)
    other = await stored_version(repositories, model, is_default=True)

    with refused(AlreadyExists, Reason.MODEL_VERSION_NAME_TAKEN):
        await repositories.versions.update(
            project_id, version.id, ModelVersionPatch(name=other.name, is_default=is_default)
        )

    assert await repositories.versions.get(project_id, version.id) == version
    assert await repositories.versions.get(project_id, other.id) == other
    await repositories.versions.update(project_id, version.id, ModelVersionPatch(name=version.name))


@pytest.mark.parametrize("by", ["create", "update"])
async def test_a_new_default_replaces_that_of_its_model_only(
    repositories: Repositories, project_id: UUID, by: str
) -> None:
    model = await stored_model(repositories, project_id)
    former = await stored_version(repositories, model, is_default=True)
    elsewhere = await stored_version(repositories, await stored_model(repositories, project_id), is_default=True)

    version = await stored_version(repositories, model, is_default=by == "create")
    if by == "update":
        version = await repositories.versions.update(project_id, version.id, ModelVersionPatch(is_default=True))

    assert (await repositories.models.get(project_id, model.id)).default_version == version
    read = await repositories.versions.get(project_id, former.id)
    assert read == former._replace(is_default=False, etag=read.etag)
    assert await repositories.versions.get(project_id, elsewhere.id) == elsewhere


async def test_a_model_can_be_left_without_a_default(repositories: Repositories, project_id: UUID) -> None:
    model = await stored_model(repositories, project_id)
    version = await stored_version(repositories, model, is_default=True)

    await repositories.versions.update(project_id, version.id, ModelVersionPatch(is_default=False))

    assert (await repositories.models.get(project_id, model.id)).default_version is None


async def test_a_prebuilt_container_is_set_and_cleared(repositories: Repositories, project_id: UUID) -> None:
    version = await stored_version(repositories, await stored_model(repositories, project_id))

    for container_id in (uuid4(), None):
        patch = ModelVersionPatch(prebuilt_container_id=container_id, model_catalog_name="c")
        await repositories.versions.update(project_id, version.id, patch)
        kept = await repositories.versions.update(project_id, version.id, ModelVersionPatch(description="d"))
        assert (kept.prebuilt_container_id, kept.model_catalog_name) == (container_id, "c")
