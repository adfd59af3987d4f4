"""What gRPC clients can say of a version besides the contract: readme, metadata, digest and size, and longer texts."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import pytest
from tests.fakes.repositories import Repositories
from tests.fakes.seeding import stored_model, stored_version
from tests.refusals import refused

from registry_grpc.domain.errors import AlreadyExists, Reason
from registry_grpc.domain.model_version import ModelVersionKey, ModelVersionPatch
from registry_grpc.domain.paging import Slice, Sort
from registry_grpc.domain.registered_model import RegisteredModelFilter

DIGEST, OTHER = "sha256:" + "1" * 64, "sha256:" + "2" * 64


@pytest.mark.parametrize(
    "fields",
    [
        {"readme": "# é\u2028"},
        {"metadata": {}},
        {"metadata": {"a": [1.5, -0.1, 2**53, True, None, "\u2028", {}, []], "": {"": {"k": ""}}}},
        {"digest": OTHER, "size_bytes": 0},
    ],
)
async def test_an_update_only_changes_the_set_fields(
    repositories: Repositories, project_id: UUID, fields: dict[str, Any]
) -> None:
    model = await stored_model(repositories, project_id)
    version = await stored_version(repositories, model, digest=DIGEST, size_bytes=2**63 - 1)

    updated = await repositories.versions.update(project_id, version.id, ModelVersionPatch(**fields))

    assert updated == version._replace(**fields, updated_at=updated.updated_at, etag=updated.etag)
    assert await repositories.versions.get(project_id, version.id) == updated


@pytest.mark.parametrize(
    ("patch", "digest", "size_bytes"),
    [
        ({"uri": "s3://other/key"}, "", 0),
        ({"uri": "s3://b/k"}, DIGEST, 7),
        ({"description": "d"}, DIGEST, 7),
        ({"uri": "s3://other/key", "digest": OTHER}, OTHER, 7),
        ({"uri": "s3://other/key", "digest": OTHER, "size_bytes": 8}, OTHER, 8),
        ({"uri": "s3://other/key", "is_default": True}, "", 0),
    ],
)
async def test_another_uri_clears_what_was_known_of_the_files(
    repositories: Repositories, project_id: UUID, patch: dict[str, Any], digest: str, size_bytes: int
) -> None:
    model = await stored_model(repositories, project_id)
    version = await stored_version(repositories, model, uri="s3://b/k", digest=DIGEST, size_bytes=7)

    updated = await repositories.versions.update(project_id, version.id, ModelVersionPatch(**patch))

    assert (updated.digest, updated.size_bytes) == (digest, size_bytes)


@pytest.mark.parametrize("letter", ["n", "\U0001f916"])
async def test_long_names_are_told_apart_at_their_ends(
    repositories: Repositories, project_id: UUID, letter: str
) -> None:
    names = [letter * 249 + end for end in "ab"]
    models = [await stored_model(repositories, project_id, name=name) for name in names]
    version = await stored_version(repositories, models[0], name=names[0], uri="s3://b/" + letter * 1993)

    with refused(AlreadyExists, Reason.REGISTERED_MODEL_NAME_TAKEN):
        await stored_model(repositories, project_id, name=names[0])
    assert (await repositories.models.find(project_id, name=names[1])).id == models[1].id
    assert await repositories.versions.find(project_id, ModelVersionKey(name=names[0])) == version
    wanted = RegisteredModelFilter(search=names[1][200:])
    found = await repositories.models.list(project_id, wanted, Sort("name"), Slice())
    assert [model.id for model in found.items] == [models[1].id]
    pages = await repositories.models.list(project_id, RegisteredModelFilter(), Sort("name"), Slice(1, by_cursor=True))
    rest = await repositories.models.list(
        project_id, RegisteredModelFilter(), Sort("name"), Slice(1, by_cursor=True, after=pages.next)
    )
    assert [model.id for page in (pages, rest) for model in page.items] == [models[1].id, models[0].id]
