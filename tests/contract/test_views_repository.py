"""The contract of views: which fields lists read, and that pages only count these."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from tests.fakes.repositories import Repositories
from tests.fakes.seeding import stored_model, stored_version

from registry_grpc.domain.batch import BY_ID
from registry_grpc.domain.errors import InvalidRequest
from registry_grpc.domain.filter.fields import parse_filter
from registry_grpc.domain.model_version import ModelVersion, ModelVersionFilter
from registry_grpc.domain.paging import OBJECT_BYTES, Page, Slice, Sort, View
from registry_grpc.domain.registered_model import FILTER_FIELDS, RegisteredModel, RegisteredModelFilter

BY_CURSOR = Slice(by_cursor=True)
SLICES = {"by offset": Slice(), "deep": Slice(offset=1), "by cursor": BY_CURSOR, "cut": replace(BY_CURSOR, max_bytes=1)}
LARGE: dict[str, Any] = {"readme": "x" * 100_000, "metadata": {"a": ["b"]}}

List = Callable[[Slice], Awaitable[Page[RegisteredModel]]]


def lists_of(repositories: Repositories, project_id: UUID, ids: tuple[UUID, ...]) -> dict[str, List]:
    def listed(sort: Sort, **filter: Any) -> List:
        wanted = RegisteredModelFilter(**filter)
        return lambda part: repositories.models.list(project_id, wanted, sort, part)

    return {
        "all": listed(Sort()),
        "by name": listed(Sort("name", descending=False)),
        "searched": listed(Sort(), search="model"),
        "filtered": listed(Sort(), where=parse_filter('state = "LIVE"', FILTER_FIELDS)),
        "filtered by an index": listed(Sort("slug"), where=parse_filter('state = "LIVE"', FILTER_FIELDS)),
        "batch": listed(BY_ID, ids=ids),
    }


@pytest.mark.parametrize("part", SLICES)
@pytest.mark.parametrize("name", lists_of(None, UUID(int=0), ()))  # type: ignore[arg-type]
async def test_lists_of_models_have_their_versions_in_the_full_view(
    repositories: Repositories, project_id: UUID, monkeypatch: pytest.MonkeyPatch, part: str, name: str
) -> None:
    monkeypatch.setattr("registry_grpc.adapters.postgres.listing._DEEP", 1)
    r, ids = repositories, []
    for versions in range(4):
        model = await stored_model(r, project_id)
        ids.append(model.id)
        for place in range(versions):
            await stored_version(r, model, is_default=place == 1, **LARGE)
    models = {id_: await r.models.get(project_id, id_) for id_ in ids}
    assert [bool(model.default_version) for model in models.values()] == [False, False, True, True]

    listed = lists_of(r, project_id, tuple(ids))[name]
    full = await listed(replace(SLICES[part], view=View.FULL))
    basic = await listed(SLICES[part])

    assert len(full.items) == {"deep": 3, "cut": 1}.get(part, 4)
    assert full.items == tuple(models[each.id] for each in full.items)
    assert basic.items == tuple(models[each.id].in_view(View.BASIC) for each in full.items)
    assert {each.latest_version for each in basic.items} == {None}
    assert (full.total, full.next) == (basic.total, basic.next)


@pytest.mark.parametrize("part", SLICES)
async def test_lists_of_versions_have_readme_and_metadata_in_the_full_view(
    repositories: Repositories, project_id: UUID, part: str
) -> None:
    model = await stored_model(repositories, project_id)
    stored = [await stored_version(repositories, model, **LARGE) for _ in range(3)]
    versions = {version.id: version for version in stored}

    async def listed(view: View) -> Page[ModelVersion]:
        slice_ = replace(SLICES[part], view=view)
        return await repositories.versions.list(project_id, ModelVersionFilter(), Sort(), slice_)

    full, basic = await listed(View.FULL), await listed(View.BASIC)
    wanted = [versions[each.id] for each in full.items]
    assert len(full.items) == {"deep": 2, "cut": 1}.get(part, 3)
    assert list(full.items) == wanted
    assert list(basic.items) == [version._replace(readme="", metadata={}) for version in wanted]


async def test_lists_of_deleted_versions_have_views_too(repositories: Repositories, project_id: UUID) -> None:
    model, day = await stored_model(repositories, project_id), timedelta(days=1)
    version = await stored_version(repositories, model, **LARGE)
    await repositories.deleted.delete(project_id, version.id, "ann", force=False, retention=day)
    for view, readme in ((View.FULL, LARGE["readme"]), (View.BASIC, "")):
        part = Slice(by_cursor=True, view=view)
        [deleted] = (await repositories.deleted.list(project_id, model.id, part, retention=day)).items
        assert (deleted.model_version.readme, bool(deleted.model_version.metadata)) == (readme, bool(readme))


async def _count(list_: List, view: View, max_bytes: int) -> int:
    return len((await list_(Slice(by_cursor=True, view=view, max_bytes=max_bytes))).items)


async def test_only_the_full_view_counts_the_versions_of_models(repositories: Repositories, project_id: UUID) -> None:
    """Their short fields too, also of versions that a model does not have."""
    r = repositories
    for name, readme in (("a", ""), ("b", "é" * 5_000), ("c", "")):
        model = await stored_model(r, project_id, name=name, description="", properties={})
        if readme:
            await stored_version(r, model, is_default=True, description="", readme=readme, metadata={}, properties={})
    list_ = lists_of(r, project_id, ())["by name"]
    maps = 1_000  # of labels, tags and properties, which are small

    assert await _count(list_, View.BASIC, 3 * OBJECT_BYTES + maps) == 3
    assert await _count(list_, View.FULL, 3 * OBJECT_BYTES + maps) == 1
    assert await _count(list_, View.FULL, 6 * OBJECT_BYTES + 20_000 - 1) == 1
    # The default version is the newest one, and is sent twice.
    assert await _count(list_, View.FULL, 6 * OBJECT_BYTES + 20_000 + maps) == 2
    assert await _count(list_, View.FULL, 9 * OBJECT_BYTES + 20_000 + maps) == 3
    with pytest.raises(InvalidRequest, match="limit must be smaller"):
        await list_(Slice(view=View.FULL).refusing_above(9 * OBJECT_BYTES))


async def test_only_the_full_view_counts_readme_and_metadata(repositories: Repositories, project_id: UUID) -> None:
    model = await stored_model(repositories, project_id)
    for _ in range(3):
        await stored_version(repositories, model, readme="x" * 50_000, metadata={"a": "x" * 50_000})

    async def list_(part: Slice) -> Page[Any]:
        return await repositories.versions.list(project_id, ModelVersionFilter(), Sort(), part)

    assert await _count(list_, View.BASIC, 20_000) == 3
    assert await _count(list_, View.FULL, 120_000) == 1
