"""Pages of lists: limits, offsets, cursors and totals."""

from __future__ import annotations

from dataclasses import replace
from uuid import UUID

import pytest
from tests.contract.listed import LISTED, Listed
from tests.contract.surroundings import Surroundings
from tests.fakes.builders import a_serve_model
from tests.fakes.repositories import Repositories
from tests.fakes.seeding import stored_environment, stored_model, stored_version

from registry_grpc.domain.inference_service import InferenceServiceFilter
from registry_grpc.domain.paging import Page, Slice, Sort
from registry_grpc.domain.registered_model import RegisteredModelFilter
from registry_grpc.domain.serving_environment import ServingEnvironmentFilter


@pytest.fixture(params=LISTED)
async def listed(request: pytest.FixtureRequest, repositories: Repositories, project_id: UUID) -> Listed:
    return await LISTED[request.param](repositories, project_id)


async def test_an_offset_counts_the_total(listed: Listed) -> None:
    count = len(listed.rows)
    in_order = listed.ids_in_order(Sort())

    for offset, limit in [(0, 1), (0, count), (0, 100), (1, 2), (count - 1, 5), (3, count - 3)]:
        page = await listed.page(Sort(), Slice(limit=limit, offset=offset))
        assert [item.id for item in page.items] == in_order[offset : offset + limit]
        assert (page.total, page.next) == (count, None)


@pytest.mark.parametrize("past_the_end", [0, 1, 2**31, 2**62])
async def test_an_offset_past_the_end_still_counts_the_total(listed: Listed, past_the_end: int) -> None:
    page = await listed.page(Sort(), Slice(offset=len(listed.rows) + past_the_end))

    assert page == Page((), total=len(listed.rows))


async def test_the_greatest_offset_is_past_the_end(listed: Listed) -> None:
    assert await listed.page(Sort(), Slice(limit=100, offset=2**63 - 1)) == Page((), total=len(listed.rows))


async def test_a_page_by_cursor_knows_whether_there_is_more_and_has_no_total(listed: Listed) -> None:
    count = len(listed.rows)

    whole = await listed.page(Sort(), Slice(limit=count, by_cursor=True))
    part = await listed.page(Sort(), Slice(limit=count - 1, by_cursor=True))
    rest = await listed.page(Sort(), Slice(limit=1, by_cursor=True, after=part.next))

    assert (len(whole.items), whole.total, whole.next) == (count, None, None)
    assert (len(part.items), part.total, part.next is None) == (count - 1, None, False)
    assert rest == Page(whole.items[-1:])


@pytest.mark.parametrize("slice", [Slice(), Slice(offset=3), Slice(by_cursor=True)])
async def test_an_empty_list_is_a_page_too(repositories: Repositories, project_id: UUID, slice: Slice) -> None:
    page = await repositories.environments.list(project_id, ServingEnvironmentFilter(), Sort(), slice)

    assert page == Page((), total=None if slice.by_cursor else 0)


async def test_a_cursor_continues_at_its_place_while_rows_are_added_and_removed(
    repositories: Repositories, project_id: UUID
) -> None:
    def page(after: object = None) -> Slice:
        return Slice(limit=2, by_cursor=True, after=after)  # type: ignore[arg-type]

    environments = [await stored_environment(repositories, project_id, name=name) for name in "bdfhj"]
    sort, everything = Sort("name", descending=False), ServingEnvironmentFilter()

    first = await repositories.environments.list(project_id, everything, sort, page())
    await repositories.environments.delete(project_id, environments[1].id)
    await stored_environment(repositories, project_id, name="a")
    await stored_environment(repositories, project_id, name="e")
    second = await repositories.environments.list(project_id, everything, sort, page(first.next))

    assert [[item.name for item in page.items] for page in (first, second)] == [["b", "d"], ["e", "f"]]


@pytest.mark.parametrize("slice", [Slice(), Slice(by_cursor=True)])
async def test_lists_of_models_count_versions_without_showing_them(
    repositories: Repositories, project_id: UUID, slice: Slice
) -> None:
    model = await stored_model(repositories, project_id)
    for _ in range(2):
        await stored_version(repositories, model, is_default=True)
    bare = await stored_model(repositories, project_id)

    page = await repositories.models.list(project_id, RegisteredModelFilter(), Sort(), slice)

    assert {item.id: item for item in page.items} == {model.id: model._replace(version_count=2), bare.id: bare}


@pytest.mark.parametrize("slice", [Slice(), Slice(by_cursor=True)])
async def test_lists_of_services_show_names_and_nothing_served(
    repositories: Repositories, project_id: UUID, around: Surroundings, slice: Slice
) -> None:
    service = around.service(model_version_id=around.version.id)
    created = await repositories.services.create(service, [a_serve_model(service, around.version)])

    page = await repositories.services.list(project_id, InferenceServiceFilter(), Sort(), slice)

    assert page.items == (replace(around.as_read(service), etag=created.etag),)
