"""The contract of ArtifactRepository."""

from __future__ import annotations

from dataclasses import replace
from typing import Any
from uuid import UUID, uuid4

import pytest
from tests.fakes.repositories import Repositories
from tests.fakes.seeding import stored_model, stored_version
from tests.refusals import refused

from registry_grpc.domain.artifact import Artifact, ArtifactFilter, ArtifactKind, ArtifactPatch, NewArtifact
from registry_grpc.domain.errors import AlreadyExists, InvalidRequest, NotFound, Reason, Stale
from registry_grpc.domain.model_version import ModelVersion
from registry_grpc.domain.paging import Slice
from registry_grpc.domain.registered_model import RegisteredModelPatch

FIRST = Slice(by_cursor=True)


def an_artifact(project_id: UUID, version: ModelVersion | None = None, **fields: Any) -> Artifact:
    given: dict[str, Any] = {"kind": ArtifactKind.DATASET, "name": uuid4().hex, "uri": "s3://b/data"}
    new = NewArtifact(**given | {"model_version_id": version.id if version else None} | fields)
    return Artifact.create(new, id=uuid4(), project_id=project_id)


@pytest.fixture
async def version(repositories: Repositories, project_id: UUID) -> ModelVersion:
    return await stored_version(repositories, await stored_model(repositories, project_id))


async def test_reads_an_artifact_as_it_was_created(
    repositories: Repositories, project_id: UUID, version: ModelVersion
) -> None:
    new = an_artifact(
        project_id,
        version,
        kind=ArtifactKind.METRIC,
        description="d",
        uri="",
        digest="sha256:" + "1" * 64,
        size_bytes=2**63 - 1,
        value={"double": 0.97},
        labels={"a": "b"},
        external_id="x",
        properties={"n": {"int": 1}},
    )
    created = await repositories.artifacts.create(new)

    assert created == replace(new, created_at=created.created_at, updated_at=created.updated_at, etag=created.etag)
    assert await repositories.artifacts.get(project_id, new.id) == created
    alone = await repositories.artifacts.create(an_artifact(project_id))
    assert (alone.model_version_id, alone.value) == (None, None)


async def test_a_version_with_files_is_read_as_its_model_artifact(
    repositories: Repositories, project_id: UUID, other_project_id: UUID
) -> None:
    model = await stored_model(repositories, project_id)
    version = await stored_version(repositories, model, digest="sha256:" + "2" * 64, size_bytes=5)
    bare = await stored_version(repositories, model, uri="")

    artifact = await repositories.artifacts.get(project_id, version.id)

    assert (artifact.kind, artifact.model_version_id, artifact.value) == (ArtifactKind.MODEL, version.id, None)
    shared = ("name", "description", "uri", "digest", "size_bytes", "labels", "external_id", "properties")
    stored = await repositories.versions.get(project_id, version.id)
    for name in (*shared, "created_at", "updated_at", "etag"):
        assert getattr(artifact, name) == getattr(stored, name)
    for project, id_ in ((other_project_id, version.id), (project_id, bare.id)):
        with refused(NotFound, Reason.ARTIFACT_NOT_FOUND):
            await repositories.artifacts.get(project, id_)
    with refused(InvalidRequest, Reason.INVALID_REQUEST):
        await repositories.artifacts.update(project_id, version.id, ArtifactPatch(name="n"))
    with refused(InvalidRequest, Reason.INVALID_REQUEST):
        await repositories.artifacts.delete(project_id, version.id)


@pytest.mark.parametrize("kind", [ArtifactKind.DOCUMENT, ArtifactKind.DATASET])
async def test_files_keep_their_uri_and_get_no_value(
    repositories: Repositories, project_id: UUID, kind: ArtifactKind
) -> None:
    stored = await repositories.artifacts.create(an_artifact(project_id, kind=kind))
    for patch, field in ((ArtifactPatch(uri=""), "uri"), (ArtifactPatch(value={"int": 1}), "value")):
        with refused(InvalidRequest, Reason.INVALID_REQUEST) as refusal:
            await repositories.artifacts.update(project_id, stored.id, patch, (stored.etag,))
        assert str(refusal.value).startswith(field)
    assert await repositories.artifacts.get(project_id, stored.id) == stored
    moved = await repositories.artifacts.update(project_id, stored.id, ArtifactPatch(uri="s3://b/moved"))
    assert moved.uri == "s3://b/moved"


@pytest.mark.parametrize("kind", [ArtifactKind.METRIC, ArtifactKind.PARAMETER])
async def test_a_value_may_lose_its_uri(repositories: Repositories, project_id: UUID, kind: ArtifactKind) -> None:
    stored = await repositories.artifacts.create(an_artifact(project_id, kind=kind, value={"int": 1}))
    changed = await repositories.artifacts.update(project_id, stored.id, ArtifactPatch(uri="", value={"int": 2}))
    assert (changed.uri, changed.value) == ("", {"int": 2})


async def test_lists_by_version_by_kind_and_standing_alone(
    repositories: Repositories, project_id: UUID, other_project_id: UUID, version: ModelVersion
) -> None:
    data = await repositories.artifacts.create(an_artifact(project_id, version))
    text = await repositories.artifacts.create(an_artifact(project_id, version, kind=ArtifactKind.DOCUMENT))
    alone = await repositories.artifacts.create(an_artifact(project_id))
    await repositories.artifacts.create(an_artifact(other_project_id))

    async def ids(part: Slice = FIRST, **conditions: Any) -> list[UUID]:
        page = await repositories.artifacts.list(project_id, ArtifactFilter(**conditions), part)
        return [artifact.id for artifact in page.items]

    assert await ids() == [alone.id, text.id, data.id]
    assert await ids(model_version_id=version.id) == [text.id, data.id, version.id]
    assert await ids(model_version_id=version.id, kind=ArtifactKind.DATASET) == [data.id]
    assert await ids(kind=ArtifactKind.MODEL) == [version.id]
    assert await ids(model_version_id=version.id, kind=ArtifactKind.MODEL) == [version.id]
    assert await ids(standing_alone=True) == [alone.id]
    first = await repositories.artifacts.list(project_id, ArtifactFilter(), Slice(limit=2, by_cursor=True))
    assert await ids(Slice(limit=2, by_cursor=True, after=first.next)) == [data.id]


async def test_names_are_unique_in_the_version_or_standing_alone(
    repositories: Repositories, project_id: UUID, other_project_id: UUID, version: ModelVersion
) -> None:
    await repositories.artifacts.create(an_artifact(project_id, version, name="n"))
    alone = await repositories.artifacts.create(an_artifact(project_id, name="n"))
    await repositories.artifacts.create(an_artifact(other_project_id, name="n", external_id="x"))
    sibling = await stored_version(repositories, await stored_model(repositories, project_id))
    other = await repositories.artifacts.create(an_artifact(project_id, sibling, name="n", external_id="x"))

    for taken in (an_artifact(project_id, version, name="n"), an_artifact(project_id, name="n")):
        with refused(AlreadyExists, Reason.ARTIFACT_NAME_TAKEN):
            await repositories.artifacts.create(taken)
    with refused(AlreadyExists, Reason.EXTERNAL_ID_TAKEN):
        await repositories.artifacts.update(project_id, alone.id, ArtifactPatch(external_id="x"))
    assert await repositories.artifacts.get(project_id, other.id) == other


async def test_a_version_must_be_of_the_project(
    repositories: Repositories, other_project_id: UUID, version: ModelVersion
) -> None:
    with refused(NotFound, Reason.MODEL_VERSION_NOT_FOUND):
        await repositories.artifacts.create(an_artifact(other_project_id, version))


@pytest.mark.parametrize(
    "fields",
    [
        {"name": "n"}, {"description": "d"}, {"uri": "s3://b/other"}, {"digest": "sha256:" + "3" * 64},
        {"size_bytes": 9}, {"value": {"bool": False}}, {"labels": {}}, {"external_id": ""}, {"properties": {}}, {},
    ],
)  # fmt: skip
async def test_an_update_only_changes_the_set_fields(
    repositories: Repositories, project_id: UUID, fields: dict[str, Any]
) -> None:
    artifact = await repositories.artifacts.create(
        an_artifact(
            project_id, kind=ArtifactKind.PARAMETER, value={"int": 1}, external_id="x", labels={"a": "b"},
            properties={"n": {"int": 1}},
        )
    )  # fmt: skip

    updated = await repositories.artifacts.update(project_id, artifact.id, ArtifactPatch(**fields), (artifact.etag,))

    assert updated == replace(artifact, **fields, updated_at=updated.updated_at, etag=updated.etag)
    assert updated.updated_at > artifact.updated_at
    assert await repositories.artifacts.get(project_id, artifact.id) == updated
    with refused(Stale, Reason.ETAG_MISMATCH):
        await repositories.artifacts.update(project_id, artifact.id, ArtifactPatch(), (artifact.etag,))
    with refused(Stale, Reason.ETAG_MISMATCH):
        await repositories.artifacts.delete(project_id, artifact.id, (artifact.etag,))


async def test_artifacts_are_deleted_alone_and_with_their_version(
    repositories: Repositories, project_id: UUID, other_project_id: UUID, version: ModelVersion
) -> None:
    first = await repositories.artifacts.create(an_artifact(project_id, version))
    second = await repositories.artifacts.create(an_artifact(project_id, version))

    with refused(NotFound, Reason.ARTIFACT_NOT_FOUND):
        await repositories.artifacts.delete(other_project_id, first.id)
    await repositories.artifacts.delete(project_id, first.id)
    with refused(NotFound, Reason.ARTIFACT_NOT_FOUND):
        await repositories.artifacts.delete(project_id, first.id)
    await repositories.models.update(project_id, version.registered_model_id, RegisteredModelPatch(state="ARCHIVED"))
    await repositories.models.delete(project_id, version.registered_model_id)
    with refused(NotFound, Reason.ARTIFACT_NOT_FOUND):
        await repositories.artifacts.get(project_id, second.id)
